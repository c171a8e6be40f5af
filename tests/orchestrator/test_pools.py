"""Several deployments of a model: who takes the next item, by room, order, weight and pins."""

from __future__ import annotations

import time
from collections import Counter

import pytest

from orchestrator.admission.controller import Admission, Answer
from orchestrator.batches import lifecycle
from orchestrator.batches.lifecycle import Chosen, Word
from orchestrator.batches.live_changes import change
from orchestrator.deployments import pause, resume
from orchestrator.items.decision import Decision
from orchestrator.items.states import Event
from orchestrator.ledger import views
from orchestrator.ledger.records import Claim
from orchestrator.ledger.store import Store
from orchestrator.planning import Workload
from orchestrator.planning.book import Book
from orchestrator.planning.desk import desks
from orchestrator.settings import Deployment
from tests.ledger import ALLOWANCE_S, accept, deployment, intend, item, keys, submit
from workers.rendering.verdict import decide
from workers.video_api import RefusalKind, Refused

pytestmark = pytest.mark.asyncio


async def ask(store: Store, *deployments: Deployment, most: int = 100) -> dict[str, Answer]:
    """Ask for all of them in one round."""
    return await Admission(store, deployments).ask(most, allowance_s=ALLOWANCE_S)


def taken(answers: dict[str, Answer]) -> dict[str, int]:
    return {name: len(answer.admitted) for name, answer in answers.items()}


async def test_items_go_to_whoever_has_room(store: Store) -> None:
    small, large = deployment("small", concurrent=1), deployment("large", concurrent=5)
    await submit(store, [item(f"k{n}") for n in range(9)], deployments=[small, large])
    answers = await ask(store, small, large)
    assert taken(answers) == {"small": 1, "large": 5}
    assert {answer.gate for answer in answers.values()} == {"slot"}


async def test_where_several_have_room_each_is_given_its_weights_share(store: Store) -> None:
    light, heavy = deployment("light"), deployment("heavy", weight=3)
    await submit(store, [item(f"k{n}") for n in range(100)], deployments=[light, heavy])
    seen: Counter[str] = Counter()
    for _ in range(10):  # in many small rounds as in one large
        seen.update(taken(await ask(store, light, heavy, most=2)))
    seen.update(taken(await ask(store, light, heavy, most=20)))
    assert seen == {"light": 10, "heavy": 30}


async def test_the_smallest_order_is_asked_first_and_the_others_take_what_it_has_no_room_for(store: Store) -> None:
    cheap, dear = deployment("cheap", concurrent=3), deployment("dear", order=1)
    await submit(store, [item(f"k{n}") for n in range(5)], deployments=[cheap, dear])
    assert taken(await ask(store, dear, cheap, most=2)) == {"dear": 0, "cheap": 2}
    assert taken(await ask(store, dear, cheap)) == {"dear": 2, "cheap": 1}


async def test_an_order_ranks_only_deployments_of_one_model(store: Store) -> None:
    first, other = deployment("first"), deployment("other", model="sora", api="jobs", order=9)
    await submit(store, [item(f"a{n}") for n in range(50)], batch="a", deployments=[first, other])
    rows = [item(f"b{n}", model="sora", size="480x480") for n in range(50)]
    await submit(store, rows, batch="b", deployments=[first, other])
    assert taken(await ask(store, first, other, most=10)) == {"first": 5, "other": 5}


async def test_one_that_had_no_room_for_long_does_not_claim_the_past(store: Store) -> None:
    away, busy = deployment("away"), deployment("busy")
    await submit(store, [item(f"k{n}") for n in range(100)], deployments=[away, busy])
    await ask(store, away, busy, most=2)
    await pause(store, "away")
    for _ in range(20):
        assert taken(await ask(store, away, busy, most=1)) == {"away": 0, "busy": 1}
    await resume(store, "away")
    assert taken(await ask(store, away, busy, most=10)) == {"away": 5, "busy": 5}


