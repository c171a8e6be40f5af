"""A window in one line, as an option has it: `22:00-06:00 Europe/Stockholm mon-fri`."""

from __future__ import annotations

import re

from manifests.window import DAYS, BadWindow, Window, read_window

_HOURS = re.compile(r"\s*(\S+?)\s*-\s*(\S+)\s*(.*)", re.DOTALL)
EXAMPLE = "22:00-06:00 Europe/Stockholm mon-fri"


def window_of(text: str) -> Window:
    """The window of START-END [TIME ZONE] [DAYS]: hours first, then what is left out is UTC and every day.

    Days are names and ranges, with commas or blanks between them. Raises BadWindow.
    """
    found = _HOURS.fullmatch(text)
    if found is None:
        raise BadWindow("start", "must be two times of day with - between them", f'write "{EXAMPLE}", say')
    start, end, rest = found.groups()
    words = rest.split()
    zone = [words.pop(0)] if words and not words[0].casefold().startswith(DAYS) else []
    values: dict[str, str | list[str]] = {"start": start, "end": end}
    if zone:
        values["timezone"] = zone[0]
    if words:
        values["days"] = words
    return read_window(values)
