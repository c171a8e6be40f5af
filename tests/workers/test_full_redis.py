"""Redis has no memory left: nothing new begins, and what is paid for is recorded, fetched and archived all the same."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from arq.connections import ArqRedis
from redis.exceptions import OutOfMemoryError, ResponseError

from orchestrator.items.states import State
from orchestrator.ledger.store import Store
from orchestrator.redis.connection import connect
from orchestrator.settings import Poll
from tests.ledger import accept, admit, batch_of, deployment, intend, item, state, submit
from tests.main_job.night import Witness, until
from tests.servers import redis_process
from workers.identity.credentials import ApiKey
from workers.sinks.directory import DirectorySink
from workers.station import Line
from workers.video_api import connect as connect_api
from workers.worker import Worker

pytestmark = pytest.mark.asyncio

Sandbox = Callable[..., Awaitable[Any]]


@pytest.fixture
async def redis(tmp_path: Path) -> AsyncIterator[ArqRedis]:
    """A server of its own, which a test fills."""
    with redis_process(tmp_path / "redis") as server:
        client = connect(server.url)
        yield client
        await client.aclose()


@pytest.fixture
def store(redis: ArqRedis) -> Store:
    return Store(redis, "full")


async def fill(redis: ArqRedis) -> None:
    """From now on the server has no room."""
    await redis.config_set("maxmemory", "100kb")
    with pytest.raises(OutOfMemoryError):
        await redis.set("{full}:more", "x")


async def test_what_was_sent_is_recorded_and_nothing_is_admitted_or_intended(store: Store) -> None:
    east = deployment()
    await submit(store, [item("sent"), item("ready"), item("waits")])
    sent, ready = (await admit(store, east, 2)).admitted
    await intend(store, sent)
    await fill(store.redis)
    with pytest.raises(OutOfMemoryError):
        await admit(store, east)
    with pytest.raises(OutOfMemoryError):
        await intend(store, ready)
    assert (await accept(store, sent, "video_1"))[0] == "accepted"
    assert await state(store, "sent") is State.RENDERING
    assert await state(store, "ready") is State.ADMITTED


async def test_a_full_server_refuses_a_submit_before_anything_is_written(store: Store) -> None:
    await fill(store.redis)
    with pytest.raises(OutOfMemoryError):
        await submit(store, [item("a")])
    assert not await store.redis.exists(store.keys.batch("spring"))


async def test_a_server_that_does_not_know_the_flag_is_given_the_plain_scripts(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Redis 6 takes the first line for a mistake; there a full server has to be given room first."""
    load = store.redis.script_load

    async def as_redis_6(script: str) -> Any:
        if script.startswith("#!"):
            raise ResponseError("Error compiling script (new function): user_script:1: unexpected symbol near '#'")
        return await load(script)

    monkeypatch.setattr(store.redis, "script_load", as_redis_6)
    await store.redis.script_flush()
    await submit(store, [item("a"), item("b")])
    (claim,) = (await admit(store, deployment(), 1)).admitted
    await intend(store, claim)
    assert (await accept(store, claim, "video_1"))[0] == "accepted"
    await fill(store.redis)
    with pytest.raises(OutOfMemoryError):
        await admit(store, deployment())
    assert await state(store, "b") is State.WAITING


async def test_a_mistake_in_a_script_is_not_taken_for_an_old_server(store: Store) -> None:
    with pytest.raises(ResponseError):
        await store.scripts.run("transition", "spring", "a", "1", "no such event", "not JSON")


@asynccontextmanager
async def working(worker: Worker) -> AsyncIterator[None]:
    task = asyncio.create_task(worker.run())
    try:
        yield
    finally:
        worker.stop()
        await task


async def test_videos_that_finish_while_it_is_full_are_archived_and_the_rest_waits(
    store: Store, sandbox: Sandbox, tmp_path: Path
) -> None:
    server = await sandbox(queue_s=0, render_s=(0.6, 0.8))
    facts = {"endpoint": server.url, "poll": Poll(first_s=0.1, every_s=0.1, min_s=0.1)}
    east = deployment("east", concurrent=2, create_timeout_s=1.0, settle_s=0.2, **facts)
    witness = Witness(server.url)
    async with connect_api("videos", server.url, ApiKey("any"), create_timeout_s=1.0, read_timeout_s=30.0) as api:
        await submit(store, [item(f"k{n}") for n in range(4)], deployments=[east])
        worker = Worker(store, {"east": Line(east, api)}, DirectorySink(tmp_path / "archive"), claim_s=2.0)

        async def both_render() -> bool:
            return (await batch_of(store)).counts[State.RENDERING] == 2

        async def archived(count: int) -> bool:
            return (await batch_of(store)).counts[State.ARCHIVED] == count

        async with working(worker):
            await until(both_render)
            await fill(store.redis)
            await until(lambda: archived(2))
            assert (await batch_of(store)).counts[State.WAITING] == 2
            assert len(await witness.jobs()) == 2
            await store.redis.config_set("maxmemory", 0)
            await until(lambda: archived(4))
    assert set((await witness.created()).values()) == {1}
