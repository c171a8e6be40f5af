"""Where a worker answers whoever watches it: `/livez`, `/readyz`, `/startupz` and `/metrics`.

It answers from the worker's own event loop: while that is stuck no probe is answered, and that is what `/livez` asks.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import Iterator
from types import TracebackType

import structlog
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from orchestrator.settings.monitor import MonitorSettings
from workers.cancelling import end
from workers.connections import IDLE_S, MOST, Connection
from workers.health import Health

log = structlog.get_logger("workers.monitor")

#: How long answers under way may take to end when the worker does (seconds).
CLOSING_S = 1


class PortTaken(OSError):
    """Nothing can listen there; the text says what to set."""


class Monitor:
    """`async with Monitor(settings, health) as monitor:` answers at `monitor.url` until the block ends; without a port
    nowhere. Raises PortTaken."""

    def __init__(self, settings: MonitorSettings, health: Health) -> None:
        self._settings, self._health = settings, health
        self._tasks: list[asyncio.Task[None]] = []
        self.url = ""

    async def __aenter__(self) -> Monitor:
        if self._settings.port is None:
            return self
        host = self._settings.host
        listener = _listen(host, self._settings.port)
        self._server = _Server(_application(self._health))
        self._serving = asyncio.create_task(self._server.serve(sockets=[listener]))
        self._tasks = [asyncio.create_task(self._health.look_for_stopped_batches())]
        shown = f"[{host}]" if ":" in host else host
        self.url = f"http://{shown}:{listener.getsockname()[1]}"
        log.info("monitor.started", url=self.url)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._tasks:
            self._server.should_exit = True
            await end(self._tasks, within_s=CLOSING_S)
            await asyncio.wait([self._serving], timeout=2 * CLOSING_S)
            await end([self._serving], within_s=CLOSING_S)


def _application(health: Health) -> Starlette:
    def said(good: bool, words: str) -> Response:
        return PlainTextResponse(f"{words}\n", 200 if good else 503)

    async def livez(_: Request) -> Response:
        return said(True, "its event loop turns")

    async def startupz(_: Request) -> Response:
        return said(health.started, "it has started" if health.started else "it has not started yet")

    async def readyz(_: Request) -> Response:
        why = await health.unready()
        return said(why is None, why or "it works")

    async def metrics(request: Request) -> Response:
        page, content_type = health.metrics.exposition(await health.gauges(), request.headers.get("accept", ""))
        return Response(page, media_type=content_type)

    pages = {"/livez": livez, "/startupz": startupz, "/readyz": readyz, "/metrics": metrics}
    return Starlette(routes=[Route(path, page) for path, page in pages.items()])


class _Server(uvicorn.Server):
    """uvicorn that leaves the process's signals, its log and its exit to the worker."""

    def __init__(self, application: Starlette) -> None:
        super().__init__(
            uvicorn.Config(
                application,
                lifespan="off",
                ws="none",
                log_config=None,
                log_level="warning",
                access_log=False,
                server_header=False,
                http=Connection,
                timeout_keep_alive=int(IDLE_S),
                timeout_graceful_shutdown=CLOSING_S,
            )
        )

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _listen(host: str, port: int) -> socket.socket:
    """A listening socket; a worker that is started again takes its old port at once."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if os.name == "posix":
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(2 * MOST)
    except OSError as error:
        listener.close()
        raise PortTaken(
            f"nothing can listen at {host} port {port} ({error.strerror or error}): set monitor.host and monitor.port "
            "to what is free on this machine, or leave the port out"
        ) from None
    return listener
