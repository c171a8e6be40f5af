"""Promise 7: when Redis's clock steps back, nothing waits for it to catch up."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
from arq.connections import ArqRedis

from orchestrator.admission.controller import pace
from orchestrator.admission.looks import ceiling
from orchestrator.ledger.store import Store
from tests.ledger import accept, admit, deployment, intend, item, submit
from tests.orchestrator.virtual_clock import on_virtual_time, start_ms, tell

pytestmark = pytest.mark.asyncio

STEP_MS = 3_600_000


@pytest.fixture
async def ledger(redis: ArqRedis, namespace: str) -> Store:
    store = on_virtual_time(redis, namespace)
    await tell(store, start_ms())
    return store


async def blocked_for(ledger: Store, then: int, ask: Callable[[], Awaitable[float | None]]) -> int:
    """How long (ms) it takes after a step back until `ask` gives something; it answers in how many seconds to ask
    again, None when it was given something."""
    waited = 0
    while waited < 2 * STEP_MS:
        await tell(ledger, then - STEP_MS + waited)
        again = await ask()
        if again is None:
            return waited
        waited += round(again * 1000) + 1
    return waited


async def test_admission_goes_on_within_an_interval(ledger: Store) -> None:
    east = deployment(per_minute=2)
    await submit(ledger, [item(f"k{n}") for n in range(3)], deployments=[east])
    now = start_ms()
    await admit(ledger, east)

    async def ask() -> float | None:
        answer = await admit(ledger, east)
        return None if answer.admitted else answer.ask_again_in_s

    assert await blocked_for(ledger, now, ask) <= 31_000


async def test_creates_leave_within_an_interval(ledger: Store) -> None:
    east = deployment(per_minute=2, burst=2)
    await submit(ledger, [item(f"k{n}") for n in range(3)], deployments=[east])
    now = start_ms()
    one, two = (await admit(ledger, east)).admitted
    evenly = {**pace(east), "burst": 1}
    await ledger.intend(one.ref, one.version, {}, pace=evenly, due_in_s=60)
    version = two.version

    async def ask() -> float | None:
        nonlocal version
        word, version, wait_s = await ledger.intend(two.ref, version, {}, pace=evenly, due_in_s=60)
        return wait_s if word == "deferred" else None

    assert await blocked_for(ledger, now, ask) <= 31_000


async def test_jobs_are_looked_at_again_at_once(ledger: Store) -> None:
    east = deployment()
    await submit(ledger, [item(f"k{n}") for n in range(2)], deployments=[east])
    now = start_ms()
    for number, claim in enumerate((await admit(ledger, east)).admitted):
        await intend(ledger, claim)
        await accept(ledger, claim, f"video_{number}", due_in_s=0)
    looks = {"east": ceiling(0.5)}

    async def ask() -> float | None:
        claims, next_due = await ledger.claim(
            {"polls": 5}, pools={"poll": "polls"}, deployments=["east"], allowance_s=30, furthest_s=600, looks=looks
        )
        return None if claims else next_due

    assert await ask() is None
    assert await blocked_for(ledger, now, ask) <= 10_000


async def test_a_rest_lasts_no_longer_than_it_was_meant_to(ledger: Store) -> None:
    east = deployment()
    await submit(ledger, [item("a")], deployments=[east])
    now = start_ms()
    await ledger.judge("east", {"cool_ms": 10_000, "reason": "unreachable"})

    async def ask() -> float | None:
        answer = await admit(ledger, east)
        return None if answer.admitted else answer.ask_again_in_s

    assert await blocked_for(ledger, now, ask) <= 11_000
