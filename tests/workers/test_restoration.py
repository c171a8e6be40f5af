"""What receipts in the archive tell a ledger that is lost, or older: rows are archived again, and nothing else is."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Awaitable, Callable, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from arq.connections import ArqRedis

from orchestrator.admission.controller import scope
from orchestrator.batches.batch_lock import forget
from orchestrator.batches.comparison import Comparison
from orchestrator.batches.lifecycle import Action, Chosen, Word, ask
from orchestrator.batches.submission import Submission
from orchestrator.items.decision import Decision
from orchestrator.items.states import BatchState, Event, State
from orchestrator.ledger import remote_ids, views
from orchestrator.ledger.keys import Ref
from orchestrator.ledger.records import Claim
from orchestrator.ledger.store import Store
from orchestrator.settings import Budgets
from tests.ledger import accept, admit, batch_of, deployment, intend, item, state, submit
from workers.archiving.archived import ArchivedRows
from workers.recovering.restoration import Restored, restore, take_receipts
from workers.sinks.directory import DirectorySink
from workers.station import Line, Station

EAST = deployment()


@pytest.fixture
def store(redis: ArqRedis, namespace: str) -> Store:
    return Store(redis, namespace)


def receipt(folder: Path, key: str, *, video: bool = True, name: str = "", batch: str = "spring", **more: Any) -> None:
    """A receipt as an earlier ledger's archive step wrote it, and its video."""
    row = item(key)
    paper = {
        "batch": batch,
        "key": key,
        "revision": 1,
        "prompt": row.prompt,
        "labels": {"Market": "SE"},
        "model": row.model,
        "size": row.size,
        "seconds": row.seconds,
        "fingerprint": row.fingerprint,
        "deployment": "east",
        "remote_id": f"video_{key}",
        "adopted": "answer",
        "attempts": 1,
        "request_ids": ["r1"],
        "created_at": "2026-11-21T08:00:00Z",
        "completed_at": "2026-11-21T08:01:00Z",
        "archived_at": "2026-11-21T08:02:00Z",
        "expires_at": "",
        "bytes": 3,
        "sha256": "ab",
        "video": {"duration_s": 4.0, "width": 1280, "height": 720, "has_audio": True, "container": "mp4"},
        "mismatch": [],
        "cost_usd": 0.4,
        "url": f"file:///archive/{batch}/{key}.mp4",
        "file": f"{name or key}.mp4",
        **more,
    }
    (folder / batch).mkdir(parents=True, exist_ok=True)
    (folder / batch / f"{name or key}.json").write_text(json.dumps(paper))
    if video:
        (folder / batch / f"{name or key}.mp4").write_bytes(b"abc")


async def restored(store: Store, folder: Path, batch: str = "spring") -> Restored:
    return await restore(store, DirectorySink(folder), batch, (EAST,), keep_s=1000)


async def taken(store: Store, folder: Path) -> int:
    line = Line(EAST, None)  # type: ignore[arg-type]
    return await take_receipts(Station(store, {"east": line}, DirectorySink(folder), float, lambda _: None, 30.0))


async def waiting(store: Store, claim: Claim) -> None:
    await store.apply(claim.ref, claim.version, Decision(Event.RETURNED, money="none"))


async def admitted(store: Store, claim: Claim) -> None:
    pass


async def creating(store: Store, claim: Claim) -> None:
    await intend(store, claim)


async def rendering(store: Store, claim: Claim) -> None:
    await intend(store, claim)
    await accept(store, claim, "video_a")


async def held(store: Store, claim: Claim) -> None:
    version = await intend(store, claim)
    await store.apply(claim.ref, version, Decision(Event.HELD, {"reason": "outcome_unknown"}, money="unknown"))


