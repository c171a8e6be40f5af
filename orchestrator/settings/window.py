"""The window as it is written in the settings: the same keys and words as in a manifest."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Annotated, TypeVar

from pydantic import BeforeValidator, Field

from manifests.window import EVERY_DAY, BadWindow, Window, days_of, time_of, zone_of
from orchestrator.settings.section import Section, wrong

T = TypeVar("T")


def _told(read: Callable[[object], T]) -> BeforeValidator:
    """A reader of a window's parts as a validator: what is wrong is told at that part's key."""

    def check(written: object) -> T:
        try:
            return read(written)
        except BadWindow as bad:
            wrong(bad.message, bad.hint)

    return BeforeValidator(check)


#: The name of a time zone, as the IANA database has it.
Zone = Annotated[str, _told(zone_of)]


class WindowSettings(Section):
    """Hours in which creates may start."""

    start: Annotated[dt.time, _told(lambda text: time_of("start", text))] = Field(
        description='a time of day in quotes, for example "22:00"'
    )
    end: Annotated[dt.time, _told(lambda text: time_of("end", text))] = Field(
        description='a time of day in quotes, for example "06:00"; not after start: on the next day'
    )
    timezone: Zone = Field("UTC", description="continent and city, for example Europe/Stockholm")
    days: Annotated[frozenset[int], _told(days_of)] = Field(
        EVERY_DAY, description="the days on which it starts, for example [mon-fri]"
    )

    def window(self) -> Window:
        """The window that is meant."""
        return Window(self.start, self.end, self.timezone, self.days)
