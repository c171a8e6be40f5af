"""Serves the sandbox on a real port: inside a running event loop, or as a program of its own."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from types import TracebackType

import uvicorn

from sandbox.app import build_app
from sandbox.config import SandboxConfig
from sandbox.mischief.wreck import FragileProtocol
from sandbox.service import Service


class _Uvicorn(uvicorn.Server):
    """uvicorn that leaves the process's signals alone and tells when it is ready."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = asyncio.Event()
        self.stop = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        self.ready.set()

    async def main_loop(self) -> None:
        await self.stop.wait()


class SandboxServer:
    """`async with SandboxServer(config) as sandbox:` serves at `sandbox.url` until the block ends.

    Port 0 takes a free one. `clock` gives Unix seconds; a test may hand in one that it moves by itself.
    OSError where the port is taken, OverflowError where there is no such port, ValueError where `state` cannot
    be used. Requests still open at the end are cut after a second.
    """

    def __init__(
        self,
        config: SandboxConfig | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._config = config or SandboxConfig()
        self._address = (host, port)
        self._clock = clock
        self.url = ""

    async def __aenter__(self) -> SandboxServer:
        host, _ = self._address
        self._service = Service(self._config, self._clock)
        try:
            listener = _listen(*self._address)
        except (OSError, ValueError, OverflowError):
            self._service.close()
            raise
        self._uvicorn = _Uvicorn(
            uvicorn.Config(
                build_app(self._service),
                http=FragileProtocol,
                lifespan="off",
                ws="none",
                log_config=None,
                log_level="warning",
                access_log=False,
                date_header=False,
                server_header=False,
                timeout_graceful_shutdown=1,
            )
        )
        self._task = asyncio.create_task(self._uvicorn.serve(sockets=[listener]))
        await self._uvicorn.ready.wait()
        shown = f"[{host}]" if ":" in host else host
        self.url = f"http://{shown}:{listener.getsockname()[1]}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._uvicorn.stop.set()
        await self._task
        self._service.close()


def _listen(host: str, port: int) -> socket.socket:
    """A listening socket that is TCP by name: only then does asyncio turn Nagle off, else 40 ms an answer."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if os.name == "posix":  # a restarted sandbox takes its old port at once
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(2048)
    except OSError:
        listener.close()
        raise
    return listener


def serve(config: SandboxConfig, host: str = "127.0.0.1", port: int = 8787) -> None:
    """Serve until SIGTERM or SIGINT. Prints `sandbox listening on http://HOST:PORT` to stdout when ready."""
    asyncio.run(_serve(config, host, port))


async def _serve(config: SandboxConfig, host: str, port: int) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        with contextlib.suppress(NotImplementedError):  # Windows: there, Ctrl-C ends asyncio.run by itself
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with SandboxServer(config, host, port) as sandbox:
        print(f"sandbox listening on {sandbox.url}", flush=True)
        await stop.wait()
