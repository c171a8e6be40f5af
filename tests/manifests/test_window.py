"""The hours in which creates may start: how they are written, and which instants they are."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from itertools import islice, pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manifests.window import EVERY_DAY, BadWindow, Window, read_window

MINUTE = dt.timedelta(minutes=1)
STOCKHOLM = {"start": "22:00", "end": "06:00", "timezone": "Europe/Stockholm"}


def window(start: str, end: str, timezone: str = "UTC", **more: Any) -> Window:
    return read_window({"start": start, "end": end, "timezone": timezone, **more})


def utc(text: str) -> float:
    return dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC).timestamp()


def spans(of: Window, after: str, count: int = 1) -> list[tuple[str, str]]:
    """The next intervals, as UTC."""
    return [
        tuple(f"{dt.datetime.fromtimestamp(instant, dt.UTC):%Y-%m-%d %H:%M}" for instant in interval)  # type: ignore[misc]
        for interval in islice(of.intervals(utc(after)), count)
    ]


# Writing


def test_a_window_is_read_as_a_team_would_write_it() -> None:
    read = read_window({**STOCKHOLM, "days": ["mon-fri"]})
    assert read == Window(dt.time(22), dt.time(6), "Europe/Stockholm", frozenset(range(5)))
    assert str(read) == "22:00 to 06:00 Europe/Stockholm, mon tue wed thu fri"


def test_zone_and_days_may_be_left_out() -> None:
    assert read_window({"start": "9:30", "end": "17:00"}) == Window(dt.time(9, 30), dt.time(17), "UTC", EVERY_DAY)


def test_the_end_of_the_day_may_be_24_00() -> None:
    assert window("00:00", "24:00") == window("00:00", "00:00")
    with pytest.raises(BadWindow, match="start"):
        window("24:00", "06:00")


@pytest.mark.parametrize(
    ("days", "numbers"),
    [
        ("mon-fri", [0, 1, 2, 3, 4]),
        (["fri-mon"], [0, 4, 5, 6]),
        (["mon-wed", "sat"], [0, 1, 2, 5]),
        ("Saturday, Sundays", [5, 6]),
        (["Tues", "thurs", "WED"], [1, 2, 3]),
        ("Fri – Mon", [0, 4, 5, 6]),
        ("wed-wed", [2]),
    ],
)
def test_days_are_names_ranges_and_lists(days: str | list[str], numbers: list[int]) -> None:
    assert sorted(window("22:00", "06:00", days=days).days) == numbers


@pytest.mark.parametrize("written", ["europe/stockholm", " Europe/Stockholm ", "EUROPE/STOCKHOLM"])
def test_the_case_of_a_zone_does_not_matter(written: str) -> None:
    """The files of one system are found in any case, those of another are not."""
    assert window("22:00", "06:00", written).timezone == "Europe/Stockholm"


@pytest.mark.parametrize(
    ("written", "nearest"),
    [("Stokholm", "Europe/Stockholm"), ("New York", "America/New_York"), ("Europe/Stockhlm", "Europe/Stockholm")],
)
def test_an_unknown_zone_names_the_nearest(written: str, nearest: str) -> None:
    with pytest.raises(BadWindow, match=f"did you mean {nearest}") as caught:
        window("22:00", "06:00", written)
    assert caught.value.field == "timezone"


@pytest.mark.parametrize("written", ["CEST", "PST", "IST", "BST", "GMT+2", "UTC+1", "+02:00", "Z"])
def test_no_abbreviation_or_offset_is_taken_for_one_that_is_hours_away(written: str) -> None:
    """EST is not CEST, and Etc/GMT+2 is two hours behind: who followed such a hint would lose the night."""
    with pytest.raises(BadWindow, match="continent and city: Europe/Stockholm"):
        window("22:00", "06:00", written)


@pytest.mark.parametrize(
    ("change", "field", "said"),
    [
        ({"start": ""}, "start", "is missing"),
        ({"end": "6"}, "end", 'end: "06:00"'),
        ({"start": "1320"}, "start", "in quotes"),
        ({"start": "10 pm"}, "start", "24-hour"),
        ({"end": "24:30"}, "end", "time of day"),
        ({"days": ["mo"]}, "days", "mon tue wed"),
        ({"days": "mos"}, "days", "mon tue wed"),
        ({"days": ["mon-"]}, "days", "mon- is neither"),
        ({"days": []}, "days", "must name a day"),
        ({"timezone": "../etc/passwd"}, "timezone", "the name of a time zone"),
        ({"timezone": ""}, "timezone", "continent and city"),
        ({"day": "mon"}, "day", "did you mean days"),
        ({"colour": "red"}, "colour", "start, end, timezone and days"),
    ],
)
def test_what_is_wrong_is_named_with_its_mend(change: dict[str, Any], field: str, said: str) -> None:
    with pytest.raises(BadWindow, match=said) as caught:
        read_window({**STOCKHOLM, **change})
    assert caught.value.field == field


def test_a_window_is_read_back_as_it_was_kept() -> None:
    kept = read_window({**STOCKHOLM, "days": ["fri-mon"]})
    assert Window.parse(kept.dump()) == kept


# Instants


def test_a_window_over_midnight_belongs_to_the_day_on_which_it_starts() -> None:
    nights = spans(window("22:00", "06:00", days="fri"), "2026-11-20T00:00", 2)
    assert nights == [("2026-11-20 22:00", "2026-11-21 06:00"), ("2026-11-27 22:00", "2026-11-28 06:00")]


def test_the_interval_of_now_comes_first_until_its_very_end() -> None:
    nightly = window("22:00", "06:00")
    assert spans(nightly, "2026-11-21T05:59") == [("2026-11-20 22:00", "2026-11-21 06:00")]
    assert spans(nightly, "2026-11-21T06:00") == [("2026-11-21 22:00", "2026-11-22 06:00")]


def test_equal_start_and_end_last_the_whole_day_from_then_on() -> None:
    assert spans(window("08:00", "08:00", days="sat"), "2026-11-20T00:00") == [("2026-11-21 08:00", "2026-11-22 08:00")]


@pytest.mark.parametrize(
    ("start", "end", "zone", "after", "span"),
    [
        # Nights in which the clocks are changed last an hour less or more.
        ("22:00", "06:00", "Europe/Stockholm", "2026-03-28T12:00", ("2026-03-28 21:00", "2026-03-29 04:00")),
        ("22:00", "06:00", "Europe/Stockholm", "2026-10-24T12:00", ("2026-10-24 20:00", "2026-10-25 05:00")),
        ("22:00", "06:00", "America/New_York", "2026-03-07T22:00", ("2026-03-08 03:00", "2026-03-08 10:00")),
        ("22:00", "06:00", "America/New_York", "2026-10-31T22:00", ("2026-11-01 02:00", "2026-11-01 11:00")),
        # 02:30 does not exist: a start or an end there is the moment of the skip.
        ("02:30", "06:00", "Europe/Stockholm", "2026-03-29T00:00", ("2026-03-29 01:00", "2026-03-29 04:00")),
        ("22:00", "02:30", "Europe/Stockholm", "2026-03-28T12:00", ("2026-03-28 21:00", "2026-03-29 01:00")),
        ("02:30", "06:00", "America/New_York", "2026-03-08T06:00", ("2026-03-08 07:00", "2026-03-08 10:00")),
        # 02:30 (in New York 01:30) comes twice: a start is the first, an end follows the last of what is before it.
        ("02:30", "06:00", "Europe/Stockholm", "2026-10-25T00:00", ("2026-10-25 00:30", "2026-10-25 05:00")),
        ("22:00", "02:30", "Europe/Stockholm", "2026-10-24T12:00", ("2026-10-24 20:00", "2026-10-25 01:30")),
        # What is before 02:00 in Stockholm comes once: the window ends before 02:00 begins for the first time.
        ("22:00", "02:00", "Europe/Stockholm", "2026-10-24T12:00", ("2026-10-24 20:00", "2026-10-25 00:00")),
        ("22:00", "03:00", "Europe/Stockholm", "2026-10-24T12:00", ("2026-10-24 20:00", "2026-10-25 02:00")),
        ("22:00", "03:00", "Europe/Stockholm", "2026-03-28T12:00", ("2026-03-28 21:00", "2026-03-29 01:00")),
        ("01:30", "06:00", "America/New_York", "2026-11-01T05:00", ("2026-11-01 05:30", "2026-11-01 11:00")),
        # On Lord Howe Island the clocks are changed by half an hour, at 02:00.
        ("02:15", "06:00", "Australia/Lord_Howe", "2026-10-03T14:00", ("2026-10-03 15:30", "2026-10-03 19:00")),
        ("01:45", "06:00", "Australia/Lord_Howe", "2026-04-04T14:00", ("2026-04-04 14:45", "2026-04-04 19:30")),
        ("22:00", "01:45", "Australia/Lord_Howe", "2026-04-04T10:00", ("2026-04-04 11:00", "2026-04-04 15:15")),
    ],
)
def test_a_change_of_the_clocks_cuts_no_window_short(
    start: str, end: str, zone: str, after: str, span: tuple[str, str]
) -> None:
    assert spans(window(start, end, zone), after) == [span]


def test_a_window_within_the_skipped_hour_does_not_take_place() -> None:
    assert spans(window("02:10", "02:50", "Europe/Stockholm"), "2026-03-28T12:00") == [
        ("2026-03-30 00:10", "2026-03-30 00:50")
    ]


def test_intervals_do_not_overlap_where_a_time_comes_twice() -> None:
    """A whole day that ends at the second 02:30 and the next that starts at the first."""
    found = spans(window("02:30", "02:30", "Europe/Stockholm"), "2026-10-24T12:00", 3)
    assert [end for _, end in found[:-1]] == [start for start, _ in found[1:]]


def test_a_year_of_nights_is_not_one_too_few() -> None:
    nights = islice(window("22:00", "06:00").intervals(utc("2026-01-01")), 400)
    assert sum(start < utc("2027-01-01") for start, _ in nights) == 366


def reference(of: Window, first: dt.date, days: int) -> Iterator[tuple[float, float]]:
    """Minute by minute: from the first to the last moment at which the clock on the wall is between the two."""
    zone = ZoneInfo(of.timezone)
    for date in (first + dt.timedelta(days=n) for n in range(days)):
        if date.weekday() not in of.days:
            continue
        start = dt.datetime.combine(date, of.start)
        end = dt.datetime.combine(date, of.end)
        if end <= start:
            end += dt.timedelta(days=1)
        moment = dt.datetime.combine(date, dt.time(), dt.UTC) - dt.timedelta(hours=15)
        inside = []
        for n in range(70 * 60):
            instant = moment + n * MINUTE
            if start <= instant.astimezone(zone).replace(tzinfo=None) < end:
                inside.append(instant)
        if inside:
            yield inside[0].timestamp(), (inside[-1] + MINUTE).timestamp()


times = st.sampled_from(
    ["00:00", "00:30", "01:15", "01:45", "02:00", "02:15", "02:30", "03:00", "06:00", "22:00", "23:59"]
)
changes = st.sampled_from(
    [
        ("Europe/Stockholm", dt.date(2026, 3, 29)),
        ("Europe/Stockholm", dt.date(2026, 10, 25)),
        ("America/New_York", dt.date(2026, 3, 8)),
        ("America/New_York", dt.date(2026, 11, 1)),
        ("Australia/Lord_Howe", dt.date(2026, 4, 5)),
        ("Australia/Lord_Howe", dt.date(2026, 10, 4)),
        ("Asia/Kolkata", dt.date(2026, 6, 1)),
        ("America/Sao_Paulo", dt.date(2018, 11, 4)),  # skipped midnight
    ]
)


@settings(max_examples=40, deadline=None)
@given(times, times, changes, st.sets(st.integers(0, 6), min_size=1))
def test_intervals_are_what_the_clock_on_the_wall_says(
    start: str, end: str, change: tuple[str, dt.date], days: set[int]
) -> None:
    """Around changes of the clocks, against a reading of that clock at every minute."""
    zone, date = change
    of = Window(dt.time.fromisoformat(start), dt.time.fromisoformat(end), zone, frozenset(days))
    before = dt.datetime.combine(date - dt.timedelta(days=1), dt.time(), dt.UTC).timestamp()
    wanted = [found for found in reference(of, date - dt.timedelta(days=3), 6) if found[1] > before]
    wanted = [(max(start, until), end) for (_, until), (start, end) in pairwise([(0.0, 0.0), *wanted])]
    assert list(islice(of.intervals(before), len(wanted))) == wanted
