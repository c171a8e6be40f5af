"""Promise 28: at any moment confirmed ≤ the provider's bill ≤ confirmed + unknown, whatever becomes of the creates."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from orchestrator.items.states import State
from orchestrator.ledger import views
from orchestrator.ledger.store import Store
from orchestrator.reports.results import row
from orchestrator.reports.spending import Spent, spending, total
from orchestrator.settings import Poll
from tests.ledger import batch_of, deployment, item, submit
from tests.main_job.night import Witness, until
from workers.identity.credentials import ApiKey
from workers.sinks.directory import DirectorySink
from workers.station import Line
from workers.video_api import connect
from workers.worker import Worker

pytestmark = pytest.mark.asyncio

FAULTS: list[dict[str, Any]] = [
    {"on": "create", "do": "fail", "code": "internal_error"},
    {"on": "create", "do": "drop_after"},
    {"on": "create", "do": "status", "status": 503},
    {"on": "create", "do": "status_after", "status": 500},
    {"on": "create", "do": "fail", "code": "moderation_blocked"},
    {"on": "create", "do": "drop"},
    {"on": "create", "do": "status", "status": 400},
]


async def test_the_bill_lies_between_what_is_confirmed_and_what_may_be(
    store: Store, sandbox: Callable[..., Awaitable[Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While a worker meets every kind of answer, lost ones included; and each item knows its own part."""
    server = await sandbox(queue_s=0, render_s=(0.1, 0.2))
    east = deployment(
        "east", endpoint=server.url, create_timeout_s=1.0, settle_s=0.2, poll=Poll(first_s=0.1, every_s=0.1, min_s=0.1)
    )
    monkeypatch.setattr("orchestrator.items.failures.Tries.pause_s", lambda *_: 0.1)
    witness = Witness(server.url)
    for fault in FAULTS:
        await witness.fault(**fault)
    await submit(store, [item(f"k{n}") for n in range(12)], deployments=[east])

    async def spent() -> Spent:
        today = dt.datetime.now(dt.UTC).date()
        return total(await spending(store, today - dt.timedelta(days=1), today))

    async def bill() -> int:
        counted = (await witness.stats())["deployments"]["sora-2"]
        return round(counted["bill_usd"] * 1_000_000)

    async def holds() -> bool:
        before, billed, after = await spent(), await bill(), await spent()
        assert before.confirmed <= billed <= after.confirmed + after.unknown
        await store.judge("east", {"resume": True})  # a rest after a lost answer is none of this test
        return (await batch_of(store)).reported_at is not None

    async with connect("videos", server.url, ApiKey("any"), create_timeout_s=1.0, read_timeout_s=20.0) as api:
        worker = Worker(store, {"east": Line(east, api)}, DirectorySink(tmp_path), claim_s=2.0)
        task = asyncio.create_task(worker.run())
        try:
            await until(holds)
        finally:
            worker.stop()
            await task
    batch, all_of = await batch_of(store), await spent()
    assert (all_of.confirmed, all_of.unknown) == (batch.confirmed, batch.unknown)
    rows = [row(found, ()) async for found in views.items(store, "spring")]
    assert sum(round(float(str(r["confirmed_usd"])) * 1e6) for r in rows) == batch.confirmed
    assert sum(round(float(str(r["unknown_usd"])) * 1e6) for r in rows) == batch.unknown
    assert batch.counts[State.FAILED] >= 2, "moderation, and a create that is refused"
    assert batch.unknown >= 2 * 400_000, "failed jobs, of which nobody says whether they are billed"
    retried = [r for r in rows if r["state"] == "archived" and r["unknown_usd"]]
    assert retried, "an internal error was made anew by itself"
