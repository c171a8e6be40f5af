"""Progress: a live panel on a terminal, a plain line now and then elsewhere."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table

from orchestrator.items.states import MOVING, BatchState, State
from orchestrator.ledger.records import Batch
from orchestrator.settings import Deployment
from orchestrator.video_models.prices import usd

#: The rate is what was achieved over this time (seconds); a plain line comes at most this often.
RATE_WINDOW_S, LINE_EVERY_S = 120.0, 10.0


class Panel:
    """Shows how far batches are: done of total, rendering now, rate against quota, spent, expected end."""

    def __init__(self, deployments: Sequence[Deployment], console: Console) -> None:
        quotas = {d.quota.shared_as or f"own {d.name}": d.quota.own_per_minute for d in deployments}
        self._quota = None if None in quotas.values() else sum(q or 0 for q in quotas.values())
        self._console = console
        self._live = Live(console=console, transient=True, auto_refresh=False) if console.is_terminal else None
        self._created: deque[tuple[float, int]] = deque()
        self._began: tuple[float, int] | None = None
        self._said_at = 0.0
        self._said = ""

    def __enter__(self) -> Self:
        if self._live:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live:
            self._live.stop()

    def update(self, batches: Sequence[Batch], gate: str = "") -> None:
        """Show this standing. `gate`: what keeps the next create waiting, in words."""
        now = time.monotonic()
        done, total = _done(batches), sum(b.total for b in batches)
        self._note(now, done, sum(b.total - b.counts[State.WAITING] - b.counts[State.ADMITTED] for b in batches))
        facts = {
            "done": f"{done} of {total}",
            "archived": str(_count(batches, State.ARCHIVED)),
            "not archived": str(done - _count(batches, State.ARCHIVED)),
            "rendering": str(_count(batches, State.CREATING, State.RENDERING)),
            "archiving": str(_count(batches, State.ARCHIVING)),
            "creates": self._rate(),
            "spent": f"${usd(sum(b.confirmed + b.unknown for b in batches)):.2f}",
            "expected end": self._end(now, done, total, paused=any(b.state is BatchState.PAUSED for b in batches)),
            "waiting for": gate,
        }
        if self._live:
            table = Table.grid(padding=(0, 2))
            for name, value in facts.items():
                table.add_row(name, value)
            table.add_row("", ProgressBar(total=max(total, 1), completed=done, width=40))
            self._live.update(table, refresh=True)
        elif now - self._said_at >= LINE_EVERY_S or (done == total and done):
            line = ", ".join(f"{name} {value}" for name, value in facts.items() if value not in ("", "0"))
            if line != self._said:
                self._console.print(line, highlight=False, soft_wrap=True)
                self._said_at, self._said = now, line

    def _note(self, now: float, done: int, created: int) -> None:
        self._began = self._began or (now, done)
        self._created.append((now, created))
        while now - self._created[0][0] > RATE_WINDOW_S:
            self._created.popleft()

    def _rate(self) -> str:
        (then, before), (now, after) = self._created[0], self._created[-1]
        quota = "no limit" if self._quota is None else f"quota {self._quota}"
        achieved = (after - before) * 60 / (now - then) if now - then >= 1 else 0.0
        return f"{achieved:.1f} a minute ({quota})"

    def _end(self, now: float, done: int, total: int, *, paused: bool) -> str:
        """From the pace of this run so far; nothing is said before it has a pace, or while a batch has none."""
        then, before = self._began or (now, done)
        if done >= total:
            return "now"
        if paused:
            return "not known while a batch is paused"
        if done == before or now - then < 1:
            return "not known yet"
        left_s = (total - done) * (now - then) / (done - before)
        return time.strftime("%H:%M:%S", time.localtime(time.time() + left_s))


def _count(batches: Sequence[Batch], *states: State) -> int:
    return sum(b.moving(*states) for b in batches)


def _done(batches: Sequence[Batch]) -> int:
    return sum(b.total - b.moving(*MOVING) for b in batches)
