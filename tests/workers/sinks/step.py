"""Tries of the archive step as it is, against a provider and an archive that are spoiled by a test."""

from __future__ import annotations

import json
import random
from typing import Any

from orchestrator.items.states import Event
from orchestrator.ledger.records import Item
from tests.ledger import deployment
from tests.workers.test_archive import NOW, finished
from tests.workers.test_delivery import film
from workers.archiving.archive import _decide
from workers.sinks import Sink
from workers.station import Line, Station

MP4 = {"Content-Type": "video/mp4"}
TAGGED = {**MP4, "ETag": '"v1"'}
NAME = "b/a.mp4"


def whole(blocks: int = 0) -> bytes:
    """A whole video of so many blocks of 4 MiB and a little."""
    data = film()
    padding = random.Random(blocks).randbytes(blocks * 4 * 1024 * 1024)
    return data + (len(padding) + 8).to_bytes(4, "big") + b"free" + padding if padding else data


SMALL, LARGE = whole(), whole(2)


async def tried(sink: Sink, api: Any, item: Item, now: float = NOW) -> Any:
    """One try of the archive step, and what it decides."""
    nothing: Any = None
    station = Station(nothing, {"east": Line(deployment(), api)}, sink, lambda: now, lambda _: None, 30.0)
    return await _decide(station, item)


async def until_archived(sink: Sink, api: Any, data: bytes) -> list[Any]:
    """Every try's decision; before the last nothing of the video is seen, and then all of it."""
    decided = []
    for _ in range(9):
        decided.append(await tried(sink, api, finished()))
        if decided[-1].event is Event.ARCHIVED:
            break
        assert decided[-1].event is Event.POSTPONED
        assert [name async for name in sink.names("b")] == []
    assert decided[-1].event is Event.ARCHIVED
    assert b"".join([chunk async for chunk in sink.chunks(NAME)]) == data
    assert json.loads(await sink.read("b/a.json"))["bytes"] == len(data)
    return decided
