"""No budget is ever overdrawn, of a batch, a day or a month, by any number of workers; and what holds says so."""

from __future__ import annotations

import asyncio
import datetime as dt
import multiprocessing
import time
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.admission.controller import Admission
from orchestrator.batches.submission import UnknownPrice
from orchestrator.items.decision import Decision
from orchestrator.items.states import Event, State
from orchestrator.ledger.periods import DAY_S, limits
from orchestrator.ledger.records import Claim
from orchestrator.ledger.store import Store
from orchestrator.reasons.stoppage import Stoppage, stoppage
from orchestrator.redis.connection import connect
from orchestrator.settings import Budgets
from tests.ledger import ALLOWANCE_S, accept, admit, batch_of, deployment, intend, item, keys, submit

pytestmark = pytest.mark.asyncio

#: Two places whose dates are never the same: it is always another day in the one than in the other.
EARLIER, LATER = "Etc/GMT+12", "Etc/GMT-14"


def day(usd: str, timezone: str = "UTC") -> Budgets:
    return Budgets(day_usd=Decimal(usd), timezone=timezone)


def month(usd: str) -> Budgets:
    return Budgets(month_usd=Decimal(usd))


async def booked(store: Store, budgets: Budgets) -> dict[str, int]:
    """What stands in the budget that holds now, in micro-dollars."""
    (limit,) = limits(budgets, time.time())
    (now,) = [p for p in limit["periods"] if p[1] <= time.time() * 1000 < p[2]]  # type: ignore[attr-defined]
    fields = await store.read(f"{store.keys.prefix}budget:{now[0]}")
    return {name: int(value) for name, value in fields.items() if value != "0"}


async def stopped(store: Store, budgets: Budgets, batch: str = "spring") -> Stoppage:
    found = await stoppage(store, await batch_of(store, batch), [deployment()], budgets=budgets)
    assert found is not None
    return found


async def fail(store: Store, claim: Claim) -> None:
    """Back to the queue, unsent."""
    await store.apply(claim.ref, claim.version, Decision(Event.RETURNED, money="none"))


@pytest.mark.parametrize("budgets", [day("1.00"), month("1.00")])
async def test_all_batches_of_a_day_or_a_month_share_its_budget(store: Store, budgets: Budgets) -> None:
    """4 s of sora-2 cost 0.40 dollars: one dollar pays for two, whosever they are."""
    await submit(store, [item("a"), item("b")], batch="spring", budgets=budgets)
    await submit(store, [item("c"), item("d")], batch="summer", budgets=budgets)
    answer = await admit(store, deployment(), budgets=budgets)
    assert (sorted(keys(answer)), answer.gate) == (["a", "c"], "budget")
    assert await booked(store, budgets) == {"reserved": 800_000}


async def test_the_smallest_of_several_budgets_holds(store: Store) -> None:
    both = Budgets(day_usd=Decimal("0.80"), month_usd=Decimal("0.40"))
    await submit(store, [item(f"k{n}") for n in range(4)], budget_usd="1.20", budgets=both)
    assert keys(await admit(store, deployment(), budgets=both)) == ["k0"]
    assert keys(await admit(store, deployment(), budgets=day("0.80"))) == ["k1"]
    assert keys(await admit(store, deployment())) == ["k2"]


async def test_a_full_budget_says_when_the_next_begins(store: Store) -> None:
    await submit(store, [item("a"), item("b")])
    answer = await admit(store, deployment(), budgets=day("0.40"))
    midnight = DAY_S - time.time() % DAY_S
    assert answer.gate == "budget"
    assert answer.ask_again_in_s is not None
    assert abs(answer.ask_again_in_s - midnight) < 30


async def test_a_batchs_own_full_budget_has_no_end_by_itself(store: Store) -> None:
    await submit(store, [item("a"), item("b")], budget_usd="0.40")
    answer = await admit(store, deployment(), budgets=day("100"))
    assert (keys(answer), answer.gate, answer.ask_again_in_s) == (["a"], "budget", None)


async def test_money_moves_through_the_same_budget_to_its_end(store: Store) -> None:
    budgets = day("10")
    await submit(store, [item("a")])
    (claim,) = (await admit(store, deployment(), budgets=budgets)).admitted
    assert await booked(store, budgets) == {"reserved": 400_000}
    await intend(store, claim)
    assert await booked(store, budgets) == {"unknown": 400_000}
    _, version = await accept(store, claim, "video_1")
    await store.apply(claim.ref, int(version), Decision(Event.SUCCEEDED, {"expires_at": 1}, money="confirmed"))
    assert await booked(store, budgets) == {"confirmed": 400_000}


