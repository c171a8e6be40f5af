"""Hours in which creates may start, walked along with the virtual clock."""

from __future__ import annotations

from collections.abc import Iterable

from manifests.window import Window


class Hours:
    """The intervals of a window, in milliseconds. Time only goes on: what is over is forgotten."""

    def __init__(self, intervals: Iterable[Iterable[float]]) -> None:
        """`intervals`: [from, until), in order; a window whose intervals end stays closed then."""
        self._rest = iter(intervals)
        self._from: float | None = 0.0
        self._until = self._ended = float("-inf")
        self._counted = True
        #: In how many intervals something was admitted; those that touch are one. And when the first of them ended.
        self.used = 0
        self.first_end: float | None = None

    @classmethod
    def of(cls, window: Window, now: float) -> Hours:
        """A deployment's, from `now` (Unix seconds) on; endless."""
        return cls((start * 1000, end * 1000) for start, end in window.intervals(now))

    def opens_at(self, now: float) -> float | None:
        """Since or from when it is open; None after the last interval."""
        while self._from is not None and now >= self._until:
            self._ended = self._until
            self._from, self._until = next(self._rest, (None, float("inf")))
            self._counted = self._counted and self._from == self._ended
        return self._from

    @property
    def over(self) -> bool:
        """Whether no interval is left."""
        return self._from is None

    def use(self) -> None:
        """Something was admitted in the interval that is open."""
        if not self._counted:
            self._counted = True
            self.used += 1
        if self.used == 1:
            self.first_end = self._until
