"""What people ask of batches and items, carried out by real steps against a sandbox that counts what it is paid for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from orchestrator.batches.lifecycle import Action, Chosen, Word, ask
from orchestrator.items.states import BatchState, State
from orchestrator.ledger.store import Store
from orchestrator.settings import Deployment, Poll
from tests.ledger import batch_of, deployment, item, state, submit
from tests.main_job.night import Witness, until
from tests.workers.creating import Desk
from workers.identity.credentials import ApiKey
from workers.reconciliation.reconcile import reconcile
from workers.rendering.create import create
from workers.sinks.directory import DirectorySink
from workers.station import Line
from workers.video_api import RefusalKind, Refused, connect
from workers.worker import Worker

pytestmark = pytest.mark.asyncio

Sandbox = Callable[..., Awaitable[Any]]
ANN = Word("ann@studio", "no")
DISCARD = Word("ann@studio", "no", discard=True)


@asynccontextmanager
async def working(store: Store, east: Deployment, archive: Path) -> AsyncIterator[None]:
    async with connect("videos", east.endpoint, ApiKey("any"), create_timeout_s=1.0, read_timeout_s=30.0) as api:
        worker = Worker(store, {"east": Line(east, api)}, DirectorySink(archive), claim_s=30.0)
        task = asyncio.create_task(worker.run())
        try:
            yield
        finally:
            worker.stop()
            await task


async def at(sandbox: Sandbox, **knobs: Any) -> Deployment:
    server = await sandbox(queue_s=0, **knobs)
    poll = Poll(first_s=0.1, every_s=0.1, min_s=0.1)
    return deployment("east", concurrent=2, endpoint=server.url, create_timeout_s=1.0, settle_s=0.2, poll=poll)


async def has(store: Store, wanted: State, number: int) -> None:
    async def so() -> bool:
        return (await batch_of(store)).counts[wanted] == number

    await until(so)


async def reported(store: Store) -> None:
    async def so() -> bool:
        return (await batch_of(store)).reported_at is not None

    await until(so)


@pytest.mark.parametrize(("word", "archived"), [(ANN, 2), (DISCARD, 0)], ids=["keep", "discard"])
async def test_a_cancelled_batch_ends_with_what_was_sent_and_sends_nothing_more(
    store: Store, sandbox: Sandbox, tmp_path: Path, word: Word, archived: int
) -> None:
    """Promise 15: polled to their ends, paid for, and archived unless they shall be discarded."""
    east = await at(sandbox, render_s=(1.5, 1.6))
    await submit(store, [item(f"k{n}") for n in range(6)], deployments=[east])
    async with working(store, east, tmp_path):
        await has(store, State.RENDERING, 2)
        await ask(store, "spring", Action.CANCEL, word)
        await reported(store)
    batch = await batch_of(store)
    assert (batch.counts[State.ARCHIVED], batch.counts[State.CANCELLED]) == (archived, 6 - archived)
    assert (batch.confirmed, batch.unknown, batch.reserved) == (800_000, 0, 0)
    assert len(list((tmp_path / "spring").glob("*.mp4"))) == archived
    assert (await Witness(east.endpoint).created()).total() == 2


async def test_a_worker_sweeps_what_a_command_left(store: Store, sandbox: Sandbox, tmp_path: Path) -> None:
    """Promise 16."""
    east = await at(sandbox, render_s=(0.1, 0.2))
    await submit(store, [item(f"k{n}") for n in range(400)], deployments=[east])
    await store.scripts.run("cancel_batch", "spring", ANN.fields(), 0)
    async with working(store, east, tmp_path):
        await reported(store)
    assert (await batch_of(store)).counts[State.CANCELLED] == 400
    assert not await Witness(east.endpoint).created()


async def test_a_paused_batch_finishes_what_was_sent_and_goes_on_when_it_is_resumed(
    store: Store, sandbox: Sandbox, tmp_path: Path
) -> None:
    """Promise 16."""
    east = await at(sandbox, render_s=(0.5, 0.6))
    await submit(store, [item(f"k{n}") for n in range(4)], deployments=[east])
    async with working(store, east, tmp_path):
        await has(store, State.RENDERING, 2)
        await ask(store, "spring", Action.PAUSE, ANN)
        await has(store, State.ARCHIVED, 2)
        batch = await batch_of(store)
        assert (batch.state, batch.counts[State.WAITING]) == (BatchState.PAUSED, 2)
        await ask(store, "spring", Action.RESUME, ANN)
        await reported(store)
    assert (await batch_of(store)).counts[State.ARCHIVED] == 4


async def test_an_admitted_item_of_a_cancelled_batch_is_not_sent(desk: Desk) -> None:
    """Promise 15: its step asks for the intent, and is told."""
    found = await desk.admitted("a")
    await desk.store.scripts.run("cancel_batch", "a", ANN.fields(), 60_000)
    await create(desk.station, found)
    assert (await desk.item("a")).state is State.CANCELLED
    assert not await desk.witness.created()
    batch = await batch_of(desk.store, "a")
    assert (batch.reserved, batch.unknown, batch.confirmed) == (0, 0, 0)


async def test_a_cancelled_create_whose_job_is_found_is_rendered_to_its_end(desk: Desk) -> None:
    """Promise 15: its outcome was unknown, and there is a job, which is paid for."""
    await desk.lost("a")
    await ask(desk.store, "a", Action.CANCEL, ANN)
    assert await desk.look("a") is State.RENDERING
    assert (await desk.item("a")).fields["cancel"] == "keep"


async def test_a_cancelled_create_that_never_arrived_is_called_off(desk: Desk) -> None:
    """Promise 15: reconcile proves that nothing came of it, and it is not sent again."""
    await desk.created("first")
    await desk.lost("a", do="drop")
    await desk.long_ago("a")
    await ask(desk.store, "a", Action.CANCEL, ANN)
    assert await desk.look("a") is State.CREATING, "one listing proves nothing"
    found = await desk.item("a")
    key = desk.store.keys.attempt(found.ref, found.attempts)
    await desk.store.redis.hincrbyfloat(key, "absent_since", -600)
    await reconcile(desk.station, await desk.item("a"))
    assert await state(desk.store, "a", "a") is State.CANCELLED
    assert "prompt of a" not in await desk.witness.created()


async def test_a_create_that_is_refused_for_its_rate_is_not_sent_again_once_it_is_cancelled(desk: Desk) -> None:
    """Promise 15: a 429 puts it back, and there a person's word waits."""

    async def refused(*_: Any, **__: Any) -> Refused:
        done = await ask(desk.store, "a", Action.CANCEL, ANN, Chosen(("a",)))
        assert done is not None
        assert done.swept.going_on == 1
        return Refused(RefusalKind.TOO_MANY_RUNNING, 429, None, "Too many running tasks", None, None)

    found = await desk.admitted("a")
    desk.api.create = refused
    await create(desk.station, found)
    assert (await desk.item("a")).state is State.CANCELLED
