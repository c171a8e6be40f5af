"""When a finished video is given up, and when it is only tried again (promises 21 and 24)."""

from __future__ import annotations

import dataclasses
import json
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from orchestrator.items.states import Event, State
from orchestrator.ledger.keys import Ref
from orchestrator.ledger.records import Attempt, Item, Spec
from orchestrator.ledger.store import Store
from tests.ledger import deployment
from tests.workers.creating import desk_at
from workers.archiving.archive import _decide, archive
from workers.rendering.create import create
from workers.rendering.look import decide as look
from workers.rendering.verdict import not_sent
from workers.sinks import ArchiveUnavailable
from workers.sinks.directory import DirectorySink
from workers.station import Line, Station
from workers.video_api import BadAnswer, Denied, Missing, RemoteJob, RemoteStatus, ServerFault

pytestmark = pytest.mark.asyncio

NOW = 1_790_000_000.0


class Gone:
    """A provider whose content answers 404; `job` is what a get answers, or raises."""

    def __init__(self, job: RemoteJob | Exception) -> None:
        self.job = job

    @asynccontextmanager
    async def content(self, content_id: str) -> Any:
        raise Missing("not found", status=404)
        yield

    async def get(self, remote_id: str) -> RemoteJob:
        if isinstance(self.job, Exception):
            raise self.job
        return self.job


def finished(**fields: str) -> Item:
    spec = Spec("a", "prompt", "sora-2", "1280x720", 4, "v1:x", {})
    made = Attempt.parse(1, {"deployment": "east", "scope": "s", "remote_id": "video_1"})
    facts = {"content_id": "video_1", "expires_at": str((NOW + 3600) * 1000), **fields}
    return Item(Ref("b", "a"), State.ARCHIVING, 3, spec, 1, made, None, None, "east", facts)


async def decision(tmp_path: Path, job: RemoteJob | Exception, item: Item, now: float = NOW) -> Any:
    line = Line(deployment(), Gone(job))  # type: ignore[arg-type]
    nothing: Any = None
    station = Station(nothing, {"east": line}, DirectorySink(tmp_path), lambda: now, lambda _: None, 30.0)
    return await _decide(station, item)


async def test_one_404_never_gives_up_a_finished_video(tmp_path: Path) -> None:
    tried = await decision(tmp_path, Missing("not found", status=404), finished())
    assert (tried.event, tried.item["missing"]) == (Event.POSTPONED, 1)
    assert tried.due_in_s >= 60


async def test_a_video_is_lost_after_three_404s_in_two_minutes(tmp_path: Path) -> None:
    seen = finished(missing="2", missing_since=str(NOW * 1000))
    assert (await decision(tmp_path, Missing("no", status=404), seen, NOW + 60)).event is Event.POSTPONED
    lost = await decision(tmp_path, Missing("no", status=404), seen, NOW + 121)
    assert (lost.event, lost.money) == (Event.LOST, "confirmed")


async def test_a_video_that_is_gone_after_its_expiry_is_lost_at_once(tmp_path: Path) -> None:
    assert (await decision(tmp_path, Missing("no", status=404), finished(), NOW + 3601)).event is Event.LOST


async def test_a_job_that_is_still_there_is_tried_again_and_its_misses_are_forgotten(tmp_path: Path) -> None:
    job = RemoteJob("video_1", RemoteStatus.SUCCEEDED, "completed", content_ids=("video_1",))
    tried = await decision(tmp_path, job, finished(missing="2", missing_since=str(NOW * 1000)), NOW + 300)
    assert (tried.event, tried.item["missing"]) == (Event.POSTPONED, 0)


async def test_a_provider_in_trouble_is_no_word_about_the_video(tmp_path: Path) -> None:
    assert (await decision(tmp_path, ServerFault("oops", status=503), finished())).event is Event.POSTPONED


async def test_tries_come_later_and_later_but_never_stop(tmp_path: Path) -> None:
    waits = []
    for tries in (0, 3, 5000):
        item = finished(archive_tries=str(tries))
        waits.append((await decision(tmp_path, ServerFault("oops", status=503), item)).due_in_s)
    assert waits == [pytest.approx(1.125 * least, rel=1 / 9) for least in (2.0, 16.0, 300.0)]


class Broken(Gone):
    """A provider that answers a download with `trouble`."""

    def __init__(self, trouble: Exception) -> None:
        super().__init__(RemoteJob("video_1", RemoteStatus.SUCCEEDED, "completed", content_ids=("video_1",)))
        self.trouble = trouble

    @asynccontextmanager
    async def content(self, content_id: str) -> Any:
        raise self.trouble
        yield


