"""What the scripts are told of local time: hours of windows, and the days and months of budgets, as instants in ms.

Redis's clock decides which of them is now. They reach days back and far ahead, so that neither a clock that differs
nor an hour without a word from here matters.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from itertools import islice, takewhile
from typing import Any
from zoneinfo import ZoneInfo

from manifests.window import Window, midnight
from orchestrator.settings import Budgets
from orchestrator.video_models.prices import micro

DAY_S = 86_400.0
#: Intervals of a window that are told at once: two weeks of nights, a quarter of weekly ones.
INTERVALS = 16
#: For how long a batch's window is reckoned ahead when it is submitted (seconds): after that, until it is submitted
#: again, it is closed.
BATCH_AHEAD_S = 366 * DAY_S


def next_hours(window: Window, now: float) -> list[list[int]]:
    """A deployment's next intervals, [from, until]."""
    return _told(islice(window.intervals(now - 2 * DAY_S), INTERVALS))


def year_of_hours(window: Window, now: float) -> list[list[int]]:
    """A batch's intervals, [from, until], for a year."""
    return _told(takewhile(lambda interval: interval[0] < now + BATCH_AHEAD_S, window.intervals(now)))


def limits(budgets: Budgets, now: float) -> list[dict[str, Any]]:
    """The budgets of day and month that are limited, with their periods around now: [id, from, until]."""
    today = dt.datetime.fromtimestamp(now, ZoneInfo(budgets.timezone)).date()
    days = [today + dt.timedelta(days=n) for n in range(-2, 4)]
    first = today.replace(day=1)
    months = [_month_after(first, n) for n in range(-1, 4)]
    found: list[dict[str, Any]] = []
    for name, limit, starts, form in (
        ("day", budgets.day_usd, days, "%Y-%m-%d"),
        ("month", budgets.month_usd, months, "%Y-%m"),
    ):
        if limit is not None:
            instants = [_ms(midnight(start, budgets.timezone)) for start in starts]
            periods = [
                [f"{name}:{start:{form}}", begin, end]
                for start, begin, end in zip(starts, instants, instants[1:], strict=False)
            ]
            found.append({"name": name, "limit": micro(limit), "periods": periods})
    return found


def paid_from(budgets: Budgets, created_at: object, now: float) -> list[list[Any]]:
    """The day and the month, [id, until in ms], of a create that is told by its receipt (Unix seconds; empty where
    that does not say), of those that are limited and not over yet."""
    if not budgets or not created_at:
        return []
    at = float(str(created_at))
    told = (period for budget in limits(budgets, now) for period in budget["periods"])
    return [[name, until] for name, begin, until in told if begin <= _ms(at) < until and begin <= _ms(now) < until]


def _month_after(first: dt.date, months: int) -> dt.date:
    year, month = divmod(first.year * 12 + first.month - 1 + months, 12)
    return dt.date(year, month + 1, 1)


def _told(intervals: Iterable[tuple[float, float]]) -> list[list[int]]:
    """In ms; those that touch are one, so that nothing stops between them."""
    told: list[list[int]] = []
    for start, end in intervals:
        if told and told[-1][1] == _ms(start):
            told[-1][1] = _ms(end)
        else:
            told.append([_ms(start), _ms(end)])
    return told


def _ms(instant: float) -> int:
    return round(instant * 1000)
