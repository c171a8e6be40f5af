"""A sheet of results: texts from outside in it are not calculated by a spreadsheet program, and are read back as they
were when it is loaded as a manifest.

A text that such a program would take for a formula has an apostrophe before it, also where a program of another
country's habits splits the line at semicolons or tabs. One that has apostrophes there already gets one more, so that
taking one off always gives back what was written.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

# Where a cell begins, blanks passed over; where one would begin for a program that splits at other characters.
_FORMULA = r"(?:[=@\uff1d\uff20]|[+\-\uff0b\uff0d](?!{number}))"
_AT_START = r"^{apostrophe}(?='*[ \u00a0\u3000]*" + _FORMULA.format(number=r"[\d.,\s%]*$") + ")"
_WITHIN = r"(?<=[;\t\r\n]){apostrophe}(?='*" + _FORMULA.format(number=r"[\d.,\s%]*(?:[;\t\r\n]|$)") + ")"
_PLACE = rf"{_AT_START}|{_WITHIN}"
_TO_GUARD = re.compile(_PLACE.replace("{apostrophe}", ""))
_GUARDED = re.compile(_PLACE.replace("{apostrophe}", "'"))
#: Columns that only a sheet of results has all of.
_MARKS = frozenset({"key", "state", "billed", "sha256", "remote_id", "archived_at"})


def guarded(text: str) -> str:
    """The text as it may stand in a cell. `-5` and `+3.5 %` are numbers, and stay."""
    return _TO_GUARD.sub("'", text)


def unguarded(text: str) -> str:
    """The text of a cell that `guarded` wrote."""
    return _GUARDED.sub("", text)


def is_results(header: Sequence[str]) -> bool:
    """Whether a table is a sheet of results."""
    return _MARKS.issubset(header)
