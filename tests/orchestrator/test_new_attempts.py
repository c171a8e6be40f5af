"""What the provider failed to make is made anew by itself: later, out of the same budget, while it is wanted."""

from __future__ import annotations

import time
from typing import Any

import pytest

from orchestrator.batches.lifecycle import Action, Chosen, Word, ask
from orchestrator.items.decision import Decision
from orchestrator.items.failures import EXPIRED, INTERNAL_ERROR
from orchestrator.items.states import BatchState, Event, State
from orchestrator.ledger import views
from orchestrator.ledger.keys import Ref
from orchestrator.ledger.records import Claim
from orchestrator.ledger.store import Store
from orchestrator.reasons.stoppage import stoppage
from orchestrator.reasons.why import why
from tests.ledger import accept, admit, batch_of, deployment, intend, item, keys, state, submit
from tests.orchestrator.virtual_clock import on_virtual_time, start_ms, tell

A = Ref("spring", "a")
ANN = Word("ann@studio", "no")
PRICE = 400_000


@pytest.fixture
async def store(redis: Any, namespace: str) -> Store:
    made = on_virtual_time(redis, namespace)
    await tell(made, start_ms())
    return made


async def rendering(store: Store, key: str = "a") -> tuple[Claim, int]:
    (claim,) = (await admit(store, deployment(), most=1)).admitted
    assert claim.ref.item == key
    await intend(store, claim)
    _, version = await accept(store, claim, f"video_{key}_{claim.attempt}")
    return claim, int(version)


async def fail(store: Store, claim: Claim, version: int, pause_s: float = 60) -> None:
    fields = INTERNAL_ERROR.fields("oops") | {"retries": 1}
    again = Decision(Event.RETRIED, fields, {"outcome": "internal_error"}, money="unknown", due_in_s=pause_s)
    assert await store.apply(claim.ref, version, again)


async def a_round(store: Store) -> float | None:
    """What a dispatcher asks for in each round; in how many seconds something is next due."""
    return (await store.claim({}, pools={}, deployments=["east"], allowance_s=30, furthest_s=7200))[1]


async def test_a_new_attempt_waits_for_its_pause_and_then_for_its_turn(store: Store) -> None:
    await submit(store, [item("a"), item("b")])
    claim, version = await rendering(store)
    began = start_ms()
    await fail(store, claim, version)
    found = await store.load(A)
    assert found is not None
    assert (found.state, found.reason, found.message) == (State.WAITING, "internal_error", "oops")
    assert await store.redis.zcard(store.keys.open("east")) == 0, "its slot is free"
    due = await a_round(store)
    assert due is not None
    assert 55 < due <= 60
    assert keys(await admit(store, deployment())) == ["b"], "it is in no queue yet"
    await tell(store, began + 61_000)
    await a_round(store)
    (again,) = (await admit(store, deployment())).admitted
    assert (again.ref, again.attempt) == (A, 2)
    assert not await store.redis.exists(f"{store.keys.prefix}later")
    assert (await batch_of(store)).fields["later"] == "0"


async def test_it_is_paid_out_of_the_same_budget_besides_the_first(store: Store) -> None:
    """Nobody says whether failed jobs are billed."""
    began = start_ms()
    await submit(store, [item("a")], budget_usd="0.79")
    await fail(store, *await rendering(store))
    batch = await batch_of(store)
    assert (batch.unknown, batch.reserved, batch.estimated) == (PRICE, 0, 2 * PRICE)
    await tell(store, began + 61_000)
    await a_round(store)
    answer = await admit(store, deployment())
    assert (answer.admitted, answer.gate) == ((), "budget")
    stopped = await stoppage(store, await batch_of(store), [deployment()])
    assert stopped is not None
    assert (stopped.reason, stopped.resume.split(": ")[1]) == ("budget", "dailies set spring --budget-usd 1")


