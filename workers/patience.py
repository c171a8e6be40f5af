"""How long is waited for what is good to have and never needed: long while it comes, hardly where it does not."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

#: The longest that one may take, and the least that each is given (seconds).
MOST_S, LEAST_S = 5.0, 0.5
#: What may be waited at first, and again once it went well for a while (seconds).
PURSE_S = 10.0


class Patience:
    """With one deployment. So many of them, N, take at most PURSE_S + N * LEAST_S seconds in all: each that comes
    sooner than LEAST_S saves the rest for others, and each that comes later takes of what was saved."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._purse_s = clock, PURSE_S

    @contextmanager
    def waiting(self) -> Iterator[float]:
        """The seconds that the block may take."""
        given = min(MOST_S, LEAST_S + self._purse_s)
        self._purse_s -= given - LEAST_S
        began = self._clock()
        try:
            yield given
        finally:
            self._purse_s = min(PURSE_S, self._purse_s + given - min(given, self._clock() - began))