@pytest.mark.parametrize("stands", [waiting, admitted, creating, rendering, held])
async def test_whatever_an_older_ledger_takes_it_for_what_was_archived_since_is_archived(
    store: Store, tmp_path: Path, stands: Callable[[Store, Claim], Awaitable[None]]
) -> None:
    receipt(tmp_path, "a")
    await submit(store, [item("a"), item("b")])
    (claim,) = (await admit(store, EAST, 1)).admitted
    await stands(store, claim)
    assert await taken(store, tmp_path) == 1
    assert (await state(store, "a"), await state(store, "b")) == (State.ARCHIVED, State.WAITING)
    batch = await batch_of(store)
    assert (batch.confirmed, batch.unknown, batch.reserved) == (400_000, 0, 0)
    assert await store.redis.zcard(store.keys.open("east")) == 0
    found = await store.load(Ref("spring", "a"))
    assert found is not None
    assert (found.remote_id, found.fields["sha256"], found.reason) == ("video_a", "ab", None)


ENDS: dict[State, Sequence[Decision]] = {
    State.RENDERING: (),
    State.ARCHIVING: (Decision(Event.SUCCEEDED, {"content_id": "video_a"}, money="confirmed"),),
    State.FAILED: (Decision(Event.FAILED, {"reason": "internal_error"}, money="unknown"),),
    State.EXPIRED: (Decision(Event.SUCCEEDED, money="confirmed"), Decision(Event.LOST, {"reason": "expired"})),
}


@pytest.mark.parametrize("then", ENDS)
async def test_what_was_made_anew_since_is_archived_by_its_later_receipt(
    store: Store, tmp_path: Path, then: State
) -> None:
    """Promise 12: the older ledger knows the first attempt alone, and would pay for the second one again."""
    receipt(tmp_path, "a", remote_id="video_later")
    await submit(store, [item("a")])
    (claim,) = (await admit(store, EAST)).admitted
    await rendering(store, claim)
    for decision in ENDS[then]:
        found = await store.load(claim.ref)
        assert found is not None
        await store.apply(claim.ref, found.version, decision)
    before = await batch_of(store)
    assert await state(store, "a") is then
    assert await taken(store, tmp_path) == 1
    found, batch = await store.load(claim.ref), await batch_of(store)
    assert found is not None
    assert (found.state, found.remote_id, found.made, found.reason) == (State.ARCHIVED, "video_later", 2, None)
    assert (batch.confirmed + batch.unknown, batch.reserved) == (before.confirmed + before.unknown + 400_000, 0)
    assert batch.counts[State.ARCHIVED] == batch.total == 1
    assert batch.state is BatchState.FINAL
    redis, keys = store.redis, store.keys
    left = [await redis.zcard(key) for key in (keys.open("east"), keys.archive_due, f"{keys.prefix}archive:ready")]
    assert left == [0, 0, 0]
    owners = await remote_ids.owners(store, scope(EAST), ["video_a", "video_later"])
    assert owners == {"video_a": "spring/a#1", "video_later": "spring/a#2"}


async def test_what_was_cancelled_and_then_made_after_all_is_archived(store: Store, tmp_path: Path) -> None:
    receipt(tmp_path, "a")
    await submit(store, [item("a"), item("b")])
    await ask(store, "spring", Action.CANCEL, Word("a person"), Chosen(["a"]))
    assert await taken(store, tmp_path) == 1
    found = await store.load(Ref("spring", "a"))
    assert found is not None
    assert (found.state, found.reason, "cancel" in found.fields) == (State.ARCHIVED, None, False)


@pytest.mark.parametrize("more", [{"adopted": "time"}, {"remote_id": "video_b"}])
async def test_a_receipt_that_proves_less_than_an_answer_moves_nothing(
    store: Store, tmp_path: Path, more: dict[str, str]
) -> None:
    """Its job was only guessed to be this item's, or is another item's."""
    receipt(tmp_path, "a", **({"remote_id": "video_later"} | more))
    await submit(store, [item("a"), item("b")])
    for claim in (await admit(store, EAST)).admitted:
        await intend(store, claim)
        await accept(store, claim, f"video_{claim.ref.item}")
    assert await taken(store, tmp_path) == 0
    assert await state(store, "a") is State.RENDERING


