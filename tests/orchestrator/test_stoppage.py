"""Whether only a person can move a batch on: the same heads of the same queues as admission looks at."""

from __future__ import annotations

import pytest

from orchestrator.items.decision import Decision
from orchestrator.items.states import Event
from orchestrator.ledger.store import Store
from orchestrator.reasons.stoppage import stoppage
from orchestrator.settings import Deployment
from tests.ledger import accept, admit, batch_of, deployment, intend, item, keys, submit

pytestmark = pytest.mark.asyncio


async def reason(store: Store, *deployments: Deployment) -> str | None:
    found = await stoppage(store, await batch_of(store), deployments)
    return found.reason if found else None


async def make(store: Store, at: Deployment) -> None:
    """Bring the next item to the archive."""
    (claim,) = (await admit(store, at, most=1)).admitted
    await intend(store, claim)
    _, version = await accept(store, claim, f"video_{claim.ref.item}")
    done = await store.apply(claim.ref, int(version), Decision(Event.SUCCEEDED, {"expires_at": 1}, money="confirmed"))
    await store.apply(claim.ref, done or 0, Decision(Event.ARCHIVED))


async def test_a_batch_whose_next_item_is_too_dear_is_stopped_though_a_later_one_is_not(store: Store) -> None:
    await submit(store, [item("cheap"), item("dear", seconds=12, priority=5)], budget_usd="0.50")
    assert (await admit(store, deployment())).gate == "budget"
    assert await reason(store, deployment()) == "budget"


async def test_a_batch_whose_next_item_is_affordable_is_not_stopped_though_an_earlier_row_is_too_dear(
    store: Store,
) -> None:
    await submit(store, [item("dear", seconds=12), item("a", priority=5), item("b", priority=5)], budget_usd="0.85")
    await make(store, deployment())
    assert await reason(store, deployment()) is None
    assert keys(await admit(store, deployment(), most=1)) == ["b"]


async def test_a_budget_is_measured_by_the_deployments_own_price(store: Store) -> None:
    cheap = deployment(price_per_second_usd="0.01")
    await submit(store, [item("a")], deployments=[deployment()], budget_usd="0.10")
    assert await reason(store, deployment()) == "budget"
    assert await reason(store, cheap) is None
    assert await reason(store, deployment("west"), cheap) is None


async def test_a_remix_pinned_to_a_stopped_deployment_stops_the_batch_though_another_is_open(store: Store) -> None:
    east, west = deployment("east"), deployment("west")
    await submit(store, [item("a"), item("again", remix_of="a")], deployments=[east, west])
    await make(store, east)
    await store.judge("east", {"stop": "auth", "message": "wrong key"})
    assert (await admit(store, west)).gate == "empty"
    assert await reason(store, east, west) == "deployments_stopped"


async def test_a_model_that_nobody_serves_any_more_stops_the_batch(store: Store) -> None:
    await submit(store, [item("a")])
    assert await reason(store, deployment(model="sora-2-pro")) == "no_deployment"


async def test_a_cooling_deployment_is_no_stoppage(store: Store) -> None:
    await submit(store, [item("a")])
    await store.judge("east", {"cool_ms": 60_000, "reason": "rate_limited"})
    assert await reason(store, deployment()) is None
