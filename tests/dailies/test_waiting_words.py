"""What `run` says of a deployment that takes nothing right now."""

from __future__ import annotations

import datetime as dt
import re
import time
from types import SimpleNamespace
from typing import Any, cast

from dailies.rendering.running import _gates
from orchestrator.admission.controller import Answer
from orchestrator.clock import local


async def words(**answers: Answer) -> str:
    worker: Any = SimpleNamespace(dispatcher=SimpleNamespace(answers=answers))
    return await _gates(cast("Any", None), worker)


async def test_outside_a_window_it_says_until_when_by_the_clock_on_the_wall() -> None:
    """To the minute, and so without trembling from look to look."""
    opens_at = 60 * (int(time.time() // 60) + 300)
    said = await words(east=Answer((), "window", opens_at - time.time() - 0.2))
    assert said == f"east: outside the window, until {local(opens_at)}"
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d \S+", local(opens_at))


async def test_the_time_on_the_wall_is_this_machines_own() -> None:
    instant = dt.datetime(2026, 11, 21, 22, 0).astimezone().timestamp()
    assert local(instant).startswith("2026-11-21 22:00 ")


async def test_a_window_that_nobody_knows_the_end_of_is_only_named() -> None:
    assert await words(east=Answer((), "window", None)) == "east: window"
