"""A deployment at which nothing may start any more: what was made there is looked at, fetched and archived."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from orchestrator import deployments
from orchestrator.items.states import State
from orchestrator.ledger import views
from orchestrator.ledger.store import Store
from orchestrator.settings import Poll
from tests.ledger import admit, batch_of, deployment, item, submit
from tests.main_job.night import Witness, until
from workers.identity.credentials import ApiKey
from workers.rendering.create import create
from workers.sinks.directory import DirectorySink
from workers.station import Line, Station
from workers.video_api import connect
from workers.worker import Worker

pytestmark = pytest.mark.asyncio

Sandbox = Callable[..., Awaitable[Any]]


@pytest.mark.parametrize("closed", ["paused", "stopped"])
async def test_what_renders_at_a_closed_deployment_is_archived_and_what_waits_stays(
    store: Store, sandbox: Sandbox, tmp_path: Path, closed: str
) -> None:
    """Even where the look and the download are refused at first, as they are by a key that was taken away."""
    server = await sandbox(queue_s=0, render_s=(0.1, 0.2))
    witness = Witness(server.url)
    east = deployment("east", endpoint=server.url, poll=Poll(first_s=0.1, every_s=0.1, min_s=0.1))
    await submit(store, [item("a"), item("b")], deployments=[east])
    async with connect("videos", server.url, ApiKey("any"), create_timeout_s=5.0, read_timeout_s=20.0) as api:
        lines = {"east": Line(east, api)}
        (claim,) = (await admit(store, east, most=1)).admitted
        found = await store.load(claim.ref)
        assert found is not None
        archive = DirectorySink(tmp_path)
        await create(Station(store, lines, archive, lambda: 0.0, lambda _: None, 30.0), found)
        if closed == "paused":
            await deployments.pause(store, "east")
        else:
            await store.judge("east", {"stop": "auth", "message": "Access denied"})
        await witness.fault(on="get", do="status", status=401)
        await witness.fault(on="content", do="status", status=403)
        worker = Worker(store, lines, archive, claim_s=30.0)
        working = asyncio.create_task(worker.run())

        async def archived() -> bool:
            return (await batch_of(store)).counts[State.ARCHIVED] == 1

        await until(archived)
        worker.stop()
        await working
    assert (await batch_of(store)).counts[State.WAITING] == 1
    assert len(await witness.jobs()) == 1
    view = await views.deployment(store, "east")
    assert (view.stopped is not None, view.paused) == (closed == "stopped", closed == "paused")