async def late(tmp_path: Path, trouble: Exception, past_s: float, **settings: Any) -> Any:
    """What is decided so long after the video's deadline."""
    line = Line(deployment(**settings), Broken(trouble))  # type: ignore[arg-type]
    nothing: Any = None
    now = NOW + 3600 + past_s
    station = Station(nothing, {"east": line}, DirectorySink(tmp_path), lambda: now, lambda _: None, 30.0)
    return await _decide(station, finished())


async def test_what_never_arrives_whole_is_given_up_an_hour_after_its_deadline(tmp_path: Path) -> None:
    """Else a server that serves pages in place of videos would keep its batch from ending."""
    wrong = BadAnswer("a page, not a video", status=200)
    assert (await late(tmp_path, wrong, 3500)).event is Event.POSTPONED
    lost = await late(tmp_path, wrong, 3700)
    assert (lost.event, lost.item["reason"], lost.money) == (Event.LOST, "unreadable", "confirmed")
    assert (await late(tmp_path, wrong, 3700, on_expired="rerender")).event is Event.RETRIED


@pytest.mark.parametrize("trouble", [Denied("wrong key", status=401), ServerFault("oops", status=503)])
async def test_a_provider_that_cannot_be_asked_is_waited_for_as_long_again(tmp_path: Path, trouble: Exception) -> None:
    """Promise 21: that ends no item; but nothing is kept for ever. What was never seen to be gone is not paid again."""
    assert (await late(tmp_path, trouble, 86_300)).event is Event.POSTPONED
    lost = await late(tmp_path, trouble, 86_500, on_expired="rerender")
    assert (lost.event, lost.item["reason"]) == (Event.LOST, "unreached")


async def test_a_receipt_counts_the_creates_that_were_sent(store: Store, tmp_path: Path) -> None:
    """The first time nothing left the machine: that was none. The second time it was refused."""
    async with desk_at(store) as desk:
        desk.station = dataclasses.replace(desk.station, sink=DirectorySink(tmp_path))
        first = await desk.admitted("a")
        await store.apply(first.ref, first.version, not_sent("connection refused"))
        await desk.witness.fault(on="create", do="status", status=401)
        await create(desk.station, await desk.admitted_again("a"))
        await create(desk.station, await desk.admitted_again("a"))
        desk.clock.off_s = 600
        rendering = await desk.item("a")
        seen = await desk.api.get(rendering.remote_id)
        await store.apply(rendering.ref, rendering.version, look(seen, rendering, desk.east, NOW))
        await archive(desk.station, await desk.item("a"))
        assert (await desk.item("a")).made == 3
        assert json.loads((tmp_path / "a/a.json").read_text("utf-8"))["attempts"] == 2


async def test_an_archive_that_refuses_gives_no_video_up(tmp_path: Path) -> None:
    """It is for a person to mend; and then the provider says whether the video is gone."""
    full = ArchiveUnavailable("no space left", mend="make room")
    assert (await late(tmp_path, full, 10**6)).archive_closed_s == 30.0


async def test_a_remote_video_is_deleted_only_once_the_ledger_has_its_item_archived(
    store: Store, tmp_path: Path
) -> None:
    """Promise 4: an answer that comes late may say, until then, that it is another item's."""
    async with desk_at(store) as desk:
        desk.station = dataclasses.replace(desk.station, sink=DirectorySink(tmp_path), delete_remote=True)
        await desk.created("a")
        desk.clock.off_s = 2
        await desk.created("b")  # the newest one is kept, to tell a whole list by
        desk.clock.off_s = 600
        rendering = await desk.item("a")
        seen = await desk.api.get(rendering.remote_id)
        await store.apply(rendering.ref, rendering.version, look(seen, rendering, desk.east, NOW))
        overtaken = await desk.item("a")
        await store.claim(
            {"archive": 1}, pools={"archive": "archive"}, deployments=["east"], allowance_s=30, furthest_s=600
        )
        await archive(desk.station, overtaken)
        assert (tmp_path / "a/a.json").exists()
        assert (await desk.api.get(seen.remote_id)).status is RemoteStatus.SUCCEEDED
        await archive(desk.station, await desk.item("a"))
        assert (await desk.item("a")).state is State.ARCHIVED
        with pytest.raises(Missing):
            await desk.api.get(seen.remote_id)
