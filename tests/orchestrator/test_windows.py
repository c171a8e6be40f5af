"""Creates start only inside the windows of their batch and their deployment, by Redis's clock."""

from __future__ import annotations

import datetime as dt
import time

import pytest

from manifests.window import EVERY_DAY, Window
from orchestrator.admission.controller import Admission
from orchestrator.batches.batch_lock import forget
from orchestrator.items.decision import Decision
from orchestrator.items.states import Event, State
from orchestrator.ledger.periods import DAY_S, next_hours, year_of_hours
from orchestrator.ledger.store import Store
from orchestrator.reasons.stoppage import stoppage
from orchestrator.settings import Deployment
from tests.ledger import (
    ALLOWANCE_S,
    NO_PACE,
    accept,
    admit,
    batch_of,
    deployment,
    intend,
    item,
    keys,
    state,
    submit,
)

pytestmark = pytest.mark.asyncio

HOUR_S = 3600
#: The full hour at which these tests began; what follows has hours to spare around it.
BEGAN_H = int(time.time() // HOUR_S)


def window(starts_in_h: int, lasts_h: int) -> Window:
    """A daily window, in hours from then."""
    start = BEGAN_H + starts_in_h
    return Window(dt.time(start % 24), dt.time((start + lasts_h) % 24), "UTC", EVERY_DAY)


def seconds_until(hours: int) -> float:
    """To so many hours from then."""
    return HOUR_S * (BEGAN_H + hours) - time.time()


OPEN = window(-2, 8)
CLOSED = window(4, 6)


def near(found: float | None, wanted: float) -> bool:
    return found is not None and abs(found - wanted) < 30


# Of a deployment


async def test_a_deployment_admits_inside_its_window_and_outside_says_when_it_opens(store: Store) -> None:
    await submit(store, [item("a"), item("b")])
    answer = await admit(store, deployment(window=CLOSED))
    assert (keys(answer), answer.gate) == ([], "window")
    assert near(answer.ask_again_in_s, seconds_until(4))
    assert keys(await admit(store, deployment(window=OPEN), most=1)) == ["a"]


async def test_a_deployment_without_a_window_takes_what_one_outside_its_own_leaves(store: Store) -> None:
    await submit(store, [item("a")])
    assert (await admit(store, deployment("night", window=CLOSED))).gate == "window"
    assert keys(await admit(store, deployment("always"))) == ["a"]


async def test_redis_clock_decides_about_hours_that_a_worker_told_long_ago(store: Store) -> None:
    """A worker whose clock is days behind tells of hours that are over, and of those that follow."""
    await submit(store, [item("a")])
    for behind_days in (-9, -1, 1, 9):
        asker = Admission(store, [deployment(window=CLOSED)], clock=lambda days=behind_days: time.time() - days * DAY_S)
        answer = (await asker.ask(1, allowance_s=ALLOWANCE_S))["east"]
        assert answer.gate == "window"
    late = Admission(store, [deployment(window=OPEN)], clock=lambda: time.time() - 9 * DAY_S)
    assert keys((await late.ask(1, allowance_s=ALLOWANCE_S))["east"]) == ["a"]


async def test_nothing_is_admitted_when_no_hour_is_known_any_more(store: Store) -> None:
    await submit(store, [item("a")])
    asker = Admission(store, [deployment(window=OPEN)], clock=lambda: time.time() - 60 * DAY_S)
    answer = (await asker.ask(1, allowance_s=ALLOWANCE_S))["east"]
    assert (answer.admitted, answer.gate, answer.ask_again_in_s) == ((), "window", None)


async def test_a_worker_tells_of_new_hours_before_the_old_ones_are_over(store: Store) -> None:
    await submit(store, [item("a")])
    clock = [time.time() - 60 * DAY_S]
    asker = Admission(store, [deployment(window=OPEN)], clock=lambda: clock[0])
    assert not (await asker.ask(1, allowance_s=ALLOWANCE_S))["east"].admitted
    clock[0] = time.time()
    assert keys((await asker.ask(1, allowance_s=ALLOWANCE_S))["east"]) == ["a"]


async def test_an_item_whose_deployments_window_ended_is_returned_unsent(store: Store) -> None:
    await submit(store, [item("a")])
    (claim,) = (await admit(store, deployment(window=OPEN))).admitted
    over = round((time.time() - 1) * 1000)
    await store.redis.hset(store.keys.deployment("east"), "window_until", over)
    word, *_ = await store.intend(claim.ref, claim.version, {}, pace=NO_PACE, due_in_s=60)
    assert (word, await state(store, "a")) == ("returned", State.WAITING)
    assert (await batch_of(store)).reserved == 0


async def test_what_was_admitted_is_returned_when_a_later_question_finds_the_window_closed(store: Store) -> None:
    await submit(store, [item("a"), item("b")])
    (claim,) = (await admit(store, deployment(window=OPEN), most=1)).admitted
    await admit(store, deployment(window=CLOSED))
    word, *_ = await store.intend(claim.ref, claim.version, {}, pace=NO_PACE, due_in_s=60)
    assert word == "returned"


async def test_a_window_that_is_configured_no_longer_holds_nothing_back(store: Store) -> None:
    await submit(store, [item("a"), item("b")])
    await admit(store, deployment(window=CLOSED))
    (claim,) = (await admit(store, deployment(), most=1)).admitted
    await intend(store, claim)


# Of a batch


async def test_a_batch_outside_its_window_waits_and_blocks_no_other(store: Store) -> None:
    """Not though it is first in the lane."""
    await submit(store, [item("night", priority=9)], batch="night", window=CLOSED)
    await submit(store, [item("day"), item("day2")], batch="day")
    answer = await admit(store, deployment())
    assert keys(answer) == ["day", "day2"]
    assert answer.gate == "window"
    assert near(answer.ask_again_in_s, seconds_until(4))


async def test_a_batch_inside_its_window_is_admitted(store: Store) -> None:
    await submit(store, [item("a")], window=OPEN)
    assert keys(await admit(store, deployment())) == ["a"]


async def test_of_several_closed_batches_the_first_that_opens_says_when_to_ask(store: Store) -> None:
    for name, hours in (("late", 9), ("early", 3), ("middle", 5)):
        await submit(store, [item(name)], batch=name, window=window(hours, 2))
    answer = await admit(store, deployment())
    assert answer.gate == "window"
    assert near(answer.ask_again_in_s, seconds_until(3))


@pytest.mark.parametrize("first", [-1, 1])
async def test_want_of_money_is_said_before_a_closed_window(store: Store, first: int) -> None:
    """Whichever is looked at first."""
    await submit(store, [item("night", priority=first)], batch="night", window=CLOSED)
    await submit(store, [item("poor")], batch="poor", budget_usd="0.10")
    answer = await admit(store, deployment())
    assert answer.gate == "budget"
    assert near(answer.ask_again_in_s, seconds_until(4))


async def test_an_item_whose_batchs_window_ended_is_returned_unsent(store: Store) -> None:
    await submit(store, [item("a")], window=OPEN)
    (claim,) = (await admit(store, deployment())).admitted
    await submit(store, [item("a")], window=CLOSED)
    word, *_ = await store.intend(claim.ref, claim.version, {}, pace=NO_PACE, due_in_s=60)
    assert (word, await state(store, "a")) == ("returned", State.WAITING)


async def test_a_window_changed_or_taken_out_of_the_manifest_counts_at_once(store: Store) -> None:
    rows = [item("a"), item("b"), item("c")]
    await submit(store, rows, window=CLOSED)
    assert not keys(await admit(store, deployment()))
    await submit(store, rows, window=OPEN)
    assert keys(await admit(store, deployment(), most=1)) == ["a"]
    await submit(store, rows, window=CLOSED)
    assert not keys(await admit(store, deployment()))
    await submit(store, rows)
    assert keys(await admit(store, deployment())) == ["b", "c"]


async def test_a_batch_whose_hours_have_run_out_stays_closed_until_it_is_submitted_again(store: Store) -> None:
    """It lay for a year: it must not wake up and spend by itself."""
    await submit(store, [item("a")], window=OPEN)
    await store.redis.delete(f"{store.keys.prefix}window:spring")
    answer = await admit(store, deployment())
    assert (answer.gate, answer.ask_again_in_s) == ("window", None)
    stopped = await stoppage(store, await batch_of(store), [deployment()])
    assert stopped is not None
    assert (stopped.reason, stopped.resume.split(":")[0]) == ("window_over", "submit its manifest again")
    await submit(store, [item("a")], window=OPEN)
    assert keys(await admit(store, deployment())) == ["a"]


@pytest.mark.parametrize("at", [deployment(window=CLOSED), deployment()])
async def test_outside_a_window_a_batch_waits_and_is_not_stopped(store: Store, at: Deployment) -> None:
    await submit(store, [item("a")], window=None if at.window else CLOSED)
    assert (await admit(store, at)).gate == "window"
    assert await stoppage(store, await batch_of(store), [at]) is None


async def test_looks_and_archiving_go_on_outside_every_window(store: Store) -> None:
    await submit(store, [item("a"), item("b")], window=OPEN)
    first, second = (await admit(store, deployment())).admitted
    versions = {}
    for claim in (first, second):
        await intend(store, claim)
        versions[claim.ref] = int((await accept(store, claim, f"video_{claim.ref.item}", due_in_s=0))[1])
    await submit(store, [item("a"), item("b")], window=CLOSED)
    assert (await admit(store, deployment(window=CLOSED))).gate == "window"
    done = Decision(Event.SUCCEEDED, {"expires_at": 1}, money="confirmed")
    await store.apply(first.ref, versions[first.ref], done)
    claims, _ = await store.claim(
        {"steps": 9, "polls": 9, "archive": 9},
        pools={"poll": "polls", "archive": "archive"},
        deployments=["east"],
        allowance_s=ALLOWANCE_S,
        furthest_s=7200,
    )
    assert sorted((c.step, c.ref.item) for c in claims) == [("archive", "a"), ("poll", "b")]


async def test_a_forgotten_batch_leaves_no_window_behind(store: Store) -> None:
    await submit(store, [], window=OPEN)
    assert await store.redis.exists(f"{store.keys.prefix}window:spring")
    assert await forget(store, "spring")
    assert not await store.redis.exists(f"{store.keys.prefix}window:spring")


async def test_a_batch_without_a_window_costs_no_more_commands_beside_one_that_has(store: Store) -> None:
    """The whole decision is one script; inside it a window costs one lookup, of its own batch alone."""
    await submit(store, [item(f"k{n}") for n in range(4)])
    await admit(store, deployment(), most=1)

    async def lookups() -> int:
        stats = await store.redis.info("commandstats")
        return int(stats.get("cmdstat_zrangebyscore", {"calls": 0})["calls"])

    before = await lookups()
    await admit(store, deployment(), most=1)
    assert await lookups() == before
    await submit(store, [item("night", priority=9)], batch="night", window=CLOSED)
    before = await lookups()
    assert len((await admit(store, deployment(), most=2)).admitted) == 2
    assert await lookups() == before + 1


# What the scripts are told


async def test_hours_that_touch_are_told_as_one() -> None:
    """Else an item that is admitted right before midnight would be returned at midnight."""
    whole = Window(dt.time(), dt.time(), "UTC", frozenset({4, 5, 6}))
    friday = dt.datetime(2026, 11, 20, 12, tzinfo=dt.UTC).timestamp()
    start, end = next_hours(whole, friday)[0]
    assert (end - start) / 1000 == 3 * DAY_S
    year = year_of_hours(whole, friday)
    assert len(year) == 53
    assert all(until - begin == 3 * DAY_S * 1000 for begin, until in year)


async def test_a_batchs_hours_are_reckoned_for_a_year() -> None:
    nights = year_of_hours(Window(dt.time(22), dt.time(6), "Europe/Stockholm", EVERY_DAY), 1_790_000_000)
    assert 366 <= len(nights) <= 367
    assert sorted(nights) == nights
