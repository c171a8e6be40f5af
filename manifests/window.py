"""The window: the hours in which creates may start, in somebody's local time, as instants."""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache, partial
from typing import NoReturn
from zoneinfo import ZoneInfo, available_timezones

from manifests.vocabulary.spelling import tidy

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
EVERY_DAY = frozenset(range(7))
FIELDS = ("start", "end", "timezone", "days")
_NAMES = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_TIME = re.compile(r"([01]?[0-9]|2[0-4]):([0-5][0-9])(?::00)?")
_DAY = dt.timedelta(days=1)
# An interval that begins three local days ago has ended, however the clocks were changed.
_BACK = 3 * _DAY
_LONGEST = len("wednesday-wednesday")  # what is longer was meant for another place, and may be a secret


class BadWindow(Exception):
    """A window that cannot be understood. `field`: start, end, timezone, days, or what was written in their place."""

    def __init__(self, field: str, message: str, hint: str) -> None:
        self.field, self.message, self.hint = field, message, hint
        super().__init__(f"{field}: {message} ({hint})")


@dataclass(frozen=True, slots=True)
class Window:
    """Hours in which creates may start. `days`: those on which it starts, 0 is Monday. It ends on the next day where
    `end` is not after `start`; where the two are equal it lasts the whole day from then on."""

    start: dt.time
    end: dt.time
    timezone: str
    days: frozenset[int]

    def intervals(self, after: float) -> Iterator[tuple[float, float]]:
        """Endless and in order: [start, end) in Unix seconds, of all that end later than `after`.

        Start and end are what a clock on the wall shows. A time that the clock skips is the moment of the skip; where
        it shows an hour twice, a start is the first time it shows it, and an end comes after the last time that it
        shows what is before it, so that no window is cut short. A window that lies in the skipped hour does not take
        place that day.
        """
        zone = ZoneInfo(self.timezone)
        date = dt.datetime.fromtimestamp(after, zone).date() - _BACK
        until = float("-inf")
        while date < dt.date.max - _BACK:
            if date.weekday() in self.days:
                last = date + _DAY if self.end <= self.start else date
                # A time that is shown twice may make one interval reach into the next.
                begin = max(_instant(dt.datetime.combine(date, self.start, zone), fold=0), until)
                end = float(round(_instant(dt.datetime.combine(last, self.end, zone) - dt.datetime.resolution, fold=1)))
                if begin < end:
                    until = end
                    if end > after:
                        yield begin, end
            date += _DAY

    def dump(self) -> str:
        """As text that `parse` reads."""
        days = [DAYS[day] for day in sorted(self.days)]
        return json.dumps(
            {"start": f"{self.start:%H:%M}", "end": f"{self.end:%H:%M}", "timezone": self.timezone, "days": days}
        )

    @classmethod
    def parse(cls, text: str) -> Window:
        """From what `dump` wrote."""
        return read_window(json.loads(text))

    def __str__(self) -> str:
        days = "" if self.days == EVERY_DAY else ", " + " ".join(DAYS[day] for day in sorted(self.days))
        return f"{self.start:%H:%M} to {self.end:%H:%M} {self.timezone}{days}"


def read_window(values: Mapping[str, str | list[str]]) -> Window:
    """The window of `{start, end, timezone, days}` as written; days are names, ranges (`fri-mon`) or a list of them.

    Without `timezone` it is in UTC, without `days` it is on every day. Raises BadWindow for the first thing wrong;
    `faults_of` tells all of them.
    """
    for fault in faults_of(values):
        raise fault
    return Window(
        time_of("start", values.get("start", "")),
        time_of("end", values.get("end", "")),
        zone_of(values.get("timezone", "UTC")),
        days_of(values.get("days", list(DAYS))),
    )


def faults_of(values: Mapping[str, str | list[str]]) -> Iterator[BadWindow]:
    """Everything that is wrong with a window as it is written."""
    strange = [name for name in values if name not in FIELDS]
    for name in strange:
        near = get_close_matches(name, FIELDS, n=1, cutoff=0.6)
        hint = f"did you mean {near[0]}?" if near else f"it has {', '.join(FIELDS[:-1])} and {FIELDS[-1]}"
        yield BadWindow(name, "is not part of a window", hint)
    readers: dict[str, Callable[[object], object]] = {
        "start": partial(time_of, "start"),
        "end": partial(time_of, "end"),
        "timezone": zone_of,
        "days": days_of,
    }
    for name, read in readers.items():
        # What is missing may be what is misspelt.
        if name in values or (name in ("start", "end") and not strange):
            try:
                read(values.get(name, ""))
            except BadWindow as fault:
                yield fault


