"""Each way in which an upload can break ends with the video archived, byte for byte; and nothing half-written is ever
seen. A real Azurite behind a gate."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest

from orchestrator.items.states import Event
from tests.servers import Container
from tests.workers.sinks.conftest import blob_sink_of
from tests.workers.sinks.gate import Cut, Gate, Refusal, Request, Rule
from tests.workers.sinks.step import LARGE, MP4, SMALL, tried, until_archived
from tests.workers.test_archive import finished
from tests.workers.wire_server import answer

pytestmark = pytest.mark.usefixtures("no_pauses")
each_size = pytest.mark.parametrize("data", [SMALL, LARGE], ids=["small", "large"])


def nth(number: int, said: Any, which: Callable[[Request], bool]) -> Rule:
    """What the gate says to one request of a kind, counted from 1."""
    seen = itertools.count(1)
    return lambda request: said if which(request) and next(seen) == number else None


def names_video(request: Request) -> bool:
    return request.names and request.path.endswith(".mp4")


def names_receipt(request: Request) -> bool:
    return request.names and request.path.endswith(".json")


#: Name → the rule of the gate, and in how many tries a large video is archived with that.
UPLOADS: dict[str, tuple[Callable[[], Rule], int]] = {
    "block cut": (lambda: nth(1, Cut.BEFORE, lambda r: r.stages), 1),
    "block's answer cut": (lambda: nth(2, Cut.AFTER, lambda r: r.stages), 1),
    "block refused": (lambda: nth(2, Refusal(403, "AuthorizationFailure"), lambda r: r.stages), 2),
    "busy": (lambda: nth(1, Refusal(503, "ServerBusy", ("Retry-After: 60",)), lambda r: r.stages), 2),
    "commit cut": (lambda: nth(1, Cut.BEFORE, names_video), 1),
    "commit's answer cut": (lambda: nth(1, Cut.AFTER, names_video), 1),
    "commit fails": (lambda: nth(1, Refusal(500, "InternalError"), names_video), 1),
    "commit refused": (lambda: nth(1, Refusal(403, "AuthorizationFailure"), names_video), 2),
    "condition not met": (lambda: nth(1, Refusal(412, "ConditionNotMet"), names_video), 2),
    "lease": (lambda: nth(1, Refusal(412, "LeaseIdMissing"), names_video), 2),
    "container being deleted": (lambda: nth(1, Refusal(409, "ContainerBeingDeleted"), names_video), 2),
    "throttled": (lambda: nth(1, Refusal(429, "TooManyRequests"), names_video), 2),
}
#: A small one has no blocks, and is sent as one where the condition is not met although its name is free.
SMALL_TRIES = {"block refused": 1, "busy": 1, "condition not met": 1}


@each_size
@pytest.mark.parametrize("fault", UPLOADS)
async def test_an_upload_that_breaks_ends_archived(
    azurite_container: Container, provider: Callable[..., Any], fault: str, data: bytes
) -> None:
    rule, tries = UPLOADS[fault]
    api = await provider(answer(200, data, MP4))
    async with Gate(azurite_container, rule()) as gate, blob_sink_of(gate.container) as sink:
        assert len(await until_archived(sink, api, data)) == (tries if data is LARGE else SMALL_TRIES.get(fault, tries))


@pytest.mark.parametrize("said", [Cut.BEFORE, Cut.AFTER, Refusal(503, "ServerBusy", ("Retry-After: 60",))])
async def test_a_receipt_that_is_not_taken_keeps_the_video_from_being_done_and_it_is_not_fetched_again(
    azurite_container: Container, provider: Callable[..., Any], said: Any
) -> None:
    def rule(request: Request) -> Any:
        return said if names_receipt(request) else None

    api = await provider(answer(200, SMALL, MP4))
    async with Gate(azurite_container, rule) as gate, blob_sink_of(gate.container) as sink:
        assert (await tried(sink, api, finished())).event is Event.POSTPONED
    gone = await provider(answer(404, {}))
    async with blob_sink_of(azurite_container) as sink:
        assert (await tried(sink, gone, finished())).event is Event.ARCHIVED


async def test_a_store_that_asks_to_wait_is_left_alone_so_long_and_no_create_starts_meanwhile(
    azurite_container: Container, provider: Callable[..., Any]
) -> None:
    api = await provider(answer(200, SMALL, MP4))
    rule = nth(1, Refusal(503, "ServerBusy", ("Retry-After: 60",)), names_video)
    async with Gate(azurite_container, rule) as gate, blob_sink_of(gate.container) as sink:
        put_off = (await until_archived(sink, api, SMALL))[0]
    assert (put_off.due_in_s, put_off.archive_closed_s) == (60, 60)
