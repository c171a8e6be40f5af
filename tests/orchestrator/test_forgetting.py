"""Dropping a final batch: what is still of use is kept, and whoever dies at it is followed by another."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest
from arq.connections import ArqRedis

from orchestrator.admission.controller import scope
from orchestrator.batches import batch_lock
from orchestrator.batches.batch_lock import alone, drop, forget
from orchestrator.items.decision import Decision
from orchestrator.items.states import Event
from orchestrator.ledger import remote_ids, views
from orchestrator.ledger.store import Store
from tests.ledger import accept, admit, batch_of, deployment, intend, item, submit
from workers.report import report
from workers.sinks.directory import DirectorySink
from workers.station import Station

ENDED = Decision(Event.FAILED, {"reason": "no_video"}, money="unknown")


@pytest.fixture
def store(redis: ArqRedis, namespace: str) -> Store:
    return Store(redis, namespace)


async def ended(store: Store, *keys: str) -> None:
    """A batch whose items all came to nothing, each with a remote job."""
    await submit(store, [item(key) for key in keys])
    for claim in (await admit(store, deployment())).admitted:
        await intend(store, claim)
        _, version = await accept(store, claim, f"video_{claim.ref.item}")
        await store.apply(claim.ref, int(version), ENDED)


async def owners(store: Store, *remote: str) -> dict[str, str]:
    return await remote_ids.owners(store, scope(deployment()), remote)


async def test_who_drops_it_and_loses_the_last_answer_hears_that_it_is_gone(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A command whose answer is lost is given once more."""
    await ended(store, "a")
    run = store.scripts.run

    async def twice(name: str, *arguments: object) -> Any:
        await run(name, *arguments)
        return await run(name, *arguments)

    monkeypatch.setattr(store.scripts, "run", twice)
    assert await drop(store, "spring") == "gone"


async def test_rows_that_are_dropped_while_they_are_read_are_passed_over(store: Store) -> None:
    """Their page is read in several steps, and their specs may be gone at the second."""
    await ended(store, "a", "b")
    await store.redis.hdel(store.keys.specs("spring"), "a")
    assert [each.ref.item async for each in views.items(store, "spring")] == ["b"]


async def test_who_begins_alone_and_loses_the_answer_is_alone_all_the_same(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_ = store.redis.set

    async def twice(*arguments: Any, **options: Any) -> Any:
        await set_(*arguments, **options)
        return await set_(*arguments, **options)

    monkeypatch.setattr(store.redis, "set", twice)
    async with alone(store, "spring") as lock:
        assert lock is not None
        await lock.reacquire()
        async with alone(store, "spring") as another:
            assert another is None
        assert await lock.owned()
    assert not await store.redis.exists(store.keys.submit_lock("spring"))


async def test_a_batch_whose_report_is_not_out_is_kept_when_that_is_asked_for(store: Store) -> None:
    await ended(store, "a")
    assert await drop(store, "spring", reported=True) == "unreported"
    version = int((await store.read(store.keys.batch("spring"))).get("report_v") or 0)
    await store.end_report("spring", version, keep_s=1000)
    assert await drop(store, "spring", reported=True) == "gone"


async def test_whose_its_newest_remote_jobs_were_is_remembered_while_they_are_listed(store: Store) -> None:
    """A look through the list after Redis began anew knows them: they are not taken for rows that are ordered again."""
    await ended(store, "a")
    assert await forget(store, "spring")
    assert await owners(store, "video_a") == {"video_a": "spring/a#1"}


async def test_what_no_list_shows_any_more_is_dropped_with_the_next_batch(store: Store) -> None:
    await ended(store, "a")
    assert await forget(store, "spring")
    await store.redis.zadd(f"{store.keys.prefix}forgotten", {f"{scope(deployment())} video_a": 1})
    await ended(store, "b")
    assert await forget(store, "spring")
    assert list(await owners(store, "video_a", "video_b")) == ["video_b"]
    assert await remote_ids.newest(store, scope(deployment())) == ("video_b", 1_790_000_000)


async def test_a_batch_of_whose_items_a_remote_job_may_still_have_a_video_is_kept(store: Store) -> None:
    await ended(store, "a")
    await store.redis.hset(store.keys.orphans, f"{scope(deployment())} video_lost", "spring/a#1")
    assert await drop(store, "spring") == "orphans"
    (ref,) = [item.ref async for item in views.items(store, "spring")]
    await store.redis.hset(store.keys.attempt(ref, 1), mapping={"accepted_at": 1, "intent_at": 1})
    assert await drop(store, "spring") == "gone"
    assert await store.redis.hlen(store.keys.orphans) == 0


async def begun(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody began to drop a batch of three, and died after the first."""
    await ended(store, "a", "b", "c")
    version = int((await store.read(store.keys.batch("spring"))).get("report_v") or 0)
    await store.end_report("spring", version, keep_s=1000)
    monkeypatch.setattr(batch_lock, "FORGET_CHUNK", 1)
    left, word = await store.scripts.run("forget", "spring", 1, 0)
    assert (left, word) == (2, b"more")


async def test_a_batch_that_is_half_dropped_is_never_reported_but_dropped_by_the_next_worker(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its results in the archive tell of all rows: those that are left must not take their place."""
    await begun(store, monkeypatch)
    claims, _ = await store.claim(
        {"archive": 1}, pools={"report": "archive"}, deployments=[], allowance_s=30, furthest_s=3600
    )
    (claim,) = claims
    station = Station(store, {}, DirectorySink(tmp_path), lambda: 0.0, lambda _: None, 30.0)
    await report(station, "spring", claim.version)
    assert await views.batch(store, "spring") is None
    assert not (tmp_path / "spring").exists()


async def test_a_batch_that_is_half_dropped_is_dropped_before_it_is_submitted_again(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    await begun(store, monkeypatch)
    done = await submit(store, [item("a"), item("c")])
    assert (done.new, done.unchanged) == (2, 0)
    batch = await batch_of(store)
    assert (batch.total, sum(batch.counts.values())) == (2, 2)


async def test_a_batch_is_forgotten_by_itself_once_it_was_kept_for_long(store: Store, tmp_path: Path) -> None:
    await ended(store, "a")
    await store.end_report("spring", 0, keep_s=0)
    (claim,), _ = await store.claim(
        {"archive": 1}, pools={"report": "archive"}, deployments=[], allowance_s=30, furthest_s=3600
    )
    reported = (await batch_of(store)).reported_at or 0.0
    for clock, kept in ((reported + 99, True), (reported + 101, False)):
        sink = cast("Any", DirectorySink(tmp_path))
        station = Station(store, {}, sink, lambda at=clock: at, lambda _: None, 30.0, keep_s=100)
        await report(station, "spring", claim.version)
        assert (await views.batch(store, "spring") is not None) is kept
