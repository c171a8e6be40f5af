"""The slots of a queue's steps. A step that has only waits left gives its slot back, and goes on without one: so a long
line to the archive is filled with bytes, and no more of them are in memory at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from arq.worker import Worker

#: So many steps to each slot may go on without one.
SLOTLESS = 2

_slot: ContextVar[Callable[[], None]] = ContextVar("slot", default=lambda: None)


def give_back_slot() -> None:
    """Of the step that runs here: another one may begin in its place. Its claim and its job stay as they are. Nothing
    happens where too many go on like that, or outside of any queue."""
    _slot.get()()


class Slots:
    """`number`: steps at once, but for the `slotless`, which gave theirs back. `most`: all of them together."""

    def __init__(self, number: int) -> None:
        self.number, self.slotless = number, 0
        self.most = (1 + SLOTLESS) * number

    def limit(self, worker: Worker) -> None:
        """Let arq's worker, which was made for the `most`, begin no more than the slots allow."""
        worker.max_jobs = self.number

    @contextmanager
    def one(self, worker: Worker) -> Iterator[None]:
        """The slot of a step that arq's worker has begun; the block may give it back before its end."""
        given = False

        def give_back() -> None:
            nonlocal given
            if not given and self.slotless < SLOTLESS * self.number:
                given = True
                self.slotless += 1
                worker.max_jobs += 1  # arq counts the step until its end

        before = _slot.set(give_back)
        try:
            yield
        finally:
            _slot.reset(before)
            if given:
                self.slotless -= 1
                worker.max_jobs -= 1