async def test_an_unsent_item_gives_its_money_back_and_another_day_keeps_its_own(store: Store) -> None:
    """Admitted yesterday and given back today: yesterday has the money again, not today."""
    yesterday, today = day("0.40", EARLIER), day("0.40", LATER)
    await submit(store, [item("a"), item("b")])
    (before,) = (await admit(store, deployment(), budgets=yesterday)).admitted
    (after,) = (await admit(store, deployment(), budgets=today)).admitted
    await fail(store, before)
    assert await booked(store, yesterday) == {}
    assert await booked(store, today) == {"reserved": 400_000}
    assert not keys(await admit(store, deployment(), budgets=today))
    assert keys(await admit(store, deployment(), budgets=yesterday)) == ["a"]
    await fail(store, after)
    assert await booked(store, yesterday) == {"reserved": 400_000}


async def test_a_second_attempt_is_paid_from_the_day_on_which_it_is_admitted(store: Store) -> None:
    yesterday, today = day("0.40", EARLIER), day("0.40", LATER)
    await submit(store, [item("a")])
    (first,) = (await admit(store, deployment(), budgets=yesterday)).admitted
    version = await intend(store, first)
    await store.apply(first.ref, version, Decision(Event.RESENT))
    (second,) = (await admit(store, deployment(), budgets=today)).admitted
    assert second.attempt == 2
    assert await booked(store, yesterday) == {"unknown": 400_000}
    await accept(store, first, "video_late")
    assert await booked(store, yesterday) == {"unknown": 400_000}
    assert await booked(store, today) == {}


async def test_a_budget_that_is_long_over_does_not_come_back_as_a_debt(store: Store) -> None:
    await submit(store, [item("a")])
    (claim,) = (await admit(store, deployment(), budgets=day("10"))).admitted
    for key in await store.redis.keys(f"{store.keys.prefix}budget:*"):
        await store.redis.delete(key)
    await fail(store, claim)
    assert not await store.redis.keys(f"{store.keys.prefix}budget:*")


async def test_a_budget_outlives_whatever_may_still_be_in_doubt_and_then_goes(store: Store) -> None:
    await submit(store, [item("a")])
    await admit(store, deployment(), budgets=Budgets(day_usd=Decimal(5), month_usd=Decimal(5)))
    names = await store.redis.keys(f"{store.keys.prefix}budget:*")
    lives = [await store.redis.ttl(name) / DAY_S for name in names]
    assert len(lives) == 2
    assert all(99 <= life <= 133 for life in lives)


async def test_an_item_that_nobody_can_price_is_never_admitted_under_a_budget(store: Store) -> None:
    await submit(store, [item("a", size="300x300")])
    assert not keys(await admit(store, deployment(), budgets=day("1000")))
    found = await stopped(store, day("1000"))
    assert (found.reason, "price_per_second_usd" in found.resume) == ("price_unknown", True)
    assert keys(await admit(store, deployment(price_per_second_usd="1"), budgets=day("1000"))) == ["a"]


@pytest.mark.parametrize("budgets", [day("1000"), month("1000")])
async def test_a_price_that_nobody_knows_is_refused_under_a_budget_of_day_or_month(
    store: Store, budgets: Budgets
) -> None:
    with pytest.raises(UnknownPrice):
        await submit(store, [item("a", size="300x300")], budgets=budgets)
    assert not await store.redis.keys("*")


async def test_nothing_is_spent_at_a_time_that_no_period_was_told_for(store: Store) -> None:
    await submit(store, [item("a")])
    asker = Admission(store, [deployment()], budgets=day("10"), clock=lambda: time.time() - 30 * DAY_S)
    answer = (await asker.ask(1, allowance_s=ALLOWANCE_S))["east"]
    assert (answer.admitted, answer.gate) == ((), "budget")


# By how many


async def test_many_askers_admit_exactly_what_a_budget_pays_for(store: Store) -> None:
    budgets = day("5.20")
    for name in ("spring", "summer", "autumn"):
        await submit(store, [item(f"{name}{n}") for n in range(10)], batch=name)
    sides = [deployment(f"d{n}") for n in range(5)]
    answers = await asyncio.gather(*(admit(store, d, most=1, budgets=budgets) for d in sides * 8))
    assert sum(len(answer.admitted) for answer in answers) == 13
    assert await booked(store, budgets) == {"reserved": 5_200_000}