async def test_what_waits_flows_to_the_others_when_a_deployment_is_paused_or_gone(store: Store) -> None:
    east, west = deployment("east", concurrent=2), deployment("west", concurrent=2)
    await submit(store, [item(f"k{n}") for n in range(9)], deployments=[east, west])
    assert taken(await ask(store, east, west)) == {"east": 2, "west": 2}
    await pause(store, "east")
    answers = await ask(store, east, deployment("west", concurrent=4))
    assert (taken(answers), answers["east"].gate) == ({"east": 0, "west": 2}, "paused")
    assert taken(await ask(store, deployment("west", concurrent=None))) == {"west": 3}


async def test_a_paused_deployments_items_that_were_not_sent_go_elsewhere(store: Store) -> None:
    east, west = deployment("east"), deployment("west")
    await submit(store, [item("a")], deployments=[east, west])
    (claim,) = (await ask(store, east))["east"].admitted
    await pause(store, "east")
    word, *_ = await store.intend(
        claim.ref, claim.version, {}, pace={"interval_ms": 0, "burst": 1, "slack_ms": 0, "margin": 1}, due_in_s=60
    )
    assert word == "returned"
    assert taken(await ask(store, east, west)) == {"east": 0, "west": 1}


async def test_pinned_items_wait_for_their_own_and_take_turns_with_the_rest_there(store: Store) -> None:
    east, west = deployment("east"), deployment("west")
    pinned = [item(f"p{n}", deployment="east") for n in range(10)]
    await submit(store, pinned, batch="pinned", deployments=[east, west])
    await submit(store, [item(f"k{n}") for n in range(10)], batch="any", deployments=[east, west])
    answers = await ask(store, west, most=3)
    assert keys(answers["west"]) == ["k0", "k1", "k2"]
    there = keys((await ask(store, east, most=6))["east"])
    assert sorted(key[0] for key in there) == ["k", "k", "k", "p", "p", "p"]


async def test_what_is_urgent_goes_before_what_is_pinned(store: Store) -> None:
    east = deployment("east")
    both = item("urgent-pinned", deployment="east", priority=2)
    rows = [item("pinned", deployment="east"), item("urgent", priority=1), both]
    await submit(store, rows, deployments=[east])
    assert keys((await ask(store, east))["east"]) == ["urgent-pinned", "urgent", "pinned"]


async def rendered(store: Store, claim: Claim, *, kept_s: float) -> None:
    """A create was accepted, and its video is done."""
    await intend(store, claim)
    _, version = await accept(store, claim, f"video_{claim.ref.item}")
    seconds, _ = await store.redis.time()
    done = Decision(Event.SUCCEEDED, {"expires_at": round((int(seconds) + kept_s) * 1000)}, money="confirmed")
    assert await store.apply(claim.ref, int(version), done)


async def test_a_remix_goes_first_among_equals_at_its_sources_deployment(store: Store) -> None:
    east, west = deployment("east", concurrent=1), deployment("west", concurrent=1)
    rows = [item("source"), *(item(f"k{n}") for n in range(9)), item("remix", remix_of="source")]
    await submit(store, rows, deployments=[east, west])
    (claim,) = (await ask(store, east))["east"].admitted
    await rendered(store, claim, kept_s=86_400)
    answers = await ask(store, west, east)
    assert (keys(answers["east"]), keys(answers["west"])) == (["remix"], ["k0"])


@pytest.mark.parametrize(("kept_s", "first"), [(86_400, "urgent"), (3_600, "remix")])
async def test_a_remix_goes_before_all_else_when_its_source_nears_its_expiry(
    store: Store, kept_s: float, first: str
) -> None:
    """Promise 24; and the plan's admission knows it too."""
    east = deployment("east", concurrent=1)
    rows = [item("source", priority=9), item("urgent", priority=5), item("remix", remix_of="source")]
    work = Workload("spring")
    for row in rows:
        work.add(row)
    now = time.time()
    book, (desk,) = Book([east], now=now), desks([east], now)
    book.submit(work)
    await submit(store, rows, deployments=[east])
    (claim,) = (await ask(store, east))["east"].admitted
    ((_, given),) = book.ask([desk], now * 1000, 9).admitted
    await rendered(store, claim, kept_s=kept_s)
    book.finish(desk, given, (now + kept_s) * 1000)
    assert keys((await ask(store, east))["east"]) == [first]
    ((_, second),) = book.ask([desk], now * 1000, 9).admitted
    assert rows[second.place].key == first


