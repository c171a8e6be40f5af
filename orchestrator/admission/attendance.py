"""Who runs which step: where some workers run only a part of them, somebody has to run each."""

from __future__ import annotations

from dataclasses import dataclass

import structlog

from orchestrator.ledger.store import Store

log = structlog.get_logger("orchestrator.admission.attendance")

#: What a worker can run, in the order in which an item goes through it; what comes with which is the workers' affair.
STEPS = ("create", "poll", "archive", "reconcile")


@dataclass(frozen=True, slots=True)
class Unmanned:
    """A step that no worker runs, though some work. `since` in Unix seconds: when that was first noticed."""

    step: str
    since: float

    @property
    def mend(self) -> str:
        """What a person can do."""
        return f"start a worker that does: dailies worker --only {self.step}, or one without --only"


async def unmanned(store: Store) -> list[Unmanned]:
    """The steps that nobody runs; none where nobody works at all. Nothing is changed."""
    return [step for step, _ in await _look(store, tells=False)]


async def watch(store: Store) -> None:
    """Tell in the log which steps nobody has run for a minute, once, and when somebody does again."""
    for step, news in await _look(store, tells=True):
        if news > 0:
            log.warning("step.has_no_worker", step=step.step, since=step.since, mend=step.mend)
        elif news < 0:
            log.info("step.has_a_worker", step=step.step)


async def _look(store: Store, *, tells: bool) -> list[tuple[Unmanned, int]]:
    found = await store.scripts.run("attendance", list(STEPS), int(tells))
    rows = zip(found[::3], found[1::3], found[2::3], strict=True)
    return [(Unmanned(step.decode(), int(since) / 1000), int(news)) for step, since, news in rows]
