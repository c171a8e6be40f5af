"""An item that names a deployment waits for that one; naming another one moves it, and renders nothing."""

from __future__ import annotations

import pytest

from orchestrator.batches.comparison import Comparison
from orchestrator.batches.lifecycle import Action, Chosen, Word, ask
from orchestrator.batches.submission import Submission
from orchestrator.items.decision import Decision
from orchestrator.items.states import Event, State
from orchestrator.ledger import views
from orchestrator.ledger.keys import Ref
from orchestrator.ledger.records import Item
from orchestrator.ledger.store import Store
from orchestrator.reasons.stoppage import stoppage
from orchestrator.reports.results import row
from tests.ledger import accept, admit, batch_of, deployment, intend, item, keys, state, submit

pytestmark = pytest.mark.asyncio

EAST = deployment("east")
WEST = deployment("west", price_per_second_usd="0.50")
BOTH = (EAST, WEST)


async def found(store: Store, key: str, batch: str = "spring") -> Item:
    item = await store.load(Ref(batch, key))
    assert item is not None
    return item


async def test_only_the_deployment_that_it_names_may_make_an_item(store: Store) -> None:
    await submit(store, [item("a", deployment="west"), item("b")], deployments=BOTH)
    assert keys(await admit(store, EAST)) == ["b"]
    assert (await admit(store, EAST)).gate == "empty"
    assert keys(await admit(store, WEST)) == ["a"]
    assert (await found(store, "a")).spec.deployment == "west"


async def test_a_pinned_item_costs_what_its_own_deployment_takes(store: Store) -> None:
    """Not what the dearest of the model would: a budget reaches as far as it does."""
    dear = [item("a", deployment="west")]
    await submit(store, dear, deployments=BOTH)
    assert (await batch_of(store)).estimated == 2_000_000
    await submit(store, [item("b", deployment="east")], batch="cheap", deployments=BOTH, budget_usd="0.50")
    assert (await batch_of(store, "cheap")).estimated == 400_000
    assert keys(await admit(store, EAST)) == ["b"]


async def test_an_unknown_price_elsewhere_does_not_bar_a_pinned_item_from_a_budget(store: Store) -> None:
    priced = deployment("east", model="house", price_per_second_usd="0.10")
    unpriced = deployment("west", model="house")
    rows = [item("a", model="house", deployment="east")]
    await submit(store, rows, deployments=[priced, unpriced], budget_usd="1")
    assert (await batch_of(store)).estimated == 400_000


async def test_another_pin_moves_an_item_that_waits_and_costs_nothing(store: Store) -> None:
    rows = [item("a", deployment="west"), item("b"), item("c", deployment="east")]
    await submit(store, rows, deployments=BOTH)
    moved = [item("a", deployment="east"), item("b", deployment="west"), item("c")]
    done = await submit(store, moved, deployments=BOTH)
    assert (done.new, done.changed, done.updated) == (0, 0, 3)
    assert [i.ref.item async for i in views.items(store, "spring")] == ["a", "b", "c"]
    assert (await batch_of(store)).estimated == 400_000 + 2_000_000 + 2_000_000
    assert keys(await admit(store, WEST, most=1)) == ["b"]
    assert sorted(keys(await admit(store, EAST))) == ["a", "c"]


async def test_the_same_pin_again_changes_nothing(store: Store) -> None:
    await submit(store, [item("a", deployment="west")], deployments=BOTH)
    again = await submit(store, [item("a", deployment="west")], deployments=BOTH)
    assert (again.updated, again.unchanged) == (0, 1)


async def test_an_item_that_was_ordered_stays_where_it_is_whatever_pin_it_gets(store: Store) -> None:
    await submit(store, [item("a", deployment="east")], deployments=BOTH)
    (claim,) = (await admit(store, EAST)).admitted
    await intend(store, claim)
    await accept(store, claim, "video_1")
    done = await submit(store, [item("a", deployment="west")], deployments=BOTH)
    assert (done.changed, done.updated) == (0, 1)
    assert (await admit(store, WEST)).gate == "empty"
    now = await found(store, "a")
    assert (now.state, now.deployment) == (State.RENDERING, "east")
    assert (await batch_of(store)).estimated == 400_000, "what it costs where it is made"


async def test_an_item_that_was_not_sent_after_all_waits_where_its_new_pin_says(store: Store) -> None:
    await submit(store, [item("a", deployment="east")], deployments=BOTH)
    (claim,) = (await admit(store, EAST)).admitted
    await submit(store, [item("a", deployment="west")], deployments=BOTH)
    await store.apply(claim.ref, claim.version, Decision(Event.RETURNED, money="none"))
    assert (await admit(store, EAST)).gate == "empty"
    assert keys(await admit(store, WEST)) == ["a"]
    spent = await batch_of(store)
    assert (spent.reserved, spent.estimated) == (2_000_000, 2_000_000)


