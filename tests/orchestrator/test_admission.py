"""Admission takes a token, a slot, the money and the next item in one step, or nothing, and says why."""

from __future__ import annotations

import asyncio

import pytest

from orchestrator.admission.controller import interval_s, scope
from orchestrator.items.decision import Decision
from orchestrator.items.states import Event, State
from orchestrator.ledger.keys import Ref
from orchestrator.ledger.store import Store
from orchestrator.settings import Auth
from tests.ledger import accept, admit, batch_of, deployment, intend, item, keys, state, submit

pytestmark = pytest.mark.asyncio


async def test_items_are_admitted_by_priority_and_then_in_the_manifests_order(store: Store) -> None:
    await submit(store, [item("a"), item("b"), item("urgent", priority=5), item("c")])
    answer = await admit(store, deployment())
    assert keys(answer) == ["urgent", "a", "b", "c"]
    assert answer.gate == "empty"


async def test_a_deployment_never_has_more_open_attempts_than_slots(store: Store) -> None:
    await submit(store, [item(f"k{n}") for n in range(5)])
    east = deployment(concurrent=2)
    first = await admit(store, east)
    assert (keys(first), first.gate) == (["k0", "k1"], "slot")
    assert keys(await admit(store, east)) == []


async def test_a_slot_is_free_again_only_when_the_remote_job_has_ended(store: Store) -> None:
    await submit(store, [item("a"), item("b")])
    east = deployment(concurrent=1)
    (claim,) = (await admit(store, east)).admitted
    await intend(store, claim)
    _, version = await accept(store, claim, "video_1")
    assert (await admit(store, east)).gate == "slot"
    await store.apply(claim.ref, int(version), Decision(Event.SUCCEEDED, {"expires_at": 1}, money="confirmed"))
    assert keys(await admit(store, east)) == ["b"]


async def test_the_bucket_gives_its_burst_and_then_one_token_an_interval(store: Store) -> None:
    await submit(store, [item(f"k{n}") for n in range(5)])
    east = deployment(per_minute=2, burst=2)
    answer = await admit(store, east)
    assert (keys(answer), answer.gate) == (["k0", "k1"], "rate")
    assert answer.ask_again_in_s is not None
    assert 0.9 * interval_s(east) < answer.ask_again_in_s < 1.1 * interval_s(east)


async def test_a_bucket_filled_by_a_clock_that_stepped_back_is_pulled_in(store: Store) -> None:
    await submit(store, [item("a"), item("b")])
    east = deployment(per_minute=60)
    await admit(store, east, most=1)
    await store.redis.hset(store.keys.deployment("east"), "tat", "99999999999999")
    answer = await admit(store, east)
    assert answer.gate == "rate"
    assert answer.ask_again_in_s is not None
    assert answer.ask_again_in_s < 1.1 * interval_s(east)


async def test_asking_at_once_from_many_sides_never_admits_an_item_twice(store: Store) -> None:
    await submit(store, [item(f"k{n}") for n in range(40)])
    east, west = deployment("east", concurrent=15), deployment("west", concurrent=15)
    answers = await asyncio.gather(*(admit(store, d, most=3) for d in (east, west) * 20))
    admitted = [key for answer in answers for key in keys(answer)]
    assert len(admitted) == len(set(admitted)) == 30


async def test_two_batches_take_turns_whatever_their_sizes(store: Store) -> None:
    await submit(store, [item(f"big{n}") for n in range(50)], batch="big")
    await submit(store, [item(f"small{n}") for n in range(3)], batch="small")
    order = keys(await admit(store, deployment(), most=6))
    assert sorted(key[:3] for key in order) == ["big", "big", "big", "sma", "sma", "sma"]


async def test_a_batch_that_comes_late_does_not_claim_the_turns_it_missed(store: Store) -> None:
    await submit(store, [item(f"old{n}") for n in range(50)], batch="old")
    await admit(store, deployment(), most=20)
    await submit(store, [item(f"new{n}") for n in range(50)], batch="new")
    order = keys(await admit(store, deployment(), most=10))
    assert 4 <= sum(key.startswith("old") for key in order) <= 6


async def test_a_run_admits_only_its_own_batches(store: Store) -> None:
    await submit(store, [item("mine")], batch="mine")
    await submit(store, [item("theirs")], batch="theirs")
    assert keys(await admit(store, deployment(), batches=["mine"])) == ["mine"]
    assert await state(store, "theirs", "theirs") is State.WAITING


async def test_an_item_goes_only_to_a_deployment_of_its_model(store: Store) -> None:
    await submit(store, [item("two"), item("one", model="sora")])
    assert keys(await admit(store, deployment("first", model="sora", api="jobs"))) == ["one"]


async def test_creates_stop_when_the_next_one_would_break_the_budget(store: Store) -> None:
    """4 s of sora-2 cost 0.40 dollars: one dollar pays for two."""
    await submit(store, [item(f"k{n}") for n in range(4)], budget_usd="1.00")
    answer = await admit(store, deployment())
    assert (len(answer.admitted), answer.gate) == (2, "budget")
    assert (await batch_of(store)).reserved == 800_000


async def test_an_unsent_item_gives_its_money_back_to_the_budget(store: Store) -> None:
    await submit(store, [item("a"), item("b")], budget_usd="0.40")
    (claim,) = (await admit(store, deployment())).admitted
    await store.apply(claim.ref, claim.version, Decision(Event.RETURNED, money="none"))
    assert keys(await admit(store, deployment())) == ["a"]