def hammer(url: str, namespace: str, number: int, admitted: multiprocessing.Queue[int]) -> None:
    """A worker of its own: admits, sends some, gives others back, until it was given nothing many times."""

    async def work() -> int:
        redis = connect(url, queue_name=f"{{{namespace}}}:arq")
        store, kept, idle = Store(redis, namespace), 0, 0
        asker = Admission(store, [deployment(f"d{number}")], budgets=day("8.00"))
        while idle < 20:
            answer = (await asker.ask(2, allowance_s=ALLOWANCE_S))[f"d{number}"]
            idle = 0 if answer.admitted else idle + 1
            for claim in answer.admitted:
                if (kept + claim.version) % 3 == 0:
                    await fail(store, claim)
                else:
                    await intend(store, claim)
                    kept += 1
        await redis.aclose()
        return kept

    admitted.put(asyncio.run(work()))


async def test_many_processes_send_exactly_what_a_budget_pays_for(store: Store, redis_url: str, namespace: str) -> None:
    """8 dollars are 20 videos, whatever is given back in between and whoever takes it."""
    await submit(store, [item(f"k{n}") for n in range(60)])
    context = multiprocessing.get_context("spawn")
    sent: multiprocessing.Queue[int] = context.Queue()
    workers = [context.Process(target=hammer, args=(redis_url, namespace, n, sent), daemon=True) for n in range(4)]
    for worker in workers:
        worker.start()
    counts = [await asyncio.to_thread(sent.get, True, 60) for _ in workers]
    for worker in workers:
        await asyncio.to_thread(worker.join)
    assert sum(counts) == 20
    assert (await batch_of(store)).counts[State.CREATING] == 20
    assert await booked(store, day("8.00")) == {"unknown": 8_000_000}


# What is said


async def test_a_batch_stopped_for_its_own_budget_says_what_is_spent_and_what_to_type(store: Store) -> None:
    await submit(store, [item(f"k{n}") for n in range(8)], budget_usd="1.00")
    for claim in (await admit(store, deployment())).admitted:
        await intend(store, claim)
        _, version = await accept(store, claim, f"video_{claim.ref.item}")
        await store.apply(claim.ref, int(version), Decision(Event.FAILED, money="confirmed"))
    found = await stopped(store, Budgets())
    assert found.reason == "budget"
    assert found.resume == (
        "$0.80 of $1.00 are spent or bound, and the next video costs $0.40: dailies set spring --budget-usd 4"
    )


@pytest.mark.parametrize(("budgets", "name"), [(day("0.50"), "day"), (month("0.50"), "month")])
async def test_a_batch_stopped_for_the_day_or_the_month_says_when_it_goes_on(
    store: Store, budgets: Budgets, name: str
) -> None:
    await submit(store, [item("other")], batch="other")
    await admit(store, deployment(), budgets=budgets)
    await submit(store, [item("a")])
    found = await stopped(store, budgets)
    assert found.reason == f"budget_{name}"
    assert found.resume.startswith("$0.40 of $0.50 are spent or bound, and the next video costs $0.40: ")
    assert f"raise budgets.{name}_usd in dailies.yaml and start again; or it goes on by itself at 20" in found.resume
    assert await stoppage(store, await batch_of(store), [deployment()]) is None


# Which period it is


async def test_days_and_months_are_those_of_the_place() -> None:
    """23:30 UTC on 31 October is already November in Stockholm; that day had 25 hours the week before."""
    now = dt.datetime(2026, 10, 31, 23, 30, tzinfo=dt.UTC).timestamp()
    budgets = Budgets(day_usd=Decimal(1), month_usd=Decimal("2.50"), timezone="Europe/Stockholm")
    by_day, by_month = limits(budgets, now)

    def current(limit: dict[str, object]) -> str:
        (found,) = [p[0] for p in limit["periods"] if p[1] <= now * 1000 < p[2]]  # type: ignore[attr-defined]
        return str(found)

    assert (by_day["name"], by_day["limit"], current(by_day)) == ("day", 1_000_000, "day:2026-11-01")
    assert (by_month["name"], by_month["limit"], current(by_month)) == ("month", 2_500_000, "month:2026-11")


@given(st.integers(1_700_000_000, 2_200_000_000).map(float), st.sampled_from(["UTC", "America/New_York", LATER]))
async def test_every_instant_lies_in_one_day_and_one_month_with_its_local_date(now: float, zone: str) -> None:
    budgets = Budgets(day_usd=Decimal(1), month_usd=Decimal(1), timezone=zone)
    for limit, form in zip(limits(budgets, now), ("day:%Y-%m-%d", "month:%Y-%m"), strict=True):
        for hours_on in (0, 30):
            later = now + hours_on * 3600
            wanted = dt.datetime.fromtimestamp(later, ZoneInfo(zone)).strftime(form)
            periods = limit["periods"]
            assert [p[0] for p in periods if p[1] <= later * 1000 < p[2]] == [wanted]  # type: ignore[attr-defined]
