"""One face for both video APIs, and the way to a client of either."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from typing import Literal, Protocol, Self

import httpx

from workers.identity.credentials import Credential
from workers.video_api.content import Content
from workers.video_api.counting import Seen, unseen
from workers.video_api.download import DOWNLOAD_TIMEOUT_S, VIDEO_LIMIT
from workers.video_api.generation_jobs import GenerationJobsClient
from workers.video_api.outcomes import CreateOutcome, Order, RemoteJob
from workers.video_api.videos import VideosClient
from workers.video_api.wire import Wire


class VideoApi(Protocol):
    """What both APIs can do. Everything but `create` raises ApiError; nothing is ever sent twice by itself."""

    async def create(self, order: Order, *, send_by: float) -> CreateOutcome: ...

    async def get(self, remote_id: str) -> RemoteJob: ...

    def list(self, *, since: float) -> AsyncIterator[RemoteJob]: ...

    async def server_time(self) -> float | None: ...

    def content(self, content_id: str) -> AbstractAsyncContextManager[Content]: ...

    def thumbnail(self, content_id: str) -> AbstractAsyncContextManager[Content]: ...

    async def delete(self, remote_id: str) -> None: ...

    async def aclose(self) -> None: ...

    async def __aenter__(self) -> Self: ...

    async def __aexit__(self, *_: object) -> None: ...


def connect(
    api: Literal["videos", "jobs"],
    endpoint: str,
    credential: Credential,
    *,
    create_timeout_s: float,
    read_timeout_s: float,
    download_timeout_s: float = DOWNLOAD_TIMEOUT_S,
    video_limit: int = VIDEO_LIMIT,
    seen: Seen = unseen,
) -> VideoApi:
    """A client of one endpoint. No connection is made yet; close it with `aclose` or `async with`.

    `create_timeout_s` bounds a whole create; `read_timeout_s` a whole question and, in a download, each wait for more
    bytes; `download_timeout_s` all these waits together, and `video_limit` its bytes. `seen` is told of each request
    and its answer's status. Raises ValueError for an endpoint that is no http(s) URL.
    """
    wire = Wire(
        base_of(endpoint),
        credential,
        create_timeout_s=create_timeout_s,
        read_timeout_s=read_timeout_s,
        download_timeout_s=download_timeout_s,
        video_limit=video_limit,
        seen=seen,
    )
    return VideosClient(wire) if api == "videos" else GenerationJobsClient(wire)


def base_of(endpoint: str) -> str:
    """The URL that paths are appended to: as it is when its path ends in /v1 or /v1/, else with /openai/v1 behind."""
    try:
        url = httpx.URL(endpoint.strip())
    except httpx.InvalidURL as error:
        raise ValueError(f"The endpoint is not a URL: {error}.") from None
    if url.scheme not in ("http", "https") or not url.host:
        raise ValueError("The endpoint must be a URL like https://RESOURCE.openai.azure.com.")
    if url.userinfo or url.query:
        raise ValueError(f"The endpoint of {url.host} must hold neither a user nor a query; keys belong under auth.")
    base = str(url.copy_with(fragment=None)).rstrip("/")
    return base if base.endswith("/v1") else f"{base}/openai/v1"