def time_of(field: str, written: object) -> dt.time:
    """The time of day of `22:00`; an end may be `24:00`. Raises BadWindow."""
    text = tidy(written) if isinstance(written, str) else ""
    found = _TIME.fullmatch(text)
    if found and int(found[1]) < 24:
        return dt.time(int(found[1]), int(found[2]))
    if found and found[2] == "00" and field == "end":
        return dt.time()
    example = "22:00" if field == "start" else "06:00"
    message = "is missing" if written in ("", None) else "must be a time of day, hours and minutes"
    raise BadWindow(field, message, f'write it by the 24-hour clock and in quotes: {field}: "{example}"')


def zone_of(written: object) -> str:
    """The name of a time zone as the IANA database has it, whatever the case. Raises BadWindow."""
    known = _zones()
    text = tidy(written).replace(" ", "_") if isinstance(written, str) else ""
    if name := known.get(text.casefold()):
        return name
    # Nothing is near to CEST or GMT+2: EST is another ocean's, and Etc/GMT+2 lies west of Greenwich.
    cities = [name for name in sorted(known) if "/" in name and not name.startswith("etc/")]
    places = {name.rpartition("/")[2]: name for name in cities}
    near = get_close_matches(text.casefold(), [*cities, *places], n=1, cutoff=0.8)
    nearest = known[places.get(near[0], near[0])] if near else "Europe/Stockholm"
    hint = f"did you mean {nearest}?" if near else f"write it as continent and city: {nearest}"
    raise BadWindow("timezone", "must be the name of a time zone", hint)


def days_of(written: object) -> frozenset[int]:
    """The days of `mon-fri`, `sat, sun` or a list of such, 0 is Monday. Raises BadWindow."""
    days: set[int] = set()
    for part in _parts([written] if isinstance(written, str) else written):
        first, dash, last = part.partition("-")
        begin = _day(first, part)
        days.update((begin + n) % 7 for n in range(((_day(last, part) if dash else begin) - begin) % 7 + 1))
    if not days:
        raise BadWindow("days", "must name a day", "write days: [mon-fri], or leave it out for every day")
    return frozenset(days)


def midnight(date: dt.date, timezone: str) -> float:
    """When a local day begins, in Unix seconds: where the clock skips midnight, at the end of the skip."""
    return _instant(dt.datetime.combine(date, dt.time(), ZoneInfo(timezone)), fold=0)


def _parts(written: object) -> Iterable[str]:
    if not isinstance(written, Sequence) or not all(isinstance(part, str) for part in written):
        _refuse_days("")
    for entry in written:
        yield from filter(None, (part.replace(" ", "") for part in tidy(entry).casefold().split(",")))


def _day(text: str, part: str) -> int:
    # `tues` and `mondays` too, but not `mo`: in another language that may be another day.
    stem = text.removesuffix("s")
    found = [n for n, name in enumerate(_NAMES) if len(stem) >= 3 and name.startswith(stem)]
    return found[0] if found else _refuse_days(f"{part} is neither: " if len(part) <= _LONGEST else "")


def _refuse_days(why: str) -> NoReturn:
    hint = f"{why}write days: [mon-fri, sun]; the days are {' '.join(DAYS)}"
    raise BadWindow("days", "must be days of the week or ranges of them", hint)


@cache
def _zones() -> Mapping[str, str]:
    return {name.casefold(): name for name in available_timezones() - {"localtime", "Factory"}}


def _instant(wall: dt.datetime, *, fold: int) -> float:
    """When a clock on the wall shows a time: the first (0) or last (1) time that it does, or when it skips it."""
    first, last = wall.replace(fold=0).timestamp(), wall.replace(fold=1).timestamp()
    if first <= last:
        return last if fold else first
    # The clock skips it: by the offset from before the skip it comes too late, by the one after too early.
    before, after = int(last), int(first)
    offset = dt.datetime.fromtimestamp(before, wall.tzinfo).utcoffset()
    while after - before > 1:
        middle = (before + after) // 2
        if dt.datetime.fromtimestamp(middle, wall.tzinfo).utcoffset() == offset:
            before = middle
        else:
            after = middle
    return float(after)
