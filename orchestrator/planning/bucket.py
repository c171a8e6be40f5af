"""The token bucket of one deployment, as one number: what `take_token` in `lua/shared/quota.lua` does."""

from __future__ import annotations

import math


def pulled_in(tat: float, now: float, interval: float, burst: int, slack: float = 0.0) -> float:
    """The theoretical arrival time as it is kept: no further ahead than an empty bucket explains. It is where a clock
    stepped back, or a pace became quicker."""
    most = now + burst * interval + slack
    return round(most, 3) if tat > most else tat


def take_token(
    tat: float, now: float, interval: float, burst: int, slack: float = 0.0
) -> tuple[float, None] | tuple[None, int]:
    """The theoretical arrival time after a token was taken, or None and when to ask again. All in milliseconds.

    A token is there when now >= tat - (burst - 1) * interval - slack.
    """
    tat = min(tat, now + burst * interval + slack)
    earliest = tat - (burst - 1) * interval - slack
    if now < earliest:
        return None, math.ceil(earliest)
    return round(max(now, tat) + interval, 3), None