async def test_another_remote_job_than_the_receipts_goes_on(store: Store, tmp_path: Path) -> None:
    """It was sent anew since, by a person's word: that video is paid for too."""
    receipt(tmp_path, "a", remote_id="video_before")
    await submit(store, [item("a")])
    (claim,) = (await admit(store, EAST)).admitted
    await store.redis.hset(store.keys.item(claim.ref), "again", 1)  # as `submit --again` does
    await rendering(store, claim)
    assert await taken(store, tmp_path) == 0
    assert await state(store, "a") is State.RENDERING


async def test_receipts_are_compared_once_in_each_life_of_redis(store: Store, tmp_path: Path) -> None:
    await submit(store, [item("a")])
    assert await taken(store, tmp_path) == 0
    receipt(tmp_path, "a")
    assert await taken(store, tmp_path) == 0
    await store.redis.hset(store.keys.meta, "receipts_taken", "another run")
    assert await taken(store, tmp_path) == 1


async def test_a_lost_batch_comes_back_with_every_revision_in_its_order(store: Store, tmp_path: Path) -> None:
    for n in (1, 2, 10):
        name = "a" if n == 1 else f"a~{n}"
        receipt(tmp_path, "a", name=name, fingerprint=f"v1-{n:020}", revision=n, remote_id=f"video_{n}")
    receipt(tmp_path, "b")
    done = await restored(store, tmp_path)
    assert (done.receipts, done.restored, done.known, done.unusable) == (4, 4, 0, ())
    batch = await batch_of(store)
    assert (batch.total, batch.counts[State.ARCHIVED], batch.confirmed) == (4, 4, 1_600_000)
    assert batch.columns == ("prompt", "model", "size", "seconds", "Market")
    assert batch.reported_at is None  # no results stand there: a worker writes them
    files = [each.fields["file"] async for each in views.items(store, "spring")]
    assert files == ["a.mp4", "a~2.mp4", "a~10.mp4", "b.mp4"]
    assert await remote_ids.owners(store, scope(EAST), ["video_10"]) == {"video_10": "spring/a~3#1"}
    again = await restored(store, tmp_path)
    assert (again.restored, again.known) == (0, 4)


async def test_the_same_manifest_finds_restored_rows_as_its_own(store: Store, tmp_path: Path) -> None:
    receipt(tmp_path, "a")
    await restored(store, tmp_path)
    done = await submit(store, [item("a"), item("b")])
    assert (done.new, done.changed, done.unchanged + done.updated) == (1, 0, 1)


async def test_what_moves_in_a_ledger_that_knows_the_batch_stays_wanted(store: Store, tmp_path: Path) -> None:
    """The row was changed after the video of its receipt was made: the change is not taken back."""
    await submit(store, [item("a", prompt="another")])
    receipt(tmp_path, "a")
    done = await restored(store, tmp_path)
    assert done.restored == 1
    assert await state(store, "a") is State.WAITING
    assert (await submit(store, [item("a", prompt="a third")])).changed == 1
    batch = await batch_of(store)
    assert (batch.total, batch.counts[State.WAITING], batch.counts[State.ARCHIVED]) == (2, 1, 1)


async def test_receipts_that_cannot_be_used_are_counted_and_left(store: Store, tmp_path: Path) -> None:
    receipt(tmp_path, "a", video=False)
    receipt(tmp_path, "b")
    receipt(tmp_path, "c", name="stolen")
    (tmp_path / "spring/d.json").write_text("[]")
    (tmp_path / "spring/e.json").write_text('{"key": "e"}')
    done = await restored(store, tmp_path)
    assert (done.receipts, done.restored) == (5, 1)
    assert set(done.unusable) == {"a.json", "d.json", "e.json", "stolen.json"}


async def test_a_folder_without_receipts_makes_no_batch(store: Store, tmp_path: Path) -> None:
    (tmp_path / "inputs").mkdir()
    assert (await restored(store, tmp_path, "inputs")).receipts == 0
    assert await views.batch(store, "inputs") is None


