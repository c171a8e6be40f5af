"""Instants as people read them."""

from __future__ import annotations

import datetime as dt
from typing import Literal


def rfc3339(instant: float | None, *, timespec: Literal["seconds", "milliseconds"] = "seconds") -> str:
    """Unix seconds as RFC 3339 in UTC; empty where there is none."""
    if instant is None:
        return ""
    return dt.datetime.fromtimestamp(instant, dt.UTC).isoformat(timespec=timespec).replace("+00:00", "Z")


def local(instant: float) -> str:
    """Unix seconds as this machine's own time, to the minute: `2026-11-21 22:00 CET`."""
    return f"{dt.datetime.fromtimestamp(instant).astimezone():%Y-%m-%d %H:%M %Z}"


def unix(text: str) -> int:
    """RFC 3339 as Unix seconds."""
    return int(dt.datetime.fromisoformat(text).timestamp())
