"""Who is next: the waiting items of a lane by priority and place, and its batches by urgency and turn.

A lane is a model, or `@DEPLOYMENT` for remixes and what is pinned. The rules are those of `index_batch` and `enqueue`
in `lua/shared/queues.lua`.
"""

from __future__ import annotations

import math
from array import array
from bisect import insort
from collections.abc import Iterator
from heapq import heappop, heappush

#: As in the ledger: what one admission costs a batch of weight 1, and how much a step of priority is worth.
PASS_STEP = 1024
URGENCY_STEP = 4294967296


class Queue:
    """The items of one batch that wait in one lane: larger priority first, then by place.

    Those of before the first was taken stand in arrays of four bytes an item; what comes later, in a heap.
    """

    def __init__(self) -> None:
        self._stock: dict[int, array[int]] = {}
        self._order: list[int] | None = None
        self._at = 0
        self._late: list[tuple[int, int]] = []
        self._first: tuple[int, int] | None = None
        self._gone: set[tuple[int, int]] = set()  # taken out of turn, where they stood

    def put(self, priority: int, place: int) -> None:
        """One more waits."""
        if (-priority, place) in self._gone:
            self._gone.remove((-priority, place))
            return
        stock = self._stock.get(priority)
        if self._order is None and (stock is None or stock[-1] < place):
            if stock is None:
                stock = self._stock[priority] = array("I")
            stock.append(place)
        else:
            heappush(self._late, (-priority, place))

    def put_first(self, priority: int, place: int) -> None:
        """One that waits is the next to be taken, whatever its priority."""
        self._gone.add((-priority, place))
        self._first = (-priority, place)

    def head(self) -> tuple[int, int] | None:
        """(-priority, place) of the next one, or None."""
        while (found := self._in_turn()) in self._gone:
            self._gone.discard((found[0], found[1]))
            self._drop()
        return found

    def pop(self) -> None:
        """Take the next one out."""
        if self._first:
            self._first = None
        elif self.head():
            self._drop()

    def _in_turn(self) -> tuple[int, int] | None:
        stocked = self._stocked()
        if stocked is None:
            return self._late[0] if self._late else None
        return min(stocked, self._late[0]) if self._late else stocked

    def _drop(self) -> None:
        stocked = self._stocked()
        if stocked is None or (self._late and self._late[0] < stocked):
            heappop(self._late)
        else:
            self._at += 1

    def _stocked(self) -> tuple[int, int] | None:
        if self._order is None:
            self._order = sorted(self._stock)
        while self._order:
            priority = self._order[-1]
            stock = self._stock[priority]
            if self._at < len(stock):
                return -priority, stock[self._at]
            del self._stock[self._order.pop()]
            self._at = 0
        return None


class Lane:
    """The batches that have items waiting in it, in the order in which they are asked."""

    def __init__(self) -> None:
        self._queues: dict[str, Queue] = {}
        self._pass: dict[str, float] = {}
        self._score: dict[str, float] = {}
        self._head: dict[str, int] = {}
        self._ready: list[tuple[float, str]] = []
        self._virtual = 0.0

    def __bool__(self) -> bool:
        return bool(self._ready)

    def __iter__(self) -> Iterator[str]:
        """The batches in which something waits, the next one first."""
        return iter([name for _, name in self._ready])

    @property
    def urgency(self) -> int:
        """The priority, of batch and item together, of what is next."""
        return -math.floor((self._ready[0][0] - self._virtual) / URGENCY_STEP + 0.5)

    def head(self, batch: str) -> int:
        """The place of a ready batch's next item."""
        return self._head[batch]

    def queue(self, batch: str) -> Queue:
        """A batch's own, to put items into; `index` it after that."""
        return self._queues.setdefault(batch, Queue())

    def take(self, batch: str, urgency: int, weight: float) -> None:
        """Take the next item of a batch out; the batch has had a turn. One that was barred cannot claim the past."""
        self._virtual = max(self._pass[batch], self._virtual)
        self._pass[batch] = self._virtual + PASS_STEP / weight
        self._queues[batch].pop()
        self.index(batch, urgency)

    def index(self, batch: str, urgency: int) -> None:
        """Put a batch, whose own priority is `urgency`, where it belongs, or take it out when nothing waits.

        One that comes (back) starts at the lane's virtual time: it cannot claim the past.
        """
        head = self._queues[batch].head()
        before = self._score.get(batch)
        if head is None:
            if before is not None:
                self._ready.remove((before, batch))
                del self._score[batch]
            return
        self._head[batch] = head[1]
        turn = self._pass.get(batch, 0.0)
        if before is None:
            turn = self._pass[batch] = max(turn, self._virtual)
        score = round(turn - (urgency - head[0]) * URGENCY_STEP)
        if score != before:
            if before is not None:
                self._ready.remove((before, batch))
            self._score[batch] = score
            insort(self._ready, (score, batch))
