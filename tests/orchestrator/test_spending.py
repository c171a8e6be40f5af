"""What is spent is told by day, model, batch and deployment, and outlives the batches."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from orchestrator.batches.batch_lock import forget
from orchestrator.batches.lifecycle import Word
from orchestrator.batches.retrying import Wish, retry
from orchestrator.items.decision import Decision
from orchestrator.items.failures import MODERATION
from orchestrator.items.states import Event, State
from orchestrator.ledger import views
from orchestrator.ledger.store import Store
from orchestrator.reports.results import row
from orchestrator.reports.spending import KEPT_DAYS, Spent, grouped, spending, total
from tests.ledger import accept, admit, batch_of, deployment, intend, item, state, submit
from tests.orchestrator.test_links import receipt_of, reusing
from tests.orchestrator.virtual_clock import on_virtual_time, tell

PRICE = 400_000
DAY = dt.date(2026, 11, 21)
LATE = round(dt.datetime(2026, 11, 21, 23, 59, 50, tzinfo=dt.UTC).timestamp() * 1000)


@pytest.fixture
async def store(redis: Any, namespace: str) -> Store:
    made = on_virtual_time(redis, namespace)
    await tell(made, LATE)
    return made


async def spent(store: Store, *by: str, since: dt.date = DAY, until: dt.date = DAY) -> list[Spent]:
    return grouped(await spending(store, since, until), by)


async def sent(store: Store, batch: str = "spring", name: str = "east") -> tuple[Any, int]:
    """The next item of a batch, sent and accepted: its claim and version."""
    (claim,) = (await admit(store, deployment(name), most=1, batches=[batch])).admitted
    await intend(store, claim)
    _, version = await accept(store, claim, f"video_{claim.ref}_{claim.attempt}")
    return claim, int(version)


async def succeed(store: Store, claim: Any, version: int) -> None:
    done = {"expires_at": LATE + 10**8, "content_id": "x"}
    await store.apply(claim.ref, version, Decision(Event.SUCCEEDED, done, {"completed_at": LATE}, "confirmed"))


async def test_a_create_counts_from_its_intent_on_as_unknown_and_then_as_confirmed(store: Store) -> None:
    await submit(store, [item("a")])
    (claim,) = (await admit(store, deployment())).admitted
    assert await spent(store) == [], "what is only reserved was not sent"
    await intend(store, claim)
    assert total(await spent(store)) == Spent(None, None, None, None, 0, PRICE, 1)
    _, version = await accept(store, claim, "video_1")
    await succeed(store, claim, int(version))
    assert total(await spent(store)) == Spent(None, None, None, None, PRICE, 0, 1)


async def test_what_was_not_sent_is_taken_back(store: Store) -> None:
    await submit(store, [item("a")])
    (claim,) = (await admit(store, deployment())).admitted
    await store.apply(claim.ref, await intend(store, claim), Decision(Event.RETURNED, money="none"))
    assert await spent(store) == []
    (found,) = [each async for each in views.items(store, "spring")]
    assert (row(found, ())["unknown_usd"], row(found, ())["estimated_usd"]) == (0.0, 0.4)


async def test_it_is_the_day_of_the_create_that_counts_also_after_midnight(store: Store) -> None:
    await submit(store, [item("a")])
    claim, version = await sent(store)
    await tell(store, LATE + 60_000)
    await succeed(store, claim, version)
    (only,) = await spent(store, "day", until=DAY + dt.timedelta(days=1))
    assert (only.day, only.confirmed, only.unknown) == (DAY, PRICE, 0)


async def test_it_is_told_by_model_batch_and_deployment(store: Store) -> None:
    await submit(store, [item("a"), item("b")])
    await submit(store, [item("a", model="sora 2 x", prompt="other")], batch="summer",
                 deployments=[deployment(model="sora 2 x", price_per_second_usd="0.5")])  # fmt: skip
    await sent(store)
    await sent(store, name="west")
    other = deployment("north", model="sora 2 x", price_per_second_usd="0.5")
    (claim,) = (await admit(store, other, batches=["summer"])).admitted
    await intend(store, claim)
    by_model = {(r.model, r.unknown, r.videos) for r in await spent(store, "model")}
    assert by_model == {("sora-2", 2 * PRICE, 2), ("sora 2 x", 2_000_000, 1)}
    assert {(r.batch, r.deployment, r.unknown) for r in await spent(store, "batch", "deployment")} == {
        ("spring", "east", PRICE), ("spring", "west", PRICE), ("summer", "north", 2_000_000),
    }  # fmt: skip


async def test_each_attempt_counts_and_an_item_knows_the_sum_of_its_own(store: Store) -> None:
    """A failed one that may be billed, and the one that came after it."""
    await submit(store, [item("a")])
    claim, version = await sent(store)
    await store.apply(claim.ref, version, Decision(Event.FAILED, MODERATION.fields("no"), money="unknown"))
    await retry(store, "spring", Wish(), LATE + 1, Word("ann"))
    await succeed(store, *await sent(store))
    (found,) = [each async for each in views.items(store, "spring")]
    told = row(found, ())
    assert (told["confirmed_usd"], told["unknown_usd"], told["billed"], told["attempts"]) == (0.4, 0.4, "yes", 2)
    all_of = total(await spent(store))
    assert (all_of.confirmed, all_of.unknown, all_of.videos) == (PRICE, PRICE, 2)


async def test_a_price_that_nobody_knows_is_counted(store: Store) -> None:
    await submit(store, [item("a", model="new")], deployments=[deployment(model="new")])
    (claim,) = (await admit(store, deployment(model="new"))).admitted
    await intend(store, claim)
    assert total(await spent(store)) == Spent(None, None, None, None, 0, 0, 1, 1)


async def test_forgetting_a_batch_forgets_no_money_and_its_receipts_are_not_booked_again(store: Store) -> None:
    await submit(store, [item("a")])
    claim, version = await sent(store)
    await succeed(store, claim, version)
    found = await store.load(claim.ref)
    assert found is not None
    await store.apply(claim.ref, found.version, Decision(Event.ARCHIVED, {"file": "a.mp4"}))
    assert await forget(store, "spring")
    assert total(await spent(store)).confirmed == PRICE
    await found_again(store)
    assert await state(store, "a") is State.ARCHIVED
    assert (await batch_of(store)).confirmed == PRICE, "the batch tells what it cost"
    assert total(await spent(store, since=DAY - dt.timedelta(days=KEPT_DAYS))).confirmed == PRICE


async def test_receipts_that_no_ledger_ever_knew_count_on_the_day_of_their_create(store: Store) -> None:
    """The ledger was lost, and with it what was booked."""
    await found_again(store)
    (only,) = await spent(store, "day", since=DAY - dt.timedelta(days=KEPT_DAYS))
    assert (only.confirmed, only.videos) == (PRICE, 1)
    assert only.day is not None
    assert only.day < DAY


async def found_again(store: Store) -> None:
    """The batch is submitted, and the archive has its receipt, of a create a year ago."""
    paper = receipt_of("a")
    made = {**paper["attempt"], "created_at": LATE // 1000 - 365 * 86_400}
    await reusing(store, "spring", [item("a")], {"a": {**paper, "attempt": made}})


async def test_totals_are_dropped_when_nobody_asks_for_them_any_more(store: Store) -> None:
    await submit(store, [item("a")])
    await sent(store)
    key = store.keys.spend((DAY - dt.date(1970, 1, 1)).days)
    gone_on = dt.datetime.fromtimestamp(await store.redis.pexpiretime(key) / 1000, dt.UTC).date()
    assert gone_on == DAY + dt.timedelta(days=KEPT_DAYS)