async def test_a_deployments_own_price_is_what_a_budget_is_held_to(store: Store) -> None:
    dear = deployment(price_per_second_usd="1.00")
    await submit(store, [item("a"), item("b")], deployments=[dear], budget_usd="5.00")
    assert (len((await admit(store, dear)).admitted), (await batch_of(store)).reserved) == (1, 4_000_000)


async def test_a_stopped_deployment_admits_nothing_and_a_resumed_one_tries_one_item_first(store: Store) -> None:
    await submit(store, [item("a"), item("b")])
    east = deployment()
    await store.judge("east", {"stop": "auth", "message": "wrong key"})
    assert (await admit(store, east)).gate == "stopped"
    await store.judge("east", {"resume": True, "probation": True})
    answer = await admit(store, east)
    assert (keys(answer), answer.gate) == (["a"], "slot")
    (claim,) = answer.admitted
    await intend(store, claim)
    await accept(store, claim, "video_1")
    assert keys(await admit(store, east)) == ["b"]


async def test_a_cooling_deployment_says_when_to_ask_again(store: Store) -> None:
    await submit(store, [item("a"), item("b")])
    east = deployment()
    (claim,) = (await admit(store, east, most=1)).admitted
    cool = {"cool_ms": 3_000_000, "reason": "rate_limited"}
    await store.apply(claim.ref, claim.version, Decision(Event.RETURNED, money="none", deployment=cool))
    answer = await admit(store, east)
    assert answer.gate == "cooling"
    assert answer.ask_again_in_s is not None
    assert 2_900 < answer.ask_again_in_s <= 3_000


async def test_an_unreachable_deployment_cools_longer_each_time(store: Store) -> None:
    await submit(store, [item("a")])
    verdict = {"cool_ms": 1_000_000, "backoff": 3_500_000, "reason": "unreachable"}
    pauses = []
    for _ in range(4):
        await store.redis.hdel(store.keys.deployment("east"), "cool_until")
        (claim,) = (await admit(store, deployment())).admitted
        await store.apply(claim.ref, claim.version, Decision(Event.RETURNED, money="none", deployment=verdict))
        pauses.append((await admit(store, deployment())).ask_again_in_s or 0)
    assert [round(pause, -2) for pause in pauses] == [1000, 2000, 3500, 3500]


async def test_nothing_is_admitted_while_the_archive_refuses_writes(store: Store) -> None:
    await submit(store, [item("a"), item("b")])
    (claim,) = (await admit(store, deployment(), most=1)).admitted
    await intend(store, claim)
    _, version = await accept(store, claim, "video_1")
    await store.apply(claim.ref, int(version), Decision(Event.SUCCEEDED, {"expires_at": 1}, money="confirmed"))
    item_now = await store.load(claim.ref)
    assert item_now is not None
    await store.apply(claim.ref, item_now.version, Decision(Event.POSTPONED, due_in_s=1, archive_closed_s=30))
    assert (await admit(store, deployment())).gate == "archive"


async def test_a_create_right_behind_the_one_before_is_deferred_not_sent(store: Store) -> None:
    """Two admitted in time but both delayed would arrive together: the second gate keeps them apart."""
    await submit(store, [item("a"), item("b")])
    first, second = (await admit(store, deployment())).admitted
    pace = {"interval_ms": 1_000_000, "burst": 1, "slack_ms": 0}
    sent, *_ = await store.intend(first.ref, first.version, {}, pace=pace, due_in_s=60)
    held_back, version, wait_s = await store.intend(second.ref, second.version, {}, pace=pace, due_in_s=60)
    assert (sent, held_back) == ("intended", "deferred")
    assert await state(store, "b") is State.ADMITTED
    assert version > second.version
    assert 900 < wait_s <= 1000


async def test_what_left_ahead_of_its_pace_is_made_up_for_before_the_next_one_does(store: Store) -> None:
    """Else each could be ahead of the one before it, and the pace would be no pace."""
    await submit(store, [item(key) for key in "abc"])
    pace = {"interval_ms": 1_000_000, "burst": 1, "slack_ms": 1_100_000, "margin": 1}
    words = []
    for claim in (await admit(store, deployment())).admitted:
        word, *_ = await store.intend(claim.ref, claim.version, {}, pace=pace, due_in_s=60)
        words.append(word)
    assert words == ["intended", "intended", "deferred"]


async def test_deployments_of_one_resource_share_the_scope_of_their_listing() -> None:
    keyed = {"auth": Auth(api_key_env="KEY"), "endpoint": "https://r.openai.azure.com"}
    assert scope(deployment("a", **keyed)) == scope(
        deployment("b", **{**keyed, "endpoint": "https://R.openai.azure.com/"})
    )
    assert scope(deployment("a", **keyed)) != scope(deployment("a", **{**keyed, "api": "jobs"}))


async def test_an_admitted_item_is_not_sent_when_its_deployment_cools_meanwhile(store: Store) -> None:
    await submit(store, [item("a"), item("b")])
    first, second = (await admit(store, deployment())).admitted
    version = await intend(store, first)
    cool = {"cool_ms": 30_000, "reason": "rate_limited"}
    await store.apply(first.ref, version, Decision(Event.RETURNED, money="none", deployment=cool))
    word, *_ = await store.intend(
        second.ref, second.version, {}, pace={"interval_ms": 0, "burst": 1, "slack_ms": 0}, due_in_s=60
    )
    assert (word, await state(store, "b")) == ("returned", State.WAITING)


async def test_a_queued_item_that_does_not_wait_stops_nobody(store: Store) -> None:
    await submit(store, [item("a"), item("b")])
    await store.redis.hset(store.keys.item(Ref("spring", "a")), "state", "archived")
    assert keys(await admit(store, deployment())) == ["b"]
