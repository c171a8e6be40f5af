"""Sora 2: `/openai/v1/videos`, as OpenAI's OpenAPI document and Microsoft's pages describe it."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.body import read_body
from sandbox.content import FilmResponse
from sandbox.job import Job, Order, Phase
from sandbox.mischief.faults import Fault
from sandbox.paging import read_limit, read_place
from sandbox.refusals import ApiError, invalid_value, not_finished, not_found
from sandbox.rules import check_text
from sandbox.service import Service
from sandbox.videos.order import LONGEST_PROMPT, read_order

_OPERATION = "Videos_Create"
_STATUS = {
    Phase.QUEUED: "queued",
    Phase.RENDERING: "in_progress",
    Phase.SUCCEEDED: "completed",
    Phase.FAILED: "failed",
}


class VideosApi:
    """The handlers of the API's five calls and of remix."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def routes(self, prefix: str) -> list[Route]:
        """The API below `prefix`, such as /openai/v1."""
        return [
            Route(f"{prefix}/videos", self.create, methods=["POST"]),
            Route(f"{prefix}/videos", self.list, methods=["GET"]),
            Route(f"{prefix}/videos/{{id}}", self.get, methods=["GET"]),
            Route(f"{prefix}/videos/{{id}}", self.delete, methods=["DELETE"]),
            Route(f"{prefix}/videos/{{id}}/content", self.content, methods=["GET", "HEAD"]),
            Route(f"{prefix}/videos/{{id}}/remix", self.remix, methods=["POST"]),
        ]

    async def create(self, request: Request) -> Response:
        body = await read_body(request)
        deployment = self._service.deployment("videos", check_text(body.fields, "model", 256))

        async def act(fault: Fault | None) -> Response:
            try:
                order = await read_order(body, deployment, self._service.studio)
            except ApiError:
                self._service.refuse(deployment.name)
                raise
            job = self._service.accept(order, _OPERATION, fault.failure if fault else None)
            return self._answer(job)

        return await self._service.faults.around("create", deployment.name, request, act)

    async def remix(self, request: Request) -> Response:
        """A new job of the source's size and length; counts against the quota of the source's deployment."""
        body = await read_body(request)
        source = self._job(request)
        deployment = source.order.deployment

        async def act(fault: Fault | None) -> Response:
            try:
                if source.phase(self._service.clock()) is not Phase.SUCCEEDED:
                    raise invalid_value("video_id", f"Video '{source.id}' cannot be remixed: it is not completed.")
                prompt = check_text(body.fields, "prompt", LONGEST_PROMPT)
            except ApiError:
                self._service.refuse(deployment)
                raise
            was = source.order
            order = Order(deployment, prompt, was.width, was.height, was.seconds, remixed_from=source.id)
            return self._answer(self._service.accept(order, _OPERATION, fault.failure if fault else None))

        self._service.deployment("videos", deployment)
        return await self._service.faults.around("create", deployment, request, act)

    async def get(self, request: Request) -> Response:
        job = self._job(request)

        async def act(_: Fault | None) -> Response:
            self._service.looked_at(job)
            return self._answer(job)

        return await self._service.faults.around("get", job.order.deployment, request, act)

    async def list(self, request: Request) -> Response:
        async def act(_: Fault | None) -> Response:
            self._service.lists += 1
            query = request.query_params
            order = query.get("order", "desc")
            if order not in ("asc", "desc"):
                raise invalid_value("order", f"Invalid value: '{order}'. Supported values are: 'asc' and 'desc'.")
            now = self._service.clock()
            jobs, more = self._service.ledger.page(
                "videos",
                now,
                limit=read_limit(query, 20, lowest=0),
                after=read_place(query, "after", "videos", self._service.ledger),
                newest_first=order == "desc",
            )
            data = [self._video(job, now) for job in jobs]
            ends = {"first_id": jobs[0].id if jobs else None, "last_id": jobs[-1].id if jobs else None}
            return JSONResponse({"object": "list", "data": data, **ends, "has_more": more})

        return await self._service.faults.around("list", None, request, act)

    async def delete(self, request: Request) -> Response:
        """Only of a completed or failed video, as documented; the 409 for others is a guess."""
        job = self._job(request)

        async def act(_: Fault | None) -> Response:
            if job.phase(self._service.clock()) not in (Phase.SUCCEEDED, Phase.FAILED):
                raise ApiError(409, f"Video '{job.id}' cannot be deleted: it is not completed or failed.")
            self._service.ledger.delete(job)
            return JSONResponse({"id": job.id, "object": "video.deleted", "deleted": True})

        return await self._service.faults.around("delete", job.order.deployment, request, act)

    async def content(self, request: Request) -> Response:
        job = self._job(request)
        variant = request.query_params.get("variant", "video")

        async def act(fault: Fault | None) -> Response:
            if job.phase(self._service.clock()) is not Phase.SUCCEEDED:
                raise not_finished("Video", job.id)
            if variant == "thumbnail":
                return Response(await self._service.studio.thumbnail(job.film, "WEBP"), media_type="image/webp")
            if variant == "spritesheet":
                return Response(await self._service.studio.spritesheet(job.film), media_type="image/jpeg")
            if variant != "video":
                raise invalid_value("variant", f"Invalid value: '{variant}'.")
            film = await self._service.film(job, job.id, counted=request.method == "GET")
            return FilmResponse(film, job.finished_at, fault)

        return await self._service.faults.around("content", job.order.deployment, request, act)

    def _job(self, request: Request) -> Job:
        video_id = request.path_params["id"]
        job = self._service.ledger.job("videos", video_id, self._service.clock())
        if job is None:
            raise not_found("Video", video_id)
        return job

    def _answer(self, job: Job) -> Response:
        now = self._service.clock()
        wait_ms = self._service.config.poll_after_ms
        headers = {}
        if wait_ms is not None and now < job.finished_at:
            headers["openai-poll-after-ms"] = str(wait_ms)
        return JSONResponse(self._video(job, now), headers=headers)

    def _video(self, job: Job, now: float) -> dict[str, Any]:
        phase = job.phase(now)
        done = phase is Phase.SUCCEEDED
        failure = job.failure if phase is Phase.FAILED else None
        return {
            "id": job.id,
            "object": "video",
            "model": job.model,
            "status": _STATUS[phase],
            "progress": 100 if done else 0 if failure else min(99, int(job.share_done(now) * 100)),
            "created_at": int(job.created_at),
            "completed_at": int(job.finished_at) if done else None,
            "expires_at": int(job.gone_at) if done else None,
            "prompt": None if self._service.config.hide_prompts else job.order.prompt,
            "seconds": str(job.order.seconds),
            "size": f"{job.order.width}x{job.order.height}",
            "remixed_from_video_id": job.order.remixed_from,
            "error": {"code": failure.code, "message": failure.message} if failure else None,
        }