async def open_in(store: Store, *names: str) -> int:
    return sum([await store.redis.zcard(store.keys.open(name)) for name in names])


async def test_a_shared_quota_counts_what_is_open_under_whatever_name(store: Store) -> None:
    """Renamed while jobs run; and first of all when two deployments begin to share one."""
    own = [deployment(name, concurrent=1) for name in ("a", "b")]
    await submit(store, [item(f"k{n}") for n in range(20)], deployments=own)
    await ask(store, *own)
    for name in ("old", "new"):
        pool = [deployment(each, concurrent=2, shared_as=name) for each in ("a", "b")]
        assert taken(await ask(store, *pool)) == {"a": 0, "b": 0}
    assert await open_in(store, "a", "b") == 2


async def test_workers_with_two_configurations_of_a_quota_do_not_hide_jobs_from_each_other(store: Store) -> None:
    own = [deployment(name, concurrent=2) for name in ("a", "b")]
    pool = [deployment(name, concurrent=3, shared_as="pool") for name in ("a", "b")]
    await submit(store, [item(f"k{n}") for n in range(40)], deployments=own)
    for _ in range(10):
        await ask(store, *own)
        await ask(store, *pool)
    assert await open_in(store, "a", "b") == 4, "what the old one allows, and no more"


async def test_a_quota_that_is_used_up_parks_all_who_share_it_and_nobody_else(store: Store) -> None:
    """The provider counts them as one: each of the others would only be refused too, once an hour."""
    pool = [deployment(name, concurrent=8, shared_as="account") for name in ("a", "b")]
    pool.append(deployment("c", concurrent=1))
    await submit(store, [item(f"k{n}") for n in range(20)], deployments=pool)
    (made, *_) = (await ask(store, *pool))["a"].admitted
    verdict = decide(Refused(RefusalKind.QUOTA_EXHAUSTED, 429, None, "used up", None, 600.0), pool[0])
    await store.apply(made.ref, await intend(store, made), verdict)
    answers = await ask(store, *pool)
    assert {name: answer.gate for name, answer in answers.items()} == {"a": "cooling", "b": "cooling", "c": "slot"}
    parked = [await views.deployment(store, name) for name in "ab"]
    assert {view.cool_reason for view in parked} == {"quota_exhausted"}
    assert all((view.cool_until or 0) > time.time() + 590 for view in parked)
    await resume(store, "b")
    assert "cooling" not in {answer.gate for answer in (await ask(store, *pool)).values()}


async def test_a_bucket_that_changes_hands_stays_as_empty_as_it_was(store: Store) -> None:
    await submit(store, [item(f"k{n}") for n in range(9)], deployments=[deployment("a")])
    assert taken(await ask(store, deployment("a", per_minute=2))) == {"a": 1}
    answers = await ask(store, deployment("a", per_minute=2, shared_as="pool"))
    assert (taken(answers), answers["a"].gate) == ({"a": 0}, "rate")


async def test_urgency_is_told_from_turns_however_many_there_were(store: Store) -> None:
    east = deployment("east")
    rows = [item("pinned", deployment="east"), item("urgent", priority=1)]
    await submit(store, rows, deployments=[east])
    behind = str(5 * 2**32)
    for lane in ("@east", "sora-2"):
        await store.redis.set(f"{store.keys.prefix}virtual:{lane}", behind)
        await store.redis.hset(store.keys.batch("spring"), f"pass:{lane}", behind)
    await change(store, "spring", priority=0)  # its place is reckoned anew
    assert keys((await ask(store, east))["east"]) == ["urgent", "pinned"]


async def test_a_paused_remix_stays_however_soon_its_source_is_deleted(store: Store) -> None:
    east = deployment("east")
    rows = [item("source"), item("remix", remix_of="source"), item("other", remix_of="source")]
    await submit(store, rows, deployments=[east])
    (claim,) = (await ask(store, east))["east"].admitted
    await rendered(store, claim, kept_s=3_600)
    chosen = Chosen(keys=("remix",))
    assert await lifecycle.ask(store, "spring", lifecycle.Action.PAUSE, Word("me", ""), chosen)
    assert keys((await ask(store, east))["east"]) == ["other"]
