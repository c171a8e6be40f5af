"""Sora 1: Azure's `/openai/v1/video/generations/jobs?api-version=preview` [Azure OpenAPI specification]."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from urllib.parse import quote

from workers.video_api.content import Content, open_content
from workers.video_api.listing import jobs_since, server_time
from workers.video_api.ordering import place, refused_here
from workers.video_api.outcomes import CreateOutcome, Order, RemoteJob
from workers.video_api.remote_job import read_generation_job
from workers.video_api.videos import delete, job_or_error, wire_name
from workers.video_api.wire import Body, Wire

_VERSION = {"api-version": "preview"}  # every sample of Azure's sends it
_PAGE = "10"  # the documented default; `limit` is required and its maximum is not documented
_JOBS = "/video/generations/jobs"
_WHOLE_FRAME = {"left_fraction": 0.0, "top_fraction": 0.0, "right_fraction": 1.0, "bottom_fraction": 1.0}


class GenerationJobsClient:
    """Client of `{base}/video/generations`. Raises ApiError, except `create`, which has outcomes."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    async def create(self, order: Order, *, send_by: float) -> CreateOutcome:
        """One POST, never repeated; one variant. `send_by` is on `boot_clock`; past it nothing is sent.

        A picture becomes the first frame: a form with `files` and an `inpaint_items` that names the file exactly as
        the part does, numbers as text. Sora 1 has no remix.
        """
        if order.remix_of is not None:
            return refused_here("Sora 1 has no remix; order it from a deployment with api: videos.")
        pixels = re.fullmatch(r"([1-9]\d{0,4})x([1-9]\d{0,4})", order.size)
        if pixels is None:
            return refused_here(f"The size {order.size!r} is not WIDTHxHEIGHT.")
        numbers = {
            "width": int(pixels[1]),
            "height": int(pixels[2]),
            "n_seconds": order.seconds,
            "n_variants": 1,
        }
        texts = {"prompt": order.prompt, "model": order.model}
        body = Body(json=json.dumps(texts | numbers).encode())
        if order.image is not None:
            name = wire_name(order.image.name)
            frame = {"frame_index": 0, "type": "image", "file_name": name, "crop_bounds": _WHOLE_FRAME}
            fields = texts | {key: str(number) for key, number in numbers.items()}
            fields["inpaint_items"] = json.dumps([frame])
            body = Body(fields=fields, files={"files": (name, order.image.data, order.image.content_type)})
        return await place(self._wire, _JOBS, body, params=_VERSION, send_by=send_by, read_job=read_generation_job)

    async def get(self, remote_id: str) -> RemoteJob:
        """The job as it stands."""
        answer = await self._wire.ask("GET", _path(remote_id), _VERSION)
        job = read_generation_job(answer.document, poll_after_s=answer.poll_after_s)
        return job_or_error(self._wire, answer, job, "video.generation.job")

    def list(self, *, since: float) -> AsyncIterator[RemoteJob]:
        """Jobs created at `since` (Unix seconds, the server's clock) or later, newest first."""
        params = {**_VERSION, "limit": _PAGE}
        return jobs_since(self._wire, _JOBS, params, since=since, read_job=read_generation_job)

    async def server_time(self) -> float | None:
        """The server's clock now, in whole Unix seconds; None where it does not tell."""
        return await server_time(self._wire, _JOBS, _VERSION)

    def content(self, content_id: str) -> AbstractAsyncContextManager[Content]:
        """The bytes of one generation, named by its own id (`RemoteJob.content_ids`), not by the job's."""
        path = f"/video/generations/{quote(content_id, safe='')}/content/video"
        return open_content(self._wire, path, _VERSION)

    def thumbnail(self, content_id: str) -> AbstractAsyncContextManager[Content]:
        """A still of one generation, as JPEG."""
        path = f"/video/generations/{quote(content_id, safe='')}/content/thumbnail"
        return open_content(self._wire, path, _VERSION)

    async def delete(self, remote_id: str) -> None:
        """Removes the job and its videos there. One that is gone already is no error."""
        await delete(self._wire, _path(remote_id), _VERSION)

    async def aclose(self) -> None:
        await self._wire.aclose()

    async def __aenter__(self) -> GenerationJobsClient:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()


def _path(remote_id: str) -> str:
    return f"{_JOBS}/{quote(remote_id, safe='')}"
