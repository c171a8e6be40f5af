"""The sandbox's own pages below `/_sandbox`: what happened so far, and faults to come."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.gate import OWN_PREFIX
from sandbox.job import Job
from sandbox.mischief.faults import read_fault
from sandbox.service import Service


class Control:
    def __init__(self, service: Service) -> None:
        self._service = service

    def routes(self) -> list[Route]:
        return [
            Route(f"{OWN_PREFIX}stats", self.stats, methods=["GET"]),
            Route(f"{OWN_PREFIX}jobs", self.jobs, methods=["GET"]),
            Route(f"{OWN_PREFIX}faults", self.add_fault, methods=["POST"]),
            Route(f"{OWN_PREFIX}faults", self.clear_faults, methods=["DELETE"]),
        ]

    async def stats(self, _: Request) -> Response:
        """Counters by deployment, and of what no deployment can be named for."""
        now = self._service.clock()
        return JSONResponse(
            {
                "deployments": {name: quota.report(now) for name, quota in self._service.quotas.items()},
                "denied": self._service.denied,
                "unknown_deployment": self._service.unknown_deployment,
                "lists": self._service.lists,
                "faults_waiting": len(self._service.faults),
            }
        )

    async def jobs(self, _: Request) -> Response:
        """Every job ever accepted, gone ones too, in the order of acceptance."""
        now = self._service.clock()
        return JSONResponse([_job_body(job, now) for job in self._service.ledger])

    async def add_fault(self, request: Request) -> Response:
        try:
            fault = read_fault(await request.json())
        except ValueError as error:
            return JSONResponse({"problem": str(error)}, 400)
        self._service.faults.add(fault)
        return JSONResponse({"waiting": len(self._service.faults)})

    async def clear_faults(self, _: Request) -> Response:
        self._service.faults.clear()
        return Response(status_code=204)


def _job_body(job: Job, now: float) -> dict[str, Any]:
    order = job.order
    return {
        "id": job.id,
        "deployment": order.deployment,
        "api": job.api,
        "prompt": order.prompt,
        "size": f"{order.width}x{order.height}",
        "seconds": order.seconds,
        "status": job.phase(now).value,
        "created_at": job.created_at,
        "finished_at": job.finished_at if now >= job.finished_at else None,
        "gone_at": job.gone_at,
        "deleted": job.deleted,
        "gets": job.gets,
        "first_get_after_finish_at": job.first_get_after_finish_at,
        "downloads": job.downloads,
        "sha256": job.sha256.get(job.content_ids[0]),
        "contents": {content_id: job.sha256.get(content_id) for content_id in job.content_ids},
        "remixed_from": order.remixed_from,
        "input_reference_sha256": order.input_reference_sha256,
    }
