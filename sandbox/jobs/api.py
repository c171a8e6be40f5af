"""Sora 1: `/openai/v1/video/generations/jobs`, as Azure's preview specification and pages describe it."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.body import read_body
from sandbox.content import FilmResponse
from sandbox.job import Job, Phase
from sandbox.jobs.answer import generation_body, job_body, job_status
from sandbox.jobs.order import read_order
from sandbox.mischief.faults import Fault
from sandbox.paging import read_limit, read_place
from sandbox.refusals import ApiError, invalid_value, not_finished, not_found
from sandbox.rules import check_text
from sandbox.service import Service

_OPERATION = "VideoGenerationJobs_Create"
_STATUSES = ("queued", "preprocessing", "running", "processing", "succeeded", "failed", "cancelled")


class JobsApi:
    """The handlers. The service's own errors are bare (no outer `error`), as the specification has them."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def routes(self, prefix: str) -> list[Route]:
        """The API below `prefix`, such as /openai/v1."""
        jobs = f"{prefix}/video/generations/jobs"
        one = f"{prefix}/video/generations/{{id}}"
        return [
            Route(jobs, self.create, methods=["POST"]),
            Route(jobs, self.list, methods=["GET"]),
            Route(f"{jobs}/{{id}}", self.get, methods=["GET"]),
            Route(f"{jobs}/{{id}}", self.delete, methods=["DELETE"]),
            Route(one, self.generation, methods=["GET"]),
            Route(f"{one}/content/video", self.content, methods=["GET", "HEAD"]),
            Route(f"{one}/content/thumbnail", self.thumbnail, methods=["GET"]),
        ]

    async def create(self, request: Request) -> Response:
        body = await read_body(request)
        try:
            name = check_text(body.fields, "model", 256)
        except ApiError as error:
            raise error.as_bare() from None
        deployment = self._service.deployment("jobs", name)

        async def act(fault: Fault | None) -> Response:
            try:
                order = await read_order(body, deployment, self._service.studio)
            except ApiError as error:
                self._service.refuse(deployment.name)
                raise error.as_bare() from None
            job = self._service.accept(order, _OPERATION, fault.failure if fault else None)
            return JSONResponse(job_body(job, self._service.clock()))

        return await self._service.faults.around("create", deployment.name, request, act)

    async def get(self, request: Request) -> Response:
        job = self._job(request)

        async def act(_: Fault | None) -> Response:
            self._service.looked_at(job)
            return JSONResponse(job_body(job, self._service.clock()))

        return await self._service.faults.around("get", job.order.deployment, request, act)

    async def list(self, request: Request) -> Response:
        async def act(_: Fault | None) -> Response:
            self._service.lists += 1
            try:
                return self._page(request)
            except ApiError as error:
                raise error.as_bare() from None

        return await self._service.faults.around("list", None, request, act)

    async def delete(self, request: Request) -> Response:
        """204. A running job is forgotten too (undocumented), but goes on holding its place in the quota."""
        job = self._job(request)

        async def act(_: Fault | None) -> Response:
            self._service.ledger.delete(job)
            return Response(status_code=204)

        return await self._service.faults.around("delete", job.order.deployment, request, act)

    async def generation(self, request: Request) -> Response:
        job, generation_id = self._finished(request)

        async def act(_: Fault | None) -> Response:
            return JSONResponse(generation_body(job, generation_id))

        return await self._service.faults.around("get", job.order.deployment, request, act)

    async def content(self, request: Request) -> Response:
        job, generation_id = self._finished(request)
        quality = request.query_params.get("quality", "high")

        async def act(fault: Fault | None) -> Response:
            if quality not in ("high", "low"):
                raise invalid_value("quality", f"Invalid value: '{quality}'. Expected high or low.").as_bare()
            film = await self._service.film(job, generation_id, counted=request.method == "GET")
            return FilmResponse(film, job.finished_at, fault)

        return await self._service.faults.around("content", job.order.deployment, request, act)

    async def thumbnail(self, request: Request) -> Response:
        job, _ = self._finished(request)
        return Response(await self._service.studio.thumbnail(job.film, "JPEG"), media_type="image/jpg")

    def _page(self, request: Request) -> Response:
        query, service = request.query_params, self._service
        statuses = {word for text in query.getlist("statuses") for word in text.split(",") if word}
        if unknown := sorted(statuses.difference(_STATUSES)):
            raise invalid_value("statuses", f"Invalid value: '{unknown[0]}'. There are {', '.join(_STATUSES)}.")
        now = service.clock()
        jobs, more = service.ledger.page(
            "jobs",
            now,
            limit=read_limit(query, 10, lowest=1),
            after=read_place(query, "after", "jobs", service.ledger),
            before=read_place(query, "before", "jobs", service.ledger),
            wanted=lambda job: not statuses or job_status(job, now) in statuses,
        )
        data = [job_body(job, now) for job in jobs]
        ends = {"first_id": jobs[0].id if jobs else None, "last_id": jobs[-1].id if jobs else None}
        return JSONResponse({"object": "list", "data": data, **ends, "has_more": more})

    def _job(self, request: Request) -> Job:
        job_id = request.path_params["id"]
        job = self._service.ledger.job("jobs", job_id, self._service.clock())
        if job is None:
            raise not_found("Video generation job", job_id).as_bare()
        return job

    def _finished(self, request: Request) -> tuple[Job, str]:
        generation_id = request.path_params["id"]
        now = self._service.clock()
        job = self._service.ledger.by_content("jobs", generation_id, now)
        if job is None:
            raise not_found("Video generation", generation_id).as_bare()
        if job.phase(now) is not Phase.SUCCEEDED:
            raise not_finished("Video generation", generation_id).as_bare()
        return job, generation_id
