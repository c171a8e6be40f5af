"""Promise 27: no create starts whose video could not be archived in time; and people are told while there is time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from structlog.testing import capture_logs

from orchestrator.admission.controller import Admission, Answer
from orchestrator.admission.dispatcher import ARCHIVE_SLOTS
from orchestrator.expiry import THRESHOLDS_S, standing, watch
from orchestrator.items.decision import Decision
from orchestrator.items.states import Event, State
from orchestrator.ledger.keys import Ref
from orchestrator.ledger.store import Store
from orchestrator.reasons.why import why
from tests.ledger import HOUSE, NO_PACE, accept, admit, batch_of, deployment, intend, item, keys, state, submit
from tests.orchestrator.virtual_clock import on_virtual_time, start_ms, tell

START = start_ms()
A = Ref("spring", "a")


@pytest.fixture
async def store(redis: Any, namespace: str) -> Store:
    made = on_virtual_time(redis, namespace)
    await tell(made, START)
    return made


async def after(store: Store, seconds: float) -> None:
    await tell(store, START + round(seconds * 1000))


async def ask(store: Store, *, archives: bool = True, most: int = 1) -> Answer:
    return (await Admission(store, [deployment()], archives=archives).ask(most, allowance_s=600))["east"]


async def a_round(store: Store, name: str = "w1", *, archives: bool = True) -> None:
    """What a worker asks for in each round."""
    pools = {"archive": "archive"} if archives else {}
    await store.claim(
        {"archive": 0}, pools=pools, deployments=[], allowance_s=30, furthest_s=7200, archivist=name if archives else ""
    )


async def finished(store: Store, expiries_s: Sequence[float]) -> None:
    """So many videos are finished, each deleted so many seconds after the start."""
    await submit(store, [item(f"done{n}") for n in range(len(expiries_s))], batch="done")
    for n, (claim, at) in enumerate(
        zip((await admit(store, deployment(), batches=["done"])).admitted, expiries_s, strict=True)
    ):
        await intend(store, claim)
        _, version = await accept(store, claim, f"video_{n}")
        done = {"expires_at": START + round(at * 1000), "content_id": "x"}
        succeeded = Decision(Event.SUCCEEDED, done, {"completed_at": START}, "confirmed")
        await store.apply(claim.ref, int(version), succeeded)


async def learned(store: Store, mean_s: float) -> None:
    await store.redis.hset(store.keys.timings("@all"), "archive", f"{mean_s * 1000:.3f} 20 1,1")


async def test_a_worker_that_only_creates_does_not_create_alone(store: Store) -> None:
    await submit(store, [item("a")])
    answer = await ask(store, archives=False)
    assert (answer.admitted, answer.gate, answer.ask_again_in_s) == ((), "archive", None)
    found = await why(store, A, [deployment()])
    assert found is not None
    assert (found.gate, found.resume) == ("archive", "start a worker that archives: dailies worker")


async def test_it_creates_while_another_worker_archives_and_for_a_minute_after(store: Store) -> None:
    await submit(store, [item("a"), item("b")])
    await a_round(store)
    assert keys(await ask(store, archives=False)) == ["a"]
    await after(store, 61)
    assert (await ask(store, archives=False)).gate == "archive"
    await a_round(store, "w2")
    assert keys(await ask(store, archives=False)) == ["b"]


async def test_a_worker_that_polls_is_none_that_archives(store: Store) -> None:
    await submit(store, [item("a")])
    await a_round(store, archives=False)
    assert (await ask(store, archives=False)).gate == "archive"


async def test_a_worker_that_was_seen_by_a_clock_ahead_is_not_alive_for_ever(store: Store) -> None:
    await submit(store, [item("a")])
    await after(store, 7200)
    await a_round(store)
    await after(store, 0)
    assert (await ask(store, archives=False)).gate == "archive"
    await a_round(store, "w2")
    assert keys(await ask(store, archives=False)) == ["a"]


async def test_a_worker_notes_itself_every_ten_seconds_and_no_oftener(store: Store) -> None:
    """Each write is synced to the disk."""
    for at, seen in ((0, 0), (9, 0), (10, 10)):
        await after(store, at)
        await a_round(store)
        assert await store.redis.zscore(f"{store.keys.prefix}archivists", "w1") == START + seen * 1000


async def test_nothing_is_ordered_while_the_backlog_does_not_drain_before_its_earliest_expiry(store: Store) -> None:
    """Nine videos at ten seconds each and four at a time: thirty seconds."""
    await submit(store, [item("a")])
    await finished(store, [31, *[9000] * 8])
    await learned(store, 10)
    await after(store, 2)
    answer = await ask(store)
    assert (answer.admitted, answer.gate, answer.ask_again_in_s) == ((), "archive", 5)
    found = await why(store, A, [deployment()])
    assert found is not None
    assert (found.gate, found.until) == ("archive", START / 1000 + 7)
    assert "the provider would delete some of it" in found.summary
    for name in ("w1", "w2"):
        await a_round(store, name)
    assert keys(await ask(store)) == ["a"], "two workers are twice as fast"


async def test_what_was_admitted_before_the_archive_fell_behind_is_not_sent(store: Store) -> None:
    """Many may be admitted before a slow pace lets them leave."""
    await submit(store, [item("a")])
    (claim,) = (await ask(store)).admitted
    await finished(store, [100])
    await learned(store, 200)
    word, _, _ = await store.intend(claim.ref, claim.version, {}, pace=NO_PACE, due_in_s=60)
    assert (word, await state(store, "a")) == ("returned", State.WAITING)
    assert (await batch_of(store)).reserved == 0


async def test_what_was_admitted_before_nobody_archived_any_more_is_not_sent(store: Store) -> None:
    await submit(store, [item("a")])
    await a_round(store)
    (claim,) = (await ask(store, archives=False)).admitted
    await after(store, 61)
    assert (await ask(store, archives=False)).gate == "archive"
    word, _, _ = await store.intend(claim.ref, claim.version, {}, pace=NO_PACE, due_in_s=60)
    assert word == "returned"


async def test_it_is_ordered_while_the_backlog_drains_in_time(store: Store) -> None:
    await submit(store, [item("a")])
    await finished(store, [31, *[9000] * 8])
    await learned(store, 10)
    assert keys(await ask(store)) == ["a"]


async def test_what_is_past_its_time_holds_nothing_up(store: Store) -> None:
    """Waiting does not save it."""
    await submit(store, [item("a")])
    await finished(store, [5, 9000])
    await learned(store, 10)
    assert (await ask(store)).gate == "archive"
    await after(store, 6)
    assert keys(await ask(store)) == ["a"]


async def test_what_was_archived_or_lost_is_no_backlog_and_its_pace_is_learned(store: Store) -> None:
    await finished(store, [100, 200])
    claims, _ = await store.claim(
        {"archive": 9}, pools={"archive": "archive"}, deployments=[], allowance_s=30, furthest_s=7200
    )
    assert [claim.ref.item for claim in claims] == ["done0", "done1"], "the earliest first"
    await after(store, 4)
    await store.apply(claims[0].ref, claims[0].version, Decision(Event.ARCHIVED, {"file": "x"}))
    await store.apply(claims[1].ref, claims[1].version, Decision(Event.LOST))
    assert [await state(store, f"done{n}", "done") for n in (0, 1)] == [State.ARCHIVED, State.EXPIRED]
    assert (await standing(store)).backlog == 0
    assert (await store.read(store.keys.timings("@all")))["archive"].startswith("4000.000 1 ")


async def test_how_the_archive_stands_is_one_question(store: Store) -> None:
    await finished(store, [500, 400])
    await learned(store, 30)
    await a_round(store)
    found = await standing(store)
    assert (found.least_left_s, found.first, found.backlog) == (400, Ref("done", "done1"), 2)
    assert (found.drain_s, found.archivists, found.shut) == (30, 1, None)


async def test_each_threshold_of_the_least_time_left_is_told_once(store: Store) -> None:
    day = 86_400.0
    await finished(store, [day])
    told = []
    for left in (7 * 3600, 5 * 3600, 4 * 3600, 3500, 3400, 800, 60):
        await after(store, day - left)
        with capture_logs() as logs:
            await watch(store)
            await watch(store)
        told += [(left, line["under_s"], line["key"]) for line in logs if line["event"] == "expiry.is_near"]
    six, one, quarter = THRESHOLDS_S
    assert told == [(5 * 3600, six, "done0"), (3500, one, "done0"), (800, quarter, "done0")]


async def test_looking_without_telling_takes_no_news_from_who_tells(store: Store) -> None:
    await finished(store, [100])
    await standing(store)
    with capture_logs() as logs:
        await watch(store)
    assert [line["event"] for line in logs] == ["expiry.is_near"]


async def test_that_the_archive_falls_behind_is_told_once_and_that_it_caught_up(store: Store) -> None:
    await finished(store, [90_000 + n for n in range(5)])
    await learned(store, 80_000)
    with capture_logs() as logs:
        await watch(store)
        await watch(store)
        await learned(store, 1)
        await watch(store)
        await watch(store)
        await store.redis.hset(store.keys.meta, "archive_closed_until", START + 20_000)
        await watch(store)
    assert [(line["event"], line.get("why")) for line in logs] == [
        ("archive.falls_behind", "behind"),
        ("archive.caught_up", None),
        ("archive.falls_behind", "refused"),
    ]


async def test_that_nobody_archives_is_told_while_somebody_creates(store: Store) -> None:
    """Where all workers are away, nothing falls behind but what they were told to do."""
    assert (await standing(store)).shut is None
    await ask(store, archives=False)
    assert (await standing(store)).shut == "unattended"
    await after(store, 61)
    assert (await standing(store)).shut is None


def test_the_scripts_reckon_with_as_many_hands_as_a_worker_has() -> None:
    text = (HOUSE / "orchestrator/ledger/lua/shared/expiry.lua").read_text(encoding="utf-8")
    assert f"local HANDS = {ARCHIVE_SLOTS} " in text
