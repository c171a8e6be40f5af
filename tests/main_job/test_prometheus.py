"""A real Prometheus watches two real workers make a batch, and its answers agree with the ledger."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from orchestrator.items.states import State
from orchestrator.ledger.store import Store
from orchestrator.video_models.prices import usd
from tests.ledger import batch_of, item, submit
from tests.main_job.night import any_saw, config, deployment, until, worker
from tests.servers import prometheus_process

pytestmark = pytest.mark.asyncio

Sandbox = Callable[..., Awaitable[Any]]


async def test_promql_agrees_with_the_ledger(
    redis: Any, sandbox: Sandbox, redis_url: str, namespace: str, tmp_path: Path
) -> None:
    server = await sandbox(queue_s=0, render_s=(0.1, 0.2))
    store = Store(redis, namespace)
    archive = tmp_path / "archive"
    path = config(
        tmp_path / "dailies.yaml",
        redis_url=redis_url,
        namespace=namespace,
        archive={"url": str(archive)},
        deployments=[deployment("east", server.url)],
    )
    path.write_text(path.read_text() + "monitor: {port: 0}\n")
    async with worker(path) as one, worker(path) as two:
        targets = [(await each.saw("monitor.started"))["url"].removeprefix("http://") for each in (one, two)]
        with prometheus_process(tmp_path / "prometheus", targets) as url:
            async with httpx.AsyncClient(base_url=url, timeout=30) as web:

                async def ask(query: str) -> float | None:
                    answer = (await web.get("/api/v1/query", params={"query": query})).json()
                    assert answer["status"] == "success", answer
                    found = answer["data"]["result"]
                    return float(found[0]["value"][1]) if found else None

                async def both_seen() -> bool:
                    return await ask('sum(up{job="dailies"})') == 2

                await until(both_seen)
                await submit(store, [item(f"k{n}") for n in range(8)])
                await any_saw([one, two], "batch.reported")

                async def agree(query: str, value: float | None) -> None:
                    """Each worker is scraped in its own time, so the answer comes to be so."""

                    async def so() -> bool:
                        return await ask(query) == (value if value is None else pytest.approx(value))

                    try:
                        await until(so)
                    except TimeoutError:
                        assert await ask(query) == value, query

                batch = await batch_of(store)
                await agree('min(dailies_batches{state="final"})', 1)
                for state in State:
                    await agree(f'max(dailies_items{{state="{state}"}})', batch.counts[state])
                    await agree(f'min(dailies_items{{state="{state}"}})', batch.counts[state])
                await agree("sum(dailies_admissions_total)", 8)
                await agree('max(dailies_spend_usd{kind="confirmed"})', usd(batch.confirmed))
                await agree('sum(dailies_api_requests_total{method="POST",status="200"})', 8)
                await agree("sum(dailies_archived_videos_total)", 8)
                await agree("sum(dailies_archive_lag_seconds_count)", 8)
                await agree('sum(dailies_step_duration_seconds_count{step="archive",outcome="done"})', 8)
                stored = sum(video.stat().st_size for video in archive.rglob("*.mp4"))
                await agree("sum(dailies_archived_bytes_total)", stored)
                await agree("max(dailies_deployment_slots_used)", 0)
                await agree('max(dailies_workers{step="archive"})', 2)
                moved_at = float(batch.fields["moved_at"]) / 1000
                await agree("max(dailies_last_progress_timestamp_seconds)", moved_at)
                await agree("max(dailies_expiry_least_seconds)", None)
