"""The contact sheet of a batch that runs: written at most once a minute, by one worker, never after the report's."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from orchestrator.items.decision import Decision
from orchestrator.items.states import Event, State
from orchestrator.ledger.keys import Ref
from orchestrator.ledger.records import Claim
from orchestrator.ledger.store import Store
from orchestrator.reports import sheet_claim
from tests.ledger import accept, admit, batch_of, deployment, intend, item, submit
from workers import fresh_sheet as step
from workers.fresh_sheet import fresh_sheet
from workers.renewal import ClaimLost
from workers.report import report
from workers.sinks import ArchiveUnavailable
from workers.sinks.directory import DirectorySink
from workers.station import Station

pytestmark = pytest.mark.asyncio

SHEET: Mapping[str, str] = {"sheet": "archive"}
BOTH: Mapping[str, str] = {"sheet": "archive", "report": "archive"}
EAST = deployment()


async def claimed(store: Store, pools: Mapping[str, str] = SHEET) -> list[Claim]:
    claims, _ = await store.claim({"archive": 4}, pools=pools, deployments=["east"], allowance_s=30, furthest_s=1e6)
    return [claim for claim in claims if claim.step in pools]


async def due_in_s(store: Store, name: str = "spring") -> float | None:
    """In how many seconds the batch's page is due."""
    at = await store.redis.zscore(f"{store.keys.prefix}sheets", name)
    seconds, micros = await store.redis.time()
    return None if at is None else at / 1000 - seconds - micros / 1e6


async def let_pass(store: Store) -> None:
    """The minute is over."""
    await store.redis.zadd(f"{store.keys.prefix}sheets", {"spring": 1}, xx=True)


def station(store: Store, archive: Path, **more: Any) -> Station:
    return Station(store, {}, more.pop("sink", DirectorySink(archive)), lambda: 1_790_000_000.0, lambda _: None, 30.0)


async def started(store: Store, *keys: str) -> list[Claim]:
    await submit(store, [item(key) for key in keys])
    return list((await admit(store, EAST, most=1)).admitted)


async def finish(store: Store, claim: Claim) -> None:
    """An admitted item fails: it is one move."""
    await store.apply(claim.ref, claim.version, Decision(Event.REFUSED, {"reason": "invalid_request", "message": "no"}))


async def test_a_page_is_due_a_minute_after_the_first_move(store: Store) -> None:
    await submit(store, [item("a"), item("b")])
    assert await due_in_s(store) is None  # nothing to see that the manifest does not say
    await admit(store, EAST, most=1)
    first = await due_in_s(store)
    assert first is not None
    assert 50 < first <= 60
    await admit(store, EAST, most=1)  # a later move does not put it off
    later = await due_in_s(store)
    assert later is not None
    assert later <= first
    assert await claimed(store) == []


async def test_one_worker_at_a_time_writes_it(store: Store, tmp_path: Path) -> None:
    await started(store, "a", "b")
    await let_pass(store)
    (claim,) = await claimed(store)
    assert await claimed(store) == []
    await fresh_sheet(station(store, tmp_path), claim)
    assert '"running":true' in (tmp_path / "spring/index.html").read_text()
    assert await due_in_s(store) is None  # nothing moved meanwhile: nothing is written until something does


async def test_what_moved_while_it_was_written_is_in_the_next(store: Store) -> None:
    (a,) = await started(store, "a", "b")
    await let_pass(store)
    (claim,) = await claimed(store)
    await finish(store, a)
    await sheet_claim.end(store, "spring", claim.version, took_s=1.0)
    assert 50 < (await due_in_s(store) or 0) <= 60


async def test_a_page_that_took_long_is_written_more_seldom(store: Store) -> None:
    (a,) = await started(store, "a", "b")
    await let_pass(store)
    (claim,) = await claimed(store)
    await finish(store, a)
    await sheet_claim.end(store, "spring", claim.version, took_s=30.0)
    assert 590 < (await due_in_s(store) or 0) <= 600


async def test_a_worker_that_dies_leaves_it_to_the_next(store: Store, tmp_path: Path) -> None:
    await started(store, "a", "b")
    await let_pass(store)
    (lost,) = await claimed(store)
    await let_pass(store)  # its claim ended
    (claim,) = await claimed(store)
    with pytest.raises(ClaimLost):
        await fresh_sheet(station(store, tmp_path), lost)
    assert not (tmp_path / "spring/index.html").exists()
    await fresh_sheet(station(store, tmp_path), claim)
    assert (tmp_path / "spring/index.html").exists()


