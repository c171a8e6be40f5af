"""Items that are made from others: parked until their source is there, and in a hurry before it is deleted.

The rules are those of `lua/shared/remixes.lua`, of `hurry` in `queues.lua`, and of `hurried` in `lanes.lua`.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice, takewhile
from typing import NamedTuple

#: A remix goes before all else when its source is deleted so soon (ms); so many of them are looked at.
HURRY_MS, MOST_HURRIED = 6 * 3_600_000, 100


class Ready(NamedTuple):
    """A remix that may be made: in the lane of its source's deployment, until its source is deleted (ms)."""

    lane: str
    until: float


class Remixes:
    """Remixes of all batches, by the batch's number and their place there."""

    def __init__(self) -> None:
        self._parked: dict[tuple[int, int], list[int]] = {}
        self._ready: dict[tuple[int, int], Ready] = {}
        self._hurry: dict[str, list[tuple[float, str, int, int]]] = {}

    def park(self, number: int, sources: Mapping[int, int]) -> None:
        """Remixes of a batch, by their place, that wait for what they are made from."""
        for remix, source in sources.items():
            self._parked.setdefault((number, source), []).append(remix)

    def release(self, number: int, source: int, lane: str, expires_at: float) -> Iterable[int]:
        """What was parked for a video that is there now, until it is deleted (ms)."""
        places = self._parked.pop((number, source), ()) if self._parked else ()
        for place in places:
            self._ready[number, place] = Ready(lane, expires_at + place % 4096 / 4096)
        return places

    def lane_of(self, number: int, place: int) -> str | None:
        """Where a remix waits; None for what is none."""
        ready = self._ready.get((number, place))
        return ready.lane if ready else None

    def wait(self, batch: str, number: int, place: int) -> None:
        """It waits, if it is a remix."""
        if ready := self._ready.get((number, place)):
            insort(self._hurry.setdefault(ready.lane, []), (ready.until, batch, number, place))

    def take(self, batch: str, number: int, place: int) -> None:
        """It waits no longer, if it is one."""
        if ready := self._ready.get((number, place)):
            waiting = self._hurry[ready.lane]
            del waiting[bisect_left(waiting, (ready.until, batch, number, place))]

    def hurried(self, lane: str, now: float) -> Iterator[tuple[str, int, int]]:
        """Those whose source is deleted soon, the first one first: batch, its number, and place."""
        soon = takewhile(lambda each: each[0] <= now + HURRY_MS, self._hurry.get(lane, ()))
        return (each[1:] for each in islice(soon, MOST_HURRIED))
