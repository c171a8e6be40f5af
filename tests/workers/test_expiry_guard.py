"""Promise 27, with real workers: who creates alone creates nothing; and what is lost is made again where told so."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from orchestrator.expiry import standing
from orchestrator.items.states import State
from orchestrator.ledger.store import Store
from orchestrator.settings import Deployment, Poll
from tests.ledger import batch_of, deployment, item, submit
from tests.main_job.night import Witness, until
from workers.expiry_guard import guard
from workers.identity.credentials import ApiKey
from workers.sinks.directory import DirectorySink
from workers.station import Line
from workers.video_api import connect
from workers.worker import STEPS, Worker

pytestmark = pytest.mark.asyncio

Sandbox = Callable[..., Awaitable[Any]]


@asynccontextmanager
async def working(store: Store, east: Deployment, archive: Path, steps: Sequence[str] = STEPS) -> AsyncIterator[Worker]:
    async with connect("videos", east.endpoint, ApiKey("any"), create_timeout_s=1.0, read_timeout_s=20.0) as api:
        worker = Worker(store, {"east": Line(east, api)}, DirectorySink(archive), claim_s=10.0, steps=steps)
        task = asyncio.create_task(worker.run())
        try:
            yield worker
        finally:
            worker.stop()
            await task


async def at(sandbox: Sandbox, knobs: dict[str, Any] | None = None, **more: Any) -> Deployment:
    server = await sandbox(**{"queue_s": 0, "render_s": (0.1, 0.2), **(knobs or {})})
    poll = Poll(first_s=0.1, every_s=0.1, min_s=0.1)
    return deployment("east", endpoint=server.url, create_timeout_s=1.0, settle_s=0.2, poll=poll, **more)


async def reported(store: Store) -> bool:
    return (await batch_of(store)).reported_at is not None


async def test_a_worker_that_only_creates_waits_for_one_that_archives(
    store: Store, sandbox: Sandbox, tmp_path: Path
) -> None:
    east = await at(sandbox)
    await submit(store, [item("a")], deployments=[east])
    async with working(store, east, tmp_path, ["create", "reconcile"]) as creator:

        async def asked() -> bool:
            answer = creator.dispatcher.answers.get("east")
            return answer is not None and answer.gate == "archive"

        await until(asked)
        assert not await Witness(east.endpoint).created()
        async with working(store, east, tmp_path, ["poll", "archive"]):
            await until(lambda: reported(store))
    assert (await batch_of(store)).counts[State.ARCHIVED] == 1
    assert (await standing(store)).archivists == 1


@pytest.mark.parametrize(("on_expired", "attempts"), [("hold", 1), ("rerender", 2)])
async def test_a_lost_video_is_made_again_once_where_the_operator_says_so(
    store: Store, sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, on_expired: str, attempts: int
) -> None:
    """No download succeeds before the provider deletes it, each time: so the second one is lost too, for good."""
    monkeypatch.setattr("orchestrator.items.failures.Tries.pause_s", lambda *_: 0.1)
    east = await at(sandbox, {"retention_s": 2.0}, on_expired=on_expired, retention_s=2.0)
    witness = Witness(east.endpoint)
    await witness.fault(on="content", do="status", status=503, times=None)
    await submit(store, [item("a")], deployments=[east])
    monkeypatch.setattr("workers.rendering.missing.LOOK_OVER_S", 0.0)
    async with working(store, east, tmp_path):
        await until(lambda: reported(store))
    batch = await batch_of(store)
    assert (batch.counts[State.EXPIRED], (await witness.created()).total()) == (1, attempts)
    assert batch.confirmed == attempts * 400_000


async def test_every_worker_looks_how_the_archive_stands(store: Store) -> None:
    """What is new is told once."""
    with capture_logs() as logs:
        task = asyncio.create_task(guard(store, every_s=0.01))
        await store.redis.zadd(f"{store.keys.prefix}expiries", {"spring/a": 10**14})
        await store.redis.hset(store.keys.timings("@all"), "archive", f"{10**15} 1")

        async def told() -> bool:
            return any(line["event"] == "archive.falls_behind" for line in logs)

        await until(told)
        task.cancel()
    assert sum(line["event"] == "archive.falls_behind" for line in logs) == 1