@pytest.mark.parametrize("which", ["sheet", "report"])
async def test_a_worker_that_wakes_late_puts_no_older_page_in_the_place_of_a_newer_one(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, which: str
) -> None:
    """Its claim has ended while it slept, though nobody could tell it yet."""
    asleep = [0.0]
    monkeypatch.setattr("workers.renewal.clock", lambda: asleep[0])

    class Sleepy(DirectorySink):
        async def save(self, name: str, chunks: Any, **more: Any) -> Any:
            asleep[0] += 31
            return await super().save(name, chunks, **more)

    (a,) = await started(store, "a")
    if which == "report":
        await finish(store, a)
    await let_pass(store)
    (claim,) = await claimed(store, BOTH)
    at = station(store, tmp_path, sink=Sleepy(tmp_path))
    with pytest.raises(ClaimLost):
        await (fresh_sheet(at, claim) if which == "sheet" else report(at, "spring", claim.version))
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


async def test_the_report_waits_for_whoever_writes_the_page(store: Store, tmp_path: Path) -> None:
    """Else an older page might take the place of the last one."""
    (a,) = await started(store, "a")
    await let_pass(store)
    (claim,) = await claimed(store)
    await finish(store, a)
    assert (await batch_of(store)).final_at is not None
    assert await claimed(store, BOTH) == []
    with pytest.raises(ClaimLost):
        await fresh_sheet(station(store, tmp_path), claim)
    (report,) = await claimed(store, BOTH)
    assert report.step == "report"
    assert await due_in_s(store) is None


async def test_a_batch_that_ended_has_its_page_from_the_report_alone(store: Store) -> None:
    (a,) = await started(store, "a")
    assert await due_in_s(store) is not None
    await finish(store, a)
    assert await due_in_s(store) is None
    assert [claim.step for claim in await claimed(store, BOTH)] == ["report"]


async def test_an_archive_that_refuses_the_page_stops_nothing(store: Store, tmp_path: Path) -> None:
    class Full(DirectorySink):
        async def save(self, *_: object, **__: object) -> Any:
            raise ArchiveUnavailable("full", "free some")

    await started(store, "a", "b")
    await let_pass(store)
    (claim,) = await claimed(store)
    await fresh_sheet(station(store, tmp_path, sink=Full(tmp_path)), claim)
    assert await due_in_s(store) is None
    assert "sheet_began" not in (await batch_of(store)).fields


async def test_an_archive_that_keeps_all_it_has_gets_no_page_before_the_report_s(store: Store, tmp_path: Path) -> None:
    """Under a retention policy each minute's page would stay there for good."""

    class Keeping(DirectorySink):
        keeps = True

    await started(store, "a", "b")
    await let_pass(store)
    (claim,) = await claimed(store)
    await fresh_sheet(station(store, tmp_path, sink=Keeping(tmp_path)), claim)
    assert not (tmp_path / "spring").exists()
    assert "sheet_began" not in (await batch_of(store)).fields


async def test_a_worker_that_stops_hands_the_page_back(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await started(store, "a", "b")
    await let_pass(store)
    (claim,) = await claimed(store)
    began = asyncio.Event()

    async def slow(*_: object, **__: object) -> None:
        began.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(step, "write_sheet", slow)
    writing = asyncio.create_task(fresh_sheet(station(store, tmp_path), claim))
    await began.wait()
    writing.cancel()
    with suppress(asyncio.CancelledError):
        await writing
    assert (await due_in_s(store) or 0) <= 0
    assert len(await claimed(store)) == 1


async def test_a_video_on_its_way_is_on_the_page(store: Store, tmp_path: Path) -> None:
    (a,) = await started(store, "a", "b")
    await intend(store, a)
    await accept(store, a, "video_1")
    await let_pass(store)
    (claim,) = await claimed(store)
    await fresh_sheet(station(store, tmp_path), claim)
    assert '"counts":{"rendering":1,"waiting":1}' in (tmp_path / "spring/index.html").read_text()
    found = await store.load(Ref("spring", "a"))
    assert found is not None
    assert found.state is State.RENDERING
