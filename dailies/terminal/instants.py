"""Times and lengths of time as people type them: `08:00`, `2026-11-22T06:00+01:00`, `2h`, `1h30m`."""

from __future__ import annotations

import datetime as dt
import re

from dailies.terminal.exits import UsageError

_LENGTH = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?")
_UNITS = (86_400, 3_600, 60, 1)
#: A number too large for any calendar is a slip (seconds): ten years.
LONGEST_S = 10 * 366 * 86_400
_CLOCK = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)")


def length(text: str, *, option: str) -> float:
    """`2h`, `90m`, `1h30m`, `1d`, `45s` → seconds. Raises UsageError."""
    found = _LENGTH.fullmatch("".join(text.split()).lower())
    seconds = sum(int(n or 0) * unit for n, unit in zip(found.groups(), _UNITS, strict=True)) if found else 0
    if not 0 < seconds <= LONGEST_S:
        raise UsageError(f"{option} {text} is no length of time: write it like 2h, 90m or 1h30m")
    return float(seconds)


def time_of_day(clock: str, now: float) -> float | None:
    """The next time that a clock here shows `08:00`, in Unix seconds; None where that is no time of day."""
    found = _CLOCK.fullmatch(clock.strip())
    if found is None:
        return None
    today = dt.datetime.fromtimestamp(now).astimezone()
    at = today.replace(hour=int(found[1]), minute=int(found[2]), second=0, microsecond=0, tzinfo=None)
    return (at if at.timestamp() > now else at + dt.timedelta(days=1)).timestamp()


def instant(text: str, now: float, *, option: str) -> float:
    """`08:00`, or a date with a time, of this machine's own zone unless it has an offset → Unix seconds, after `now`.

    Raises UsageError.
    """
    at = time_of_day(text, now)
    if at is None:
        try:
            at = dt.datetime.fromisoformat(text.strip()).timestamp()
        except (ValueError, OverflowError, OSError):
            raise UsageError(f"{option} {text} is no time: write it like 08:00, or 2026-11-22T06:00") from None
    if not now < at <= now + LONGEST_S:
        raise UsageError(f"{option} {text} is {'over already' if at <= now else 'too far off'}")
    return at
