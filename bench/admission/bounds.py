"""The least time that a night can take: what no scheduler, however clever, could beat under a provider's quota.

The sandbox draws a render when it accepts a create, by a seed: the k-th accepted create renders as long, whoever sent
it. So the order of the renders is given, and only the instants of the creates are free. Each is put at the first
instant that the quota allows. That is the least for the end of every render, and so for the last: where creates come in
a given order, one that comes earlier lets its slot go earlier and leaves its window earlier, so that putting any of
them off brings no later one forward (induction over k). It holds for one deployment, for several that are limited by
rate alone, and for any where all renders are equally long; with several, and renders that differ, it is what the best
list schedule takes.

Time is counted from the first create, in seconds. Being archived takes no time here.
"""

from __future__ import annotations

import heapq
from bisect import bisect_left, insort
from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Limits:
    """A deployment's true quota; None is no such limit. `taken`: when creates of others were accepted."""

    per_minute: float | None = None
    concurrent: int | None = None
    window_s: float = 60.0
    taken: tuple[float, ...] = ()

    @property
    def in_window(self) -> int | None:
        """Creates that any window of `window_s` may hold, as the sandbox counts them."""
        return None if self.per_minute is None else max(1, int(self.per_minute * self.window_s / 60 + 1e-9))


@dataclass
class _Deployment:
    """What was put on a deployment so far."""

    limits: Limits
    creates: list[float] = field(default_factory=list)
    ends: list[float] = field(default_factory=list)

    def earliest(self, at: float) -> float:
        """The first instant from `at` on at which a create would be accepted, and spoil no accepted one."""
        slots = self.limits.concurrent
        if slots is not None:
            while self.ends and self.ends[0] <= at:
                heapq.heappop(self.ends)
            if len(self.ends) >= slots:
                at = max(at, heapq.nsmallest(len(self.ends) - slots + 1, self.ends)[-1])
        most, window = self.limits.in_window, self.limits.window_s
        if most is None:
            return at
        near = self.creates[bisect_left(self.creates, at - window) :]
        later = sorted({at} | {c + window for c in near if c + window > at} | {c for c in near if c > at})
        return next(instant for instant in later if self._fits(instant, most, window))

    def _fits(self, at: float, most: int, window: float) -> bool:
        """A create comes at least a window after the one that is `most` before it: also those after `at`."""
        place = bisect_left(self.creates, at)
        around = [*self.creates[max(0, place - most) : place], at, *self.creates[place : place + most]]
        return all(b - a >= window - 1e-9 for a, b in zip(around, around[most:], strict=False))

    def put(self, at: float, render_s: float) -> None:
        insort(self.creates, at)
        heapq.heappush(self.ends, at + render_s)


def starts(renders: Sequence[float], limits: Sequence[Limits]) -> list[float]:
    """When each create is accepted at the earliest, in the given order, on whichever deployment is free first."""
    deployments = [_Deployment(each, sorted(each.taken)) for each in limits]
    found: list[float] = []
    for render_s in renders:
        after = found[-1] if found else 0.0
        at, _, chosen = min((each.earliest(after), n, each) for n, each in enumerate(deployments))
        chosen.put(at, render_s)
        found.append(at)
    return found


def lower_bound(renders: Sequence[float], limits: Sequence[Limits]) -> float:
    """Seconds from the first create to the end of the last render."""
    return max(at + render_s for at, render_s in zip(starts(renders, limits), renders, strict=True))
