"""What a person changes of a batch holds at once, for every worker, and is not undone by submitting it again."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from itertools import groupby
from typing import Any

import pytest

from manifests.checking.validation import HIGHEST_PRIORITY as HIGHEST_OF_ITEMS
from orchestrator.batches.live_changes import HIGHEST_PRIORITY, BadChange, change
from orchestrator.items.states import BatchState
from orchestrator.ledger.store import Store
from orchestrator.reasons.stoppage import stoppage
from tests.ledger import admit, batch_of, deployment, item, keys, submit

pytestmark = pytest.mark.asyncio


async def test_a_batch_that_is_stopped_for_its_budget_goes_on_when_more_is_set(store: Store) -> None:
    """With nothing else: neither a new submit nor a new worker."""
    await submit(store, [item(f"k{n}") for n in range(4)], budget_usd="0.80")
    for claim in (await admit(store, deployment())).admitted:
        await store.redis.hset(store.keys.batch("spring"), "n:admitted", 0)
        assert claim.ref.item in ("k0", "k1")
    assert (await admit(store, deployment())).gate == "budget"
    assert await stoppage(store, await batch_of(store), [deployment()])
    assert await change(store, "spring", budget_usd=Decimal("1.60")) is BatchState.RUNNING
    assert keys(await admit(store, deployment())) == ["k2", "k3"]


async def test_a_budget_that_was_set_outlives_a_submit_of_the_same_manifest(store: Store) -> None:
    await submit(store, [item("a")], budget_usd="10")
    await change(store, "spring", budget_usd=Decimal(250))
    await submit(store, [item("a"), item("b")], budget_usd="10")
    assert (await batch_of(store)).budget == 250_000_000


async def test_a_manifest_whose_budget_was_changed_has_the_last_word(store: Store) -> None:
    await submit(store, [item("a")], budget_usd="10")
    await change(store, "spring", budget_usd=Decimal(250))
    await submit(store, [item("a")], budget_usd="20")
    assert (await batch_of(store)).budget == 20_000_000
    await change(store, "spring", budget_usd=Decimal(250))
    await submit(store, [item("a")])
    assert (await batch_of(store)).budget is None
    await change(store, "spring", budget_usd=Decimal(250))
    await submit(store, [item("a")])
    assert (await batch_of(store)).budget == 250_000_000


async def test_a_batch_whose_priority_is_raised_goes_next(store: Store) -> None:
    await submit(store, [item(f"a{n}") for n in range(3)], batch="first")
    await submit(store, [item(f"b{n}") for n in range(3)], batch="second")
    await change(store, "second", priority=1)
    assert keys(await admit(store, deployment(), most=3)) == ["b0", "b1", "b2"]
    await change(store, "second", priority=-1)
    await submit(store, [item(f"b{n}") for n in range(6)], batch="second")
    assert keys(await admit(store, deployment(), most=3)) == ["a0", "a1", "a2"]


async def test_turns_go_by_weight(store: Store) -> None:
    await submit(store, [item(f"a{n}") for n in range(60)], batch="heavy")
    await submit(store, [item(f"b{n}") for n in range(60)], batch="light")
    await change(store, "heavy", weight=3)
    turns = Counter(key[0] for key in keys(await admit(store, deployment(), most=40)))
    assert turns == {"a": 30, "b": 10}


async def test_priorities_stay_exact_and_turns_fair_at_their_very_ends(store: Store) -> None:
    """A score of the index that were rounded would mix up neighbours, or give one batch all turns."""
    top = HIGHEST_OF_ITEMS
    for name in ("x", "y", "z"):
        rows = [item(f"{name}{n}", priority=top - (name == "z")) for n in range(50)]
        await submit(store, rows, batch=name)
        await change(store, name, priority=HIGHEST_PRIORITY)
    await change(store, "x", weight=100)
    await change(store, "y", weight=99)
    turns = [key[0] for key in keys(await admit(store, deployment(), most=60))]
    assert set(turns) == {"x", "y"}
    assert max(len(list(run)) for _, run in groupby(turns)) <= 2


@pytest.mark.parametrize(
    ("changes", "option"),
    [
        ({"budget_usd": Decimal(0)}, "budget_usd"),
        ({"budget_usd": Decimal(10**9)}, "budget_usd"),
        ({"budget_usd": Decimal("NaN")}, "budget_usd"),
        ({"priority": HIGHEST_PRIORITY + 1}, "priority"),
        ({"priority": -HIGHEST_PRIORITY - 1}, "priority"),
        ({"weight": 0}, "weight"),
        ({"weight": 101}, "weight"),
        ({}, "budget_usd, priority or weight"),
    ],
)
async def test_what_cannot_be_is_refused_and_nothing_is_changed(
    store: Store, changes: dict[str, Any], option: str
) -> None:
    await submit(store, [item("a")], budget_usd="10")
    before = (await batch_of(store)).fields
    with pytest.raises(BadChange) as caught:
        await change(store, "spring", **changes)
    assert caught.value.option == option
    assert (await batch_of(store)).fields == before


async def test_there_is_nothing_to_change_of_a_batch_that_is_not_there(store: Store) -> None:
    assert await change(store, "spring", priority=1) is None
    assert not await store.redis.keys("*")