async def test_a_batch_is_not_stopped_while_an_attempt_waits_for_its_pause(store: Store) -> None:
    await submit(store, [item("a")])
    await fail(store, *await rendering(store))
    assert await stoppage(store, await batch_of(store), [deployment()]) is None
    found = await why(store, A, [deployment()])
    assert found is not None
    assert found.gate == "again"
    assert found.until == pytest.approx(start_ms() / 1000 + 60, abs=5)
    assert "oops" in found.summary


@pytest.mark.parametrize(("event", "end"), [("rendering", State.FAILED), ("archiving", State.EXPIRED)])
async def test_what_was_cancelled_is_not_made_anew(store: Store, event: str, end: State) -> None:
    """It ends as it would have without: failed, or expired."""
    await submit(store, [item("a")])
    claim, version = await rendering(store)
    await ask(store, "spring", Action.CANCEL, ANN, Chosen(("a",)))
    if event == "archiving":
        done = {"expires_at": round((time.time() + 1) * 1000), "content_id": "x"}
        version = await store.apply(A, version, Decision(Event.SUCCEEDED, done, {"completed_at": 1})) or 0
    await fail(store, claim, version)
    assert await state(store, "a") is end
    assert (await batch_of(store)).state is BatchState.FINAL


async def test_a_pause_holds_the_next_attempt_up(store: Store) -> None:
    began = start_ms()
    await submit(store, [item("a")])
    claim, version = await rendering(store)
    await ask(store, "spring", Action.PAUSE, ANN, Chosen(("a",)))
    await fail(store, claim, version)
    await tell(store, began + 61_000)
    await a_round(store)
    assert keys(await admit(store, deployment())) == []
    await ask(store, "spring", Action.RESUME, ANN, Chosen(("a",)))
    assert keys(await admit(store, deployment())) == ["a"]


async def test_cancelled_in_its_pause_it_leaves_nothing_behind(store: Store) -> None:
    await submit(store, [item("a")])
    await fail(store, *await rendering(store))
    await ask(store, "spring", Action.CANCEL, ANN)
    assert await state(store, "a") is State.CANCELLED
    assert not await store.redis.exists(f"{store.keys.prefix}later")
    batch = await batch_of(store)
    assert (batch.fields["later"], batch.unknown, batch.reserved) == ("0", PRICE, 0), "what was sent may be billed"


async def test_the_next_attempt_knows_nothing_of_the_last_ones_render(store: Store) -> None:
    """An expiry that stayed would put the next video in a false place of the archive's order."""
    await submit(store, [item("a")])
    _, version = await rendering(store)
    done = {"expires_at": 1, "content_id": "x", "progress": 100}
    version = await store.apply(A, version, Decision(Event.SUCCEEDED, done, {"completed_at": 1}, "confirmed")) or 0
    lost = Decision(Event.RETRIED, EXPIRED.fields("gone") | {"rerenders": 1}, money="confirmed", due_in_s=60)
    assert await store.apply(A, version, lost)
    found = await store.load(A)
    assert found is not None
    assert {"expires_at", "content_id", "progress", "missing", "archive_tries"} & set(found.fields) == set()
    assert (await batch_of(store)).confirmed == PRICE
    assert [a.money for a in await views.attempts(store, found)] == ["confirmed"]


async def test_a_remix_that_is_made_anew_still_needs_its_source(store: Store) -> None:
    """Else the source's remote video could be deleted before."""
    began = start_ms()
    await submit(store, [item("a"), item("r", remix_of="a")])
    claim, version = await rendering(store)
    done = {"expires_at": began + 10**8, "content_id": "x"}
    await store.apply(A, version, Decision(Event.SUCCEEDED, done, {"completed_at": began}, "confirmed"))
    claim, version = await rendering(store, "r")
    assert not await store.redis.exists(store.keys.remixes(A))
    await fail(store, claim, version)
    assert await store.redis.smembers(store.keys.remixes(A)) == {b"r"}


async def test_a_clock_that_stepped_back_holds_no_attempt_up(store: Store) -> None:
    await submit(store, [item("a")])
    await fail(store, *await rendering(store))
    await tell(store, start_ms() - 10**9)
    await a_round(store)
    assert keys(await admit(store, deployment())) == ["a"]
