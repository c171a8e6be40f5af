"""Sora 2: `/openai/v1/videos`, as OpenAI's OpenAPI document and Microsoft's pages describe it."""

from __future__ import annotations

import base64
import binascii
import hashlib
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.body import Body, read_body
from sandbox.content import FilmResponse
from sandbox.faults import Fault
from sandbox.job import Job, Order, Phase
from sandbox.paging import read_limit, read_place
from sandbox.refusals import ApiError, invalid_value, not_finished, not_found, unknown_parameter, wrong_type
from sandbox.rules import check_seconds, check_size, check_text, rule_for
from sandbox.service import Service

_OPERATION = "Videos_Create"
_FIELDS = ("prompt", "model", "seconds", "size", "input_reference")
_STATUS = {
    Phase.QUEUED: "queued",
    Phase.RENDERING: "in_progress",
    Phase.SUCCEEDED: "completed",
    Phase.FAILED: "failed",
}
_LONGEST_PROMPT = 32_000
_LONGEST_DATA_URL = 20_971_520


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
                order = await self._order(body, deployment.name, deployment.model)
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
                    raise invalid_value(
                        "video_id", f"Video '{source.id}' cannot be remixed: it is not completed."
                    )
                prompt = check_text(body.fields, "prompt", _LONGEST_PROMPT)
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
                raise invalid_value(
                    "order", f"Invalid value: '{order}'. Supported values are: 'asc' and 'desc'."
                )
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
                return Response(
                    await self._service.studio.thumbnail(job.film, "libwebp"), media_type="image/webp"
                )
            if variant == "spritesheet":
                return Response(await self._service.studio.spritesheet(job.film), media_type="image/jpeg")
            if variant != "video":
                raise invalid_value("variant", f"Invalid value: '{variant}'.")
            film = await self._service.film(job, job.id, counted=request.method == "GET")
            return FilmResponse(film, job.finished_at, fault)

        return await self._service.faults.around("content", job.order.deployment, request, act)

    async def _order(self, body: Body, deployment: str, model: str) -> Order:
        for name in (*body.fields, *(file.field for file in body.files)):
            if name not in _FIELDS:
                raise unknown_parameter(name)
        rule = rule_for(model)
        prompt = check_text(body.fields, "prompt", _LONGEST_PROMPT)
        size = body.fields.get("size", "720x1280")
        if not isinstance(size, str):
            raise wrong_type("size", "a string such as '720x1280'", size)
        width, height = check_size(rule, size)
        seconds = body.fields.get("seconds", "4")
        if not isinstance(seconds, str):
            raise wrong_type("seconds", "one of '4', '8', or '12'", seconds)
        if not (seconds.isascii() and seconds.isdigit()):
            raise invalid_value("seconds", f"Invalid value: '{seconds}'.")
        length = check_seconds(rule, int(seconds), "seconds")
        image = _reference(body)
        if image is not None:
            await self._check_image(image, width, height)
        digest = hashlib.sha256(image).hexdigest() if image is not None else None
        return Order(deployment, prompt, width, height, length, input_reference_sha256=digest)

    async def _check_image(self, image: bytes, width: int, height: int) -> None:
        measured = await self._service.studio.inspect(image)
        if measured is None:
            raise invalid_value("input_reference", "The reference is no JPEG, PNG or WebP picture.")
        if measured != (width, height):
            raise invalid_value(
                "input_reference",
                f"Inpaint image must match the requested width and height: it is {measured[0]}x{measured[1]}, "
                f"but {width}x{height} was requested.",
            )

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


def _reference(body: Body) -> bytes | None:
    """The picture's bytes: a file part, or JSON {"image_url": a data URL}. The sandbox fetches nothing and keeps no files."""
    files = [file for file in body.files if file.field == "input_reference"]
    if len(files) > 1:
        raise invalid_value("input_reference", "Only one reference can be given.")
    if files:
        if files[0].content_type not in ("image/jpeg", "image/png", "image/webp"):
            raise invalid_value(
                "input_reference",
                f"Unsupported mimetype ('{files[0].content_type}'). "
                "Supported values are: 'image/jpeg', 'image/png', and 'image/webp'.",
            )
        return files[0].data
    given = body.fields.get("input_reference")
    if given is None:
        return None
    if not isinstance(given, dict):
        raise wrong_type("input_reference", "an object with image_url, or a file", given)
    url = given.get("image_url")
    if not isinstance(url, str) or "file_id" in given:
        raise invalid_value(
            "input_reference", "Give image_url; the sandbox keeps no files to name by file_id."
        )
    head, comma, data = url.partition(",")
    if not (head.startswith("data:image/") and head.endswith(";base64") and comma):
        raise invalid_value(
            "input_reference.image_url", "Give a base64 data URL: the sandbox fetches nothing."
        )
    if len(url) > _LONGEST_DATA_URL:
        raise invalid_value("input_reference.image_url", f"At most {_LONGEST_DATA_URL} characters are taken.")
    try:
        return base64.b64decode(data, validate=True)
    except binascii.Error as error:
        raise invalid_value("input_reference.image_url", f"The data URL is no base64: {error}.") from error
