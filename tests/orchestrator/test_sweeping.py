"""What is asked of many items is done in parts; whoever dies in the middle leaves nothing half done."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from redis import Redis

from manifests import Item
from orchestrator.batches.lifecycle import Action, Chosen, Word, ask
from orchestrator.batches.submission import CHUNK, CancelledMeanwhile
from orchestrator.batches.sweeping import sweep
from orchestrator.items.states import BatchState, State
from orchestrator.ledger.records import Claim
from orchestrator.ledger.store import Store
from tests.ledger import admit, batch_of, deployment, item, keys, submit

pytestmark = pytest.mark.asyncio

ANN = Word("ann@studio")
POOLS = {"sweep": "steps"}


async def claim(store: Store) -> list[Claim]:
    claims, _ = await store.claim({"steps": 4}, pools=POOLS, deployments=[], allowance_s=30, furthest_s=7200)
    return claims


async def begin(store: Store, *, due_in_ms: int = 0) -> None:
    """A command that dies after its one write."""
    await store.scripts.run("cancel_batch", "spring", ANN.fields(), due_in_ms)


async def test_a_worker_goes_on_where_a_command_died(store: Store) -> None:
    """Promise 16."""
    await submit(store, [item(f"k{n}") for n in range(10)])
    await begin(store)
    done, *_ = await store.scripts.run("sweep", "spring", 4, 0)
    assert (done, (await batch_of(store)).counts[State.CANCELLED]) == (0, 4)
    (found,) = await claim(store)
    assert (found.step, str(found.ref)) == ("sweep", "spring/")
    assert await claim(store) == [], "it is at it"
    swept = await sweep(store, "spring", chunk=4)
    assert swept is not None
    assert (swept.done, swept.chosen) == (10, 10)
    assert (await batch_of(store)).state is BatchState.FINAL
    assert await claim(store) == []


async def test_no_worker_takes_a_sweep_from_a_command_that_is_at_it(store: Store) -> None:
    await submit(store, [item(f"k{n}") for n in range(10)])
    await begin(store, due_in_ms=60_000)
    await store.scripts.run("sweep", "spring", 4, 60_000)
    assert await claim(store) == []


async def test_two_that_sweep_at_once_count_each_item_once(store: Store) -> None:
    await submit(store, [item(f"k{n}") for n in range(10)])
    await begin(store, due_in_ms=60_000)
    await store.scripts.run("sweep", "spring", 4, 60_000)
    first, second = await sweep(store, "spring", chunk=3), await sweep(store, "spring", chunk=3)
    assert first is not None
    assert first == second, "also told to whoever comes after its end"
    assert first.done == 10


async def test_an_earlier_request_is_done_before_the_next(store: Store) -> None:
    """So that a pause which died in the middle does not come after the resume."""
    await submit(store, [item(f"k{n}") for n in range(10)])
    request = {"action": "pause", "patterns": [], "states": {"waiting": True}, **ANN.fields()}
    await store.scripts.run("choose_items", "spring", request, 0)
    done = await ask(store, "spring", Action.RESUME, ANN, Chosen(("*",)))
    assert done is not None
    assert done.swept.done == 10
    assert len(keys(await admit(store, deployment()))) == 10


async def test_rows_that_are_submitted_after_a_request_are_not_part_of_it(store: Store) -> None:
    await submit(store, [item(f"k{n}") for n in range(10)])
    await begin(store)
    await submit(store, [item(f"k{n}") for n in range(11)])
    assert (await batch_of(store)).counts[State.CANCELLED] == 10
    assert keys(await admit(store, deployment())) == ["k10"]


async def test_rows_that_come_and_go_meanwhile_hide_no_others(store: Store) -> None:
    rows = [item(f"k{n}") for n in range(10)]
    await submit(store, rows)
    request = {"action": "pause", "patterns": ["k?"], "states": {}, **ANN.fields()}
    await store.scripts.run("choose_items", "spring", request, 60_000)
    await store.scripts.run("sweep", "spring", 4, 60_000)
    await store.redis.zrem(store.keys.order("spring"), "k1", "k3")
    await store.redis.zadd(store.keys.order("spring"), {"early": -1})
    swept = await sweep(store, "spring", chunk=4)
    assert swept is not None
    assert swept.done == 10
    assert keys(await admit(store, deployment())) == []


async def test_a_cancel_in_the_middle_of_a_submit_ends_it(store: Store, redis_url: str) -> None:
    """Nothing comes in behind the sweep; submitted again, the rest is queued."""

    def rows() -> Iterator[Item]:
        yield from (item(f"k{n}") for n in range(CHUNK))
        with Redis.from_url(redis_url) as other:
            other.hset(store.keys.batch("spring"), "cancel", "keep")
        yield from (item(f"k{n}") for n in range(CHUNK, CHUNK + 10))

    with pytest.raises(CancelledMeanwhile, match="the batch spring was cancelled"):
        await submit(store, rows())
    await ask(store, "spring", Action.CANCEL, ANN)
    batch = await batch_of(store)
    assert (batch.state, batch.counts[State.CANCELLED], batch.total) == (BatchState.FINAL, CHUNK, CHUNK)
    await submit(store, [item(f"k{n}") for n in range(CHUNK + 10)])
    assert len(keys(await admit(store, deployment()))) == 10
