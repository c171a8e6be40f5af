"""Sora 2, and every server that speaks OpenAI's `/v1/videos` [OpenAI and Azure OpenAPI specifications].

Servers differ: a GET of a failed job may come as a 4xx or 5xx with the job as its body (vLLM-Omni), a DELETE may
answer with the video (SGLang) or have no route (LiteLLM), ids may hold any character (LiteLLM).
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from typing import Any
from urllib.parse import quote

from workers.video_api.answer import CODE_LIMIT, Answer, brief
from workers.video_api.content import Content, open_content
from workers.video_api.errors import BadAnswer
from workers.video_api.listing import jobs_since, server_time
from workers.video_api.ordering import place
from workers.video_api.outcomes import CreateOutcome, Order, RemoteJob
from workers.video_api.remote_job import read_video
from workers.video_api.wire import Body, Wire

_PAGE = "100"  # the most that the specification allows


class VideosClient:
    """Client of `{base}/videos`. Raises ApiError, except `create`, which has outcomes."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    async def create(self, order: Order, *, send_by: float) -> CreateOutcome:
        """One POST, never repeated. `send_by` is on `boot_clock`; past it nothing is sent.

        `seconds` goes out as a string: an integer is refused with 400. With a picture the body is a form, without
        one it is JSON; a remix sends the prompt alone to its source.
        """
        path, fields = "/videos", {"prompt": order.prompt}
        if order.remix_of is not None:
            path = f"/videos/{quote(order.remix_of, safe='')}/remix"
        else:
            fields |= {"model": order.model, "size": order.size, "seconds": str(order.seconds)}
        body = Body(json=json.dumps(fields).encode())
        if order.image is not None and order.remix_of is None:
            picture = (wire_name(order.image.name), order.image.data, order.image.content_type)
            body = Body(fields=fields, files={"input_reference": picture})
        return await place(
            self._wire,
            path,
            body,
            params={},
            send_by=send_by,
            read_job=read_video,
            remix=order.remix_of is not None,
        )

    async def get(self, remote_id: str) -> RemoteJob:
        """The job as it stands."""
        answer = await self._wire.ask("GET", _path(remote_id), {})
        job = read_video(answer.document, poll_after_s=answer.poll_after_s)
        return job_or_error(self._wire, answer, job, "video")

    def list(self, *, since: float) -> AsyncIterator[RemoteJob]:
        """Jobs created at `since` (Unix seconds, the server's clock) or later, newest first."""
        params = {"limit": _PAGE, "order": "desc"}
        return jobs_since(self._wire, "/videos", params, since=since, read_job=read_video)

    async def server_time(self) -> float | None:
        """The server's clock now, in whole Unix seconds; None where it does not tell."""
        return await server_time(self._wire, "/videos", {})

    def content(self, content_id: str) -> AbstractAsyncContextManager[Content]:
        """The video's bytes; `content_id` is the video's own id."""
        return open_content(self._wire, f"{_path(content_id)}/content", {})

    def thumbnail(self, content_id: str) -> AbstractAsyncContextManager[Content]:
        """A still of the video, as WebP where the server is OpenAI's. Other servers answer 404, or pass `variant` over
        and send the video (vLLM-Omni)."""
        return open_content(self._wire, f"{_path(content_id)}/content", {"variant": "thumbnail"})

    async def delete(self, remote_id: str) -> None:
        """Removes the video there. One that is gone already is no error."""
        await delete(self._wire, _path(remote_id), {})

    async def aclose(self) -> None:
        await self._wire.aclose()

    async def __aenter__(self) -> VideosClient:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()


def job_or_error(wire: Wire, answer: Answer, job: RemoteJob | None, kind: str) -> RemoteJob:
    """The job of an answer to a get, also out of an error status when it is plainly a job at its end."""
    if answer.ok:
        if job is None or not job.raw_status:
            raise BadAnswer("The answer is not a job.", status=answer.status, request_id=answer.request_id)
        return _hidden(wire, job)
    document: Any = answer.document
    if job is not None and document.get("object") == kind and job.status.terminal:
        return _hidden(wire, job)
    raise wire.error_of(answer)


def _hidden(wire: Wire, job: RemoteJob) -> RemoteJob:
    """The job without our secret, should the server have echoed it in why the job failed, told in short."""
    hide = wire.credential.hide
    return replace(
        job,
        failure_code=brief(hide(job.failure_code), CODE_LIMIT) if job.failure_code else None,
        failure_message=brief(hide(job.failure_message)) if job.failure_message else None,
    )


async def delete(wire: Wire, path: str, params: dict[str, str]) -> None:
    """DELETE, satisfied with any 2xx, 404 and 410."""
    answer = await wire.ask("DELETE", path, params)
    if not answer.ok and answer.status not in (404, 410):
        raise wire.error_of(answer)


def wire_name(name: str) -> str:
    """A file name that every multipart parser reads back as it was written."""
    return "".join(letter if letter.isascii() and (letter.isalnum() or letter in "._-") else "-" for letter in name)


def _path(remote_id: str) -> str:
    return f"/videos/{quote(remote_id, safe='')}"
