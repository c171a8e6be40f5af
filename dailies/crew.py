"""The worker of this process: made from a session, stopped by signals."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Mapping, Sequence
from contextlib import suppress

from dailies.exits import say
from dailies.session import Session
from workers.worker import STEPS, Worker

DAY_S = 86_400.0


def crew(session: Session, *, steps: Sequence[str] = STEPS, batches: Sequence[str] | None = None) -> Worker:
    """A worker of these steps; with `batches`, one that admits items of only these."""
    settings = session.settings
    return Worker(
        session.store,
        session.lines,
        session.archive(),
        claim_s=settings.claim_s,
        steps=steps,
        batches=batches,
        replicas=session.replicas,
        delete_remote=settings.archive.delete_remote,
        keep_s=settings.keep_days * DAY_S,
    )


def stop_on_signals(worker: Worker) -> Mapping[str, signal.Signals]:
    """SIGINT and SIGTERM drain the worker; a second one ends the process at once. Says which came."""
    came: dict[str, signal.Signals] = {}
    loop = asyncio.get_running_loop()

    def stop(number: signal.Signals) -> None:
        if came:
            loop.remove_signal_handler(number)
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)
        came["signal"] = number
        say("stopping: creates under way are finished first; press again to stop at once")
        worker.stop()

    for number in (signal.SIGINT, signal.SIGTERM):
        with suppress(NotImplementedError):
            loop.add_signal_handler(number, stop, number)
    return came
