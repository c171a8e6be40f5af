"""A cell of a spreadsheet as the text that a person reads in it."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import Any

_DIGITS = 15  # as many as spreadsheet programs keep
_CARRIAGE_RETURN = "_x000D_"  # how .xlsx writes it


def cell_text(cell: Any) -> str:
    """`8` of 8.0, `TRUE`, `50%`, `2026-11-21`, `2026-11-21 14:30`, `16:09`; empty of an empty cell.

    `cell`: openpyxl's, with `value` and, where that is a number or a time, `number_format`.
    """
    value = cell.value
    if isinstance(value, str):
        return value.replace(_CARRIAGE_RETURN, "\r") if _CARRIAGE_RETURN in value else value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, int | float):
        percent = "%" in cell.number_format
        return _number(value * 100) + "%" if percent else _number(value)
    if isinstance(value, datetime):
        if value.time() == time() and "h" not in cell.number_format.lower():
            return value.date().isoformat()
        return f"{value.date().isoformat()} {_clock(value.hour, value.minute, value.second)}"
    if isinstance(value, time):
        return _clock(value.hour, value.minute, value.second)
    if isinstance(value, timedelta):
        minutes, seconds = divmod(round(value.total_seconds()), 60)
        return _clock(*divmod(minutes, 60), seconds)
    return value.isoformat() if isinstance(value, date) else str(value)


def _number(value: float) -> str:
    if isinstance(value, int):
        return str(value)
    if value.is_integer() and abs(value) < 10**_DIGITS:
        return str(int(value))
    return format(value, f".{_DIGITS}g")


def _clock(hours: int, minutes: int, seconds: int) -> str:
    return f"{hours:02}:{minutes:02}" + (f":{seconds:02}" if seconds else "")
