"""Answers that break off: the connection is closed, or falls silent, where a whole answer was due."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

_HANG_UP = "sandbox.hang_up"


class FragileProtocol(H11Protocol):
    """uvicorn's HTTP protocol that also lets the app close the connection; what was written is still sent."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, object],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        served: ASGIApp = self.app

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            scope[_HANG_UP] = lambda: self.transport.close()
            await served(scope, receive, send)

        self.app = app


async def hang_up(scope: Scope, receive: Receive) -> None:
    """Close the request's connection and return when it is closed."""
    close: Callable[[], None] = scope[_HANG_UP]
    close()
    await until_gone(receive)


async def until_gone(receive: Receive) -> None:
    """Return when the caller has gone away."""
    while (await receive())["type"] != "http.disconnect":
        pass


class CutOff(Response):
    """No answer at all: the connection is closed."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await hang_up(scope, receive)


class Hang(Response):
    """Silence for `seconds` or until the caller gives up, then the connection is closed."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self._seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await asyncio.wait_for(until_gone(receive), self._seconds)
        except TimeoutError:
            await hang_up(scope, receive)
