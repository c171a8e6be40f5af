from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest

from tests.workers.wire_server import WireServer
from workers.identity.credentials import ApiKey
from workers.video_api import VideoApi, connect

KEY = "k-3c1f-top-secret"


class Bench:
    """A scripted server and a client of it."""

    def __init__(self, stack: AsyncExitStack) -> None:
        self._stack = stack

    async def __call__(self, *scripts: Any, api: Any = "videos", **knobs: Any) -> tuple[WireServer, VideoApi]:
        server = await self._stack.enter_async_context(WireServer(list(scripts)))
        return server, await self.client(server.url, api, **knobs)

    async def client(self, url: str, api: Any = "videos", credential: Any = None, **knobs: Any) -> VideoApi:
        limits = {"create_timeout_s": 20.0, "read_timeout_s": 20.0, **knobs}
        return await self._stack.enter_async_context(connect(api, url, credential or ApiKey(KEY), **limits))


@pytest.fixture
async def bench() -> AsyncIterator[Callable[..., Any]]:
    """`server, api = await bench(answer(…), …)`: a client of a server that plays these scripts."""
    async with AsyncExitStack() as stack:
        yield Bench(stack)
