"""The worker of this process: made from a session, stopped by signals."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Sequence
from contextlib import suppress

from dailies.session import Session
from dailies.terminal.exits import Exit, say
from orchestrator.reports.lookout import Lookout
from workers.telling.herald import Herald, subscribers, webhooks
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
        budgets=settings.budgets,
        delete_remote=settings.archive.delete_remote,
        keep_s=settings.keep_days * DAY_S,
        # On every worker: that nobody archives is just what has to be told.
        herald=_herald(session, batches),
    )


def _herald(session: Session, batches: Sequence[str] | None) -> Herald | None:
    """Who tells of these batches, or of all; None where the settings name no webhook. Raises SettingsError."""
    settings, hooks = session.settings, webhooks(session.settings.notify)
    if not hooks:
        return None
    url = session.archive().url
    told = subscribers(hooks)
    lookout = Lookout(session.store, settings.deployments, told, url, batches=batches, budgets=settings.budgets)
    return Herald(session.store, hooks, lookout)


class Interrupts:
    """SIGINT and SIGTERM drain the worker, or end the process at once while there is none; so does a second one."""

    def __init__(self) -> None:
        self.signal: signal.Signals | None = None
        self._worker: Worker | None = None
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            with suppress(NotImplementedError):
                loop.add_signal_handler(number, self._on, number)

    def drain(self, worker: Worker) -> None:
        """From now on there is something to be finished first."""
        self._worker = worker

    def _on(self, number: signal.Signals) -> None:
        exit_code = Exit.INTERRUPTED if number is signal.SIGINT else Exit.TERMINATED
        if self._worker is None:
            say("stopped before anything was created; the same command goes on where it was")
            raise SystemExit(exit_code)
        if self.signal is not None:
            raise SystemExit(exit_code)
        self.signal = number
        say("stopping: creates under way are finished first; press again to stop at once")
        self._worker.stop()
