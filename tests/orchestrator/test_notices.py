"""What people are to be told: noted once, by whoever sees it first, and kept until it has arrived."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.items.decision import Decision
from orchestrator.items.states import Event
from orchestrator.ledger.store import Store
from orchestrator.reports.lookout import Lookout
from orchestrator.reports.notices import CLAIM_S, GIVE_UP_S, Notice, announce, claim, outstanding, settle
from tests.ledger import admit, batch_of, deployment, intend, item, submit
from tests.orchestrator.test_expiry import START, after, finished
from tests.orchestrator.virtual_clock import on_virtual_time, tell

ALL = {"ended": ["ops"], "stopped": ["ops", "team"], "expiry": ["ops"]}
ARCHIVE = "https://a.blob.core.windows.net/videos/"


@pytest.fixture
async def store(redis: Any, namespace: str) -> Store:
    made = on_virtual_time(redis, namespace)
    await tell(made, START)
    return made


def lookout(store: Store, **more: Any) -> Lookout:
    return Lookout(store, [deployment()], **{"subscribers": ALL, "archive": ARCHIVE, **more})


async def claimed(store: Store, *channels: str) -> list[Notice]:
    return (await claim(store, channels or ("ops", "team"), 10))[0]


async def test_what_several_see_is_told_once_to_each_who_wants_to_know(store: Store) -> None:
    await submit(store, [item("a")])
    news = [await announce(store, "spring", "ended", "1", {"batch": "spring"}, ["ops", "team"]) for _ in range(3)]
    assert news == [True, False, False]
    found = await claimed(store)
    assert sorted(n.channel for n in found) == ["ops", "team"]
    assert len({n.id for n in found}) == 2
    assert await announce(store, "spring", "ended", "2", {}, ["ops"])  # it ran again, and ended again


async def test_of_a_batch_that_is_forgotten_nothing_is_noted(store: Store) -> None:
    assert not await announce(store, "gone", "ended", "1", {}, ["ops"])
    assert await outstanding(store) == 0


async def test_a_notice_is_one_senders_until_it_dies_and_then_anothers_with_the_same_id(store: Store) -> None:
    await submit(store, [item("a")])
    await announce(store, "spring", "ended", "1", {"x": "å"}, ["ops"])
    (first,) = await claimed(store)
    assert (first.occasion, first.facts["x"], first.tries, await claimed(store)) == ("ended", "å", 1, [])
    await after(store, CLAIM_S + 1)
    (second,) = await claimed(store)
    assert (second.id, second.tries, dict(second.facts)) == (first.id, 2, dict(first.facts))
    assert not await settle(store, first, again_in_s=5)  # the one that woke late decides nothing
    assert await settle(store, second, again_in_s=5, error="HTTP 500")
    assert await claimed(store) == []
    await after(store, CLAIM_S + 7)
    (third,) = await claimed(store)
    assert await settle(store, first, again_in_s=None)  # but that it arrived, it knows
    assert await outstanding(store) == 0
    assert not await settle(store, third, again_in_s=5)


async def test_a_worker_sends_only_what_it_is_configured_for(store: Store) -> None:
    await submit(store, [item("a")])
    await announce(store, "spring", "ended", "1", {}, ["gone", "ops"])
    assert [n.channel for n in await claimed(store, "ops", "team")] == ["ops"]
    await after(store, GIVE_UP_S + 60)
    assert await claimed(store, "team") == []
    (late,) = await claimed(store, "ops")
    assert late.age_s > GIVE_UP_S  # its sender says when it is too late
    await settle(store, late, again_in_s=None)
    assert await outstanding(store) == 1
    await after(store, 2 * GIVE_UP_S + 60)
    await claimed(store, "team")
    assert await outstanding(store) == 0


async def test_a_batch_that_stops_is_told_once_until_something_of_it_moves(store: Store) -> None:
    await submit(store, [item("dear", seconds=12)], budget_usd="0.50")
    await admit(store, deployment())
    look = lookout(store)
    await look.look()
    assert await claimed(store) == []  # a moment between two states is no stoppage
    for _ in range(3):
        await look.look()
        await lookout(store).look()
    found = await claimed(store)
    assert sorted(n.channel for n in found) == ["ops", "team"]
    facts = found[0].facts
    assert (facts["batch"], facts["stopped"]["reason"], facts["items"]["waiting"]) == ("spring", "budget", 1)
    assert facts["contact_sheet"] == f"{ARCHIVE}spring/index.html"
    assert "--budget-usd" in facts["stopped"]["resume"]


async def test_a_run_looks_only_at_its_own_batches(store: Store) -> None:
    await submit(store, [item("dear", seconds=12)], budget_usd="0.50")
    look = lookout(store, batches=["other"])
    for _ in range(3):
        await look.look()
    assert await outstanding(store) == 0


async def test_an_end_is_told_with_its_failures_in_plain_words(store: Store) -> None:
    await submit(store, [item(key) for key in "abc"])
    for made in (await admit(store, deployment())).admitted:
        reason = "moderation_input" if made.ref.item != "c" else "invalid_request"
        refused = Decision(Event.REFUSED, {"reason": reason}, money="none")
        await store.apply(made.ref, await intend(store, made), refused)
    await lookout(store).ended(await batch_of(store))
    await lookout(store).ended(await batch_of(store))  # the report was written again, since a worker died
    (notice,) = await claimed(store)
    assert [(f["reason"], f["count"]) for f in notice.facts["failures"]] == [
        ("moderation_input", 2),
        ("invalid_request", 1),
    ]
    assert notice.facts["failures"][0]["meaning"] == "the provider does not allow the prompt or the picture"
    assert (notice.facts["items"]["failed"], notice.facts["stopped"]) == (3, None)


async def test_an_expiry_is_told_at_each_threshold_and_again_once_it_recovered(store: Store) -> None:
    await finished(store, [7 * 3600])
    look = lookout(store)
    told = []
    for hours in (0.5, 1.5, 2, 6.2, 6.8, 6.9):
        await after(store, hours * 3600)
        await look.look()
        for notice in await claimed(store):
            told.append(notice.facts["under_s"])
            await settle(store, notice, again_in_s=None)
    assert told == [6 * 3600, 3600, 900]
    await store.redis.zadd(f"{store.keys.prefix}expiries", {"done/done0": START + 20 * 3_600_000})
    await look.look()
    await after(store, 15 * 3600)
    await look.look()
    (again,) = await claimed(store)
    assert (again.facts["under_s"], again.facts["waiting"], again.facts["batch"]) == (6 * 3600, 1, "done")


async def test_where_nobody_wants_to_know_nothing_is_noted(store: Store) -> None:
    await submit(store, [item("dear", seconds=12)], budget_usd="0.50")
    look = lookout(store, subscribers={"ended": [], "stopped": [], "expiry": []})
    for _ in range(3):
        await look.look()
    await look.ended(await batch_of(store))
    assert await outstanding(store) == 0


async def test_no_number_of_others_notices_stands_before_ones_own(store: Store) -> None:
    """Those of a webhook that nobody here sends stay the first by their time, for two days."""
    await submit(store, [item("a")])
    for n in range(21):
        await announce(store, "spring", "stopped", str(n), {}, [f"gone{c}" for c in range(50)])
    await announce(store, "spring", "ended", "1", {}, ["ops"])
    assert [n.channel for n in await claimed(store)] == ["ops"]
    await after(store, CLAIM_S + 1)
    (again,) = await claimed(store, "ops")
    assert await settle(store, again, again_in_s=None)
    assert await claim(store, ["ops"], 10) == ([], None)
    await after(store, 2 * GIVE_UP_S + 60)
    for _ in range(3):
        await claimed(store, "ops")
    assert await outstanding(store) == 0


async def test_what_an_earlier_release_leaves_and_claims_is_found_behind_any_number_of_others(store: Store) -> None:
    """It knows one set for all webhooks: a rolling update has both at once."""
    await submit(store, [item("a")])
    for n in range(21):
        await announce(store, "spring", "stopped", str(n), {}, [f"gone{c}" for c in range(50)])
    p, now = store.keys.prefix, START
    fields = {"channel": "ops", "occasion": "ended", "facts": "{}", "left_at": now, "tries": 0}
    await store.redis.hset(f"{p}notice:msg_old", mapping=fields)
    await store.redis.zadd(f"{p}notices", {"msg_old": now + 1})
    await after(store, 1)
    found = [notice.id for _ in range(2) for notice in await claimed(store)]
    assert found == ["msg_old"]

    await announce(store, "spring", "ended", "1", {}, ["ops"])
    (name,) = await store.redis.zrangebyscore(f"{p}notices:ops", START + 1000, START + 1000)
    await store.redis.zadd(f"{p}notices", {name: START + 31_000})  # the earlier release has claimed it
    await store.redis.hincrby(f"{p}notice:{name.decode()}", "tries", 1)
    assert await claimed(store) == []
    await after(store, 32)
    (taken,) = await claimed(store)
    assert (taken.id, taken.tries) == (name.decode(), 2)
    pipe = store.redis.pipeline()
    pipe.zrem(f"{p}notices", name)  # it arrived all the same, and the earlier release says so
    pipe.delete(f"{p}notice:{name.decode()}")
    await pipe.execute()
    await after(store, 600)
    assert [n.id for n in await claimed(store)] == ["msg_old"]


async def test_the_longest_due_is_sent_first_of_whichever_webhook(store: Store) -> None:
    await submit(store, [item("a")])
    for n in range(4):
        await after(store, n)
        await announce(store, "spring", "stopped", str(n), {}, ["ops" if n % 2 else "team"])
    await after(store, 10)
    found, next_due = await claim(store, ["ops", "team"], 3)
    assert ([n.channel for n in found], next_due) == (["team", "ops", "team"], 0)
