"""Who goes before an item, wherever they stand: pinned to its deployment, hurried, or of another model on its quota."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestrator.admission.controller import Admission
from orchestrator.items.states import State
from orchestrator.ledger.keys import Ref
from orchestrator.ledger.store import Store
from orchestrator.reasons.why import Why, why
from orchestrator.redis.connection import connect
from orchestrator.settings import Deployment
from tests.ledger import admit, deployment, item, state, submit
from tests.orchestrator.test_pools import ask, rendered
from tests.orchestrator.virtual_clock import on_virtual_time, start_ms, tell


async def asked(store: Store, key: str, *deployments: Deployment, batch: str = "spring") -> Why:
    found = await why(store, Ref(batch, key), deployments)
    assert found is not None
    return found


async def test_items_that_only_this_deployment_may_make_go_before_it_by_their_priority(store: Store) -> None:
    east = deployment("east", per_minute=2)
    pinned = [item(f"p{n}", deployment="east", priority=5) for n in range(50)]
    await submit(store, [item("plain"), *pinned], deployments=[east])
    await admit(store, east, most=1)
    found = await asked(store, "plain", east)
    assert (found.gate, found.until) == ("priority", None)
    assert found.ahead is not None
    assert (found.ahead.batch, found.ahead.others) == (49, 0)
    assert (await asked(store, "p1", east)).gate == "rate"


async def test_where_another_deployment_is_free_of_them_it_goes_there(store: Store) -> None:
    east, west = deployment("east", per_minute=2), deployment("west", per_minute=1)
    pinned = [item(f"p{n}", deployment="east", priority=5) for n in range(50)]
    await submit(store, [item("first", priority=9), *pinned, item("plain")], deployments=[east, west])
    for each in (west, east):
        await admit(store, each, most=1)
    found = await asked(store, "plain", east, west)
    assert found.gate == "rate"
    assert found.summary.startswith("It is next: west takes it in ")


async def test_remixes_whose_source_is_deleted_soon_go_before_all_else(store: Store) -> None:
    east = deployment("east", per_minute=2)
    remixes = [item(f"r{n}", remix_of="source", prompt=f"p{n}") for n in range(20)]
    await submit(store, [item("source", priority=9), *remixes, item("urgent", priority=5)], deployments=[east])
    (claim,) = (await admit(store, east)).admitted
    await rendered(store, claim, kept_s=3600)
    found = await asked(store, "urgent", east)
    assert (found.gate, found.until) == ("priority", None)
    assert found.ahead is not None
    assert found.ahead.total == 20
    assert (await asked(store, "r0", east)).gate == "rate"


async def test_models_that_draw_on_one_quota_are_not_both_next(store: Store) -> None:
    sora_2, sora = (
        deployment(name, per_minute=2, shared_as="pool", model=model)
        for name, model in (("a", "sora-2"), ("b", "sora"))
    )
    rows = [item("x0"), item("x1"), *(item(f"y{n}", model="sora", size="480x480") for n in range(3))]
    await submit(store, rows, deployments=[sora_2, sora])
    await ask(store, sora_2, sora)
    gates = {key: (await asked(store, key, sora_2, sora)).gate for key in ("x1", "y0")}
    assert gates == {"x1": "priority", "y0": "rate"}, "the model that did not have the last turn"


rows = st.fixed_dictionaries(
    {
        "priority": st.sampled_from([0, 0, 1]),
        "pin": st.sampled_from([None, None, 0, 1]),
        "model": st.sampled_from(["sora-2", "sora-2", "sora"]),
        "remix": st.sampled_from([False, False, True]),
        "batch": st.sampled_from(["spring", "autumn"]),
    }
)
ledgers = st.fixed_dictionaries(
    {
        "deployments": st.lists(
            st.fixed_dictionaries(
                {
                    "model": st.sampled_from(["sora-2", "sora-2", "sora"]),
                    "per_minute": st.sampled_from([1, 2]),
                    "order": st.sampled_from([0, 0, 1]),
                }
            ),
            min_size=1,
            max_size=3,
        ),
        "shared": st.booleans(),
        "kept_s": st.sampled_from([3600, 80_000]),
        "rows": st.lists(rows, min_size=1, max_size=8),
        "earlier": st.integers(0, 3),
        "paused": st.sampled_from([False, False, True]),
        "asked": st.integers(0, 7),
    }
)


def named(number: int, told: dict[str, Any], serving: list[Deployment]) -> tuple[str, Any]:
    """A row, and its batch; it is pinned where that deployment is of its model."""
    pin = None if told["pin"] is None else serving[told["pin"] % len(serving)]
    more: dict[str, Any] = {"priority": told["priority"]}
    if told["model"] == "sora":
        more |= {"model": "sora", "size": "480x480"}
    elif told["remix"] and told["batch"] == "spring":
        more |= {"remix_of": "source", "prompt": f"p{number}"}
    if pin is not None and pin.model == told["model"] and "remix_of" not in more:
        more["deployment"] = pin.name
    return told["batch"], item(f"k{number}", **more)


async def foretold(url: str, namespace: str, told: dict[str, Any]) -> None:
    async with connect(url) as redis:
        await redis.flushall()
        store, now = on_virtual_time(redis, namespace), start_ms()
        await tell(store, now)
        more = {"shared_as": "pool", "per_minute": 2} if told["shared"] else {}
        serving = [deployment(f"d{n}", **{**facts, **more}) for n, facts in enumerate(told["deployments"])]
        drawn = [named(number, row, serving) for number, row in enumerate(told["rows"])]
        for batch in ("spring", "autumn"):
            own = [row for name, row in drawn if name == batch]
            first = [item("source", priority=9)] if batch == "spring" else []
            await submit(store, [*first, *own], batch=batch, deployments=serving)
        for claims in (await ask(store, *serving, most=1)).values():
            for claim in claims.admitted:
                if claim.ref.item == "source":
                    await rendered(store, claim, kept_s=told["kept_s"])
        await ask(store, *serving, most=told["earlier"])
        if told["paused"]:
            await store.judge("d0", {"pause": True, "reason": "", "by": ""})
        batch, row = drawn[told["asked"] % len(drawn)]
        found = await why(store, Ref(batch, row.key), serving)
        assert found is not None
        if found.gate in ("none", "rate"):
            await tell(store, now if found.until is None else round(found.until * 1000))
            await Admission(store, serving).ask(100, allowance_s=600)
            assert await state(store, row.key, batch) is State.ADMITTED
        elif found.gate == "priority" and len(serving) == 1:
            assert found.ahead is not None
            assert found.ahead.total
            await tell(store, round((found.deployments[0].until or now / 1000) * 1000))
            await Admission(store, serving).ask(1, allowance_s=600)
            assert await state(store, row.key, batch) is State.WAITING


@pytest.mark.timeout(900)  # a failure is told only once the shortest way to it is found
def test_what_is_said_to_be_next_is_what_admission_takes_next(redis_url: str, namespace: str) -> None:
    """With others of any kind in the way: it is not told a time at which others are taken instead."""

    @given(told=ledgers)
    @settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    def agrees(told: dict[str, Any]) -> None:
        asyncio.run(foretold(redis_url, namespace, told))

    agrees()
