"""`dailies view`: a batch's contact sheet through a server on the loopback, until Ctrl-C."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
import webbrowser
from collections.abc import Iterator
from contextlib import aclosing

import uvicorn

from dailies.archive.screening import Screening
from dailies.terminal.exits import Exit, UsageError, say
from dailies.terminal.printing import tell
from orchestrator.settings import Settings
from workers.archiving.editions import SHEET, newest
from workers.identity.entra import Identities
from workers.sinks import Sink, open_sink

HOST = "127.0.0.1"
#: Videos that still play when it ends are cut after so long (seconds).
GRACE_S = 1


class _Server(uvicorn.Server):
    """uvicorn that leaves the process's signals to the command."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def view(settings: Settings, batch: str, *, port: int, browser: bool) -> int:
    """Serve until interrupted. `port` 0 takes a free one. Raises UsageError where there is no page of the batch or the
    port is taken, ArchiveError where the archive cannot be read."""
    if not batch or "/" in batch or batch.startswith("."):
        raise UsageError(f"{batch!r} is not the name of a batch")
    identities = Identities()
    async with aclosing(identities), open_sink(settings.archive, os.environ, identities) as sink:
        await _must_have_page(sink, batch)
        screening, listener = Screening(sink, batch), _listen(port)
        server = _Server(
            uvicorn.Config(
                screening.app,
                lifespan="off",
                ws="none",
                log_config=None,
                access_log=False,
                server_header=False,
                timeout_graceful_shutdown=GRACE_S,
            )
        )
        with listener, _until_signalled(server):
            url = f"http://{HOST}:{listener.getsockname()[1]}{screening.path}"
            tell(url)
            sys.stdout.flush()
            say(f"{batch} is shown there, to this machine only; Ctrl-C ends it")
            if browser:
                asyncio.get_running_loop().run_in_executor(None, webbrowser.open, url)
            await server.serve(sockets=[listener])
    return Exit.DONE


async def _must_have_page(sink: Sink, batch: str) -> None:
    if await newest(sink, batch, SHEET) is not None:
        return
    async for _ in sink.names(batch):
        raise UsageError(
            f"{batch} has no contact sheet yet: a worker writes it a minute after the batch begins, and at its end "
            "(at its end alone in an archive that keeps all it has)"
        )
    raise UsageError(f"there is no batch {batch} in {sink.url} (--sandbox: in the sandbox's archive)")


def _listen(port: int) -> socket.socket:
    """A socket of the loopback. Raises UsageError where the port is taken."""
    try:
        return socket.create_server((HOST, port))
    except (OSError, OverflowError) as error:
        raise UsageError(f"port {port} of {HOST} cannot be used: {error}; without --port a free one is found") from None


@contextlib.contextmanager
def _until_signalled(server: _Server) -> Iterator[None]:
    """SIGINT and SIGTERM end the server: whoever has seen enough ends it so."""

    def stop() -> None:
        server.should_exit = True

    loop, signals = asyncio.get_running_loop(), (signal.SIGINT, signal.SIGTERM)
    for each in signals:
        loop.add_signal_handler(each, stop)
    try:
        yield
    finally:
        for each in signals:
            loop.remove_signal_handler(each)