async def test_changed_content_and_another_pin_at_once_wait_in_the_new_lane(store: Store) -> None:
    await submit(store, [item("a", deployment="east")], deployments=BOTH)
    done = await submit(store, [item("a", seconds=8, deployment="west")], deployments=BOTH)
    assert done.changed == 1
    assert (await admit(store, EAST)).gate == "empty"
    assert keys(await admit(store, WEST)) == ["a"]


async def test_priority_counts_among_pinned_items_too(store: Store) -> None:
    rows = [item("a", deployment="west"), item("b", deployment="west", priority=3)]
    await submit(store, rows, deployments=BOTH)
    assert keys(await admit(store, WEST)) == ["b", "a"]


async def test_a_remix_goes_where_its_source_was_made_though_it_names_another(store: Store) -> None:
    rows = [item("a"), item("again", remix_of="a", deployment="west")]
    await submit(store, rows, deployments=BOTH)
    (claim,) = (await admit(store, EAST)).admitted
    await intend(store, claim)
    _, version = await accept(store, claim, "video_1")
    await store.apply(claim.ref, int(version), Decision(Event.SUCCEEDED, {"expires_at": 1}, money="confirmed"))
    await submit(store, [item("a"), item("again", remix_of="a", deployment="east", priority=1)], deployments=BOTH)
    await submit(store, rows, deployments=BOTH)
    assert (await admit(store, WEST)).gate == "empty"
    assert keys(await admit(store, EAST)) == ["again"]


async def test_a_remix_of_a_providers_video_goes_where_it_says(store: Store) -> None:
    await submit(store, [item("a", remix_of="video_68ffa1", deployment="west")], deployments=BOTH)
    assert (await admit(store, EAST)).gate == "empty"
    assert keys(await admit(store, WEST)) == ["a"]


async def test_a_deployment_that_is_no_longer_configured_is_said(store: Store) -> None:
    await submit(store, [item("a", deployment="west"), item("b")], deployments=BOTH)
    assert await stoppage(store, await batch_of(store), [EAST]) is None
    (claim,) = (await admit(store, EAST)).admitted
    version = await intend(store, claim)
    await store.apply(claim.ref, version, Decision(Event.REFUSED, {"reason": "invalid"}, money="none"))
    stopped = await stoppage(store, await batch_of(store), [EAST])
    assert stopped is not None
    assert stopped.reason == "no_deployment"
    assert "west" in stopped.resume
    assert await state(store, "a") is State.WAITING


async def test_results_keep_the_manifests_own_column_beside_where_it_was_made(store: Store) -> None:
    await submit(store, [item("a", deployment="west")], deployments=BOTH)
    shown = row(await found(store, "a"), ["prompt", "deployment"])
    assert (shown["deployment (manifest)"], shown["deployment"]) == ("west", None)


async def test_what_waited_for_anothers_video_in_vain_is_made_where_it_says(store: Store) -> None:
    """`--reuse`: the row takes that video; when it comes to nothing, it is rendered itself, by its own deployment."""
    await submit(store, [item("a", prompt="the same")], batch="first", deployments=[EAST])
    (claim,) = (await admit(store, EAST)).admitted
    queue = Submission(store, "spring", deployments=BOTH, progress=lambda _: None)
    comparison = Comparison(store, "spring", writes=True)
    row = item("b", prompt="the same", deployment="west")
    await queue.submit(
        [row], kinds=(), columns=(), budget_usd=None, template="spring", comparison=comparison, reuse=True
    )
    assert (await admit(store, WEST)).gate == "empty"
    version = await intend(store, claim)
    await store.apply(claim.ref, version, Decision(Event.REFUSED, {"reason": "invalid"}, money="none"))
    assert (await admit(store, EAST)).gate == "empty"
    assert keys(await admit(store, WEST)) == ["b"]


async def test_a_paused_item_that_is_pinned_elsewhere_waits_there_once_it_is_resumed(store: Store) -> None:
    await submit(store, [item("a", deployment="east")], deployments=BOTH)
    chosen, word = Chosen(keys=("a",)), Word("ada@host")
    await ask(store, "spring", Action.PAUSE, word, chosen)
    await submit(store, [item("a", deployment="west")], deployments=BOTH)
    assert (await admit(store, WEST)).gate == "empty"
    await ask(store, "spring", Action.RESUME, word, chosen)
    assert (await admit(store, EAST)).gate == "empty"
    assert keys(await admit(store, WEST)) == ["a"]