BUDGETS = Budgets(day_usd=Decimal(5), month_usd=Decimal(50))


def paid(folder: Path, key: str, days_ago: int, **more: Any) -> None:
    """A receipt of a video that was paid so many days ago, at the same hour."""
    then = dt.datetime.now(dt.UTC) - dt.timedelta(days=days_ago)
    receipt(folder, key, created_at=f"{then:%Y-%m-%dT%H:%M:%SZ}", **more)


async def spent(store: Store) -> dict[str, int]:
    """Of the day and the month that it is, what is confirmed, in micro-dollars."""
    now = dt.datetime.now(dt.UTC)
    periods = {"day": f"day:{now:%Y-%m-%d}", "month": f"month:{now:%Y-%m}"}
    found = {name: await store.read(store.keys.budget(each)) for name, each in periods.items()}
    return {name: int(fields.get("confirmed", 0)) for name, fields in found.items()}


async def test_budgets_of_the_day_and_the_month_know_again_what_their_receipts_say(
    store: Store, tmp_path: Path
) -> None:
    """And not more than that, however often they are read."""
    paid(tmp_path, "today", 0)
    paid(tmp_path, "long-ago", 70)
    for _ in range(2):
        await restore(store, DirectorySink(tmp_path), "spring", (EAST,), keep_s=1000, budgets=BUDGETS)
        assert await spent(store) == {"day": 400_000, "month": 400_000}
    accounts = await store.redis.keys(f"{store.keys.prefix}budget:*")
    assert len(accounts) == 2, "what is long over does not come back"
    assert all([await store.redis.ttl(name) > 0 for name in accounts])


async def test_an_older_ledger_is_told_too_and_what_it_knows_is_not_counted_again(store: Store, tmp_path: Path) -> None:
    east = Line(EAST, None)  # type: ignore[arg-type]
    station = Station(store, {"east": east}, DirectorySink(tmp_path), float, lambda _: None, 30.0, budgets=BUDGETS)
    await submit(store, [item("a"), item("b")])
    (claim,) = (await admit(store, EAST, 1, budgets=BUDGETS)).admitted
    await rendering(store, claim)
    before = await store.read(store.keys.budget(f"day:{dt.datetime.now(dt.UTC):%Y-%m-%d}"))
    assert before["unknown"] == "400000"
    for key in "ab":
        paid(tmp_path, key, 0)
    assert await take_receipts(station) == 2
    assert await spent(store) == {"day": 800_000, "month": 800_000}


async def test_a_batch_that_was_forgotten_is_not_charged_again(store: Store, tmp_path: Path) -> None:
    """Its money stands in the budgets as it stood."""
    paid(tmp_path, "a", 0)
    await restore(store, DirectorySink(tmp_path), "spring", (EAST,), keep_s=1000, budgets=BUDGETS)
    assert await forget(store, "spring")
    await restore(store, DirectorySink(tmp_path), "spring", (EAST,), keep_s=1000, budgets=BUDGETS)
    assert await spent(store) == {"day": 400_000, "month": 400_000}


async def test_a_submit_that_finds_receipts_charges_them_too(store: Store, tmp_path: Path) -> None:
    """A ledger that was lost is told either way, and a video is charged once."""
    paid(tmp_path, "a", 0)
    for _ in range(2):
        receipts = ArchivedRows(DirectorySink(tmp_path), "spring", (EAST,))
        comparison = Comparison(store, "spring", find_receipts=receipts.find, writes=True)
        submission = Submission(store, "spring", deployments=(EAST,), progress=lambda _: None, budgets=BUDGETS)
        await submission.submit(
            [item("a")],
            kinds=[("sora-2", "1280x720", 4, None)],
            columns=(),
            budget_usd=None,
            template="spring",
            comparison=comparison,
        )
        await restore(store, DirectorySink(tmp_path), "spring", (EAST,), keep_s=1000, budgets=BUDGETS)
        assert await state(store, "a") is State.ARCHIVED
        assert await spent(store) == {"day": 400_000, "month": 400_000}
