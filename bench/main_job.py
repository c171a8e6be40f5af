"""How close the main job comes to what the quota allows: `python -m bench.main_job`.

Each figure is a ratio taken within one run, on real parts: the sandbox in a process of its own, an embedded Redis,
a worker in this process, a directory as archive.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from bench.orders import items
from orchestrator import logs
from orchestrator.batches.submission import Submission
from orchestrator.ledger import views
from orchestrator.ledger.store import Store
from orchestrator.redis.connection import connect
from orchestrator.redis.embedded import EmbeddedRedis
from orchestrator.settings import ArchiveSettings, Auth, Deployment, Poll, Quota
from workers.identity.credentials import ApiKey
from workers.sinks import open_sink
from workers.station import Line
from workers.video_api import connect as connect_api
from workers.worker import Worker


@contextmanager
def sandbox(*knobs: str) -> Iterator[str]:
    """The sandbox in a process of its own; its URL."""
    command = [sys.executable, "-m", "sandbox", "--port", "0", *knobs]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().split()[-1]
        finally:
            process.terminate()


async def night(
    url: str, redis_url: str, count: int, quota: Quota, poll: Poll, folder: Path, name: str
) -> dict[str, Any]:
    """Render `count` items; what the sandbox saw, and when each was archived (Unix seconds)."""
    redis = connect(redis_url)
    store = Store(redis, name)
    east = Deployment(
        name="east", api="videos", endpoint=url, model="sora-2", auth=Auth.with_key("any"), quota=quota, poll=poll
    )
    submission = Submission(store, name, deployments=[east], progress=lambda _: None)
    await submission.submit(items(count), kinds=(), columns=(), budget_usd=None, template=name)
    sink = open_sink(ArchiveSettings(url=str(folder)), os.environ)
    api = connect_api("videos", url, ApiKey("any"), create_timeout_s=30, read_timeout_s=30)
    worker = Worker(store, {"east": Line(east, api)}, sink, claim_s=30)
    working = asyncio.create_task(worker.run())
    while (batch := await views.batch(store, name)) is None or not batch.reported_at:
        await asyncio.sleep(0.2)
    worker.stop()
    await working
    archived = {i.remote_id: float(i.fields["changed_at"]) / 1000 async for i in views.items(store, name)}
    async with httpx.AsyncClient() as web:
        jobs = (await web.get(f"{url}/_sandbox/jobs")).json()
        stats = (await web.get(f"{url}/_sandbox/stats")).json()["deployments"]["sora-2"]
    await redis.aclose()
    await api.aclose()
    return {"jobs": jobs, "stats": stats, "archived": archived}


def report(title: str, seen: dict[str, Any], bound_s: float) -> None:
    """Print one night's ratios."""
    jobs = seen["jobs"]
    created = sorted(job["created_at"] for job in jobs)
    renders = [job["finished_at"] - job["created_at"] for job in jobs]
    lags = [seen["archived"][job["id"]] - job["finished_at"] for job in jobs]
    refused = seen["stats"]["refused_rate"] + seen["stats"]["refused_concurrent"]
    print(f"{title}: {len(jobs)} videos")
    print(f"  span of creates / quota's bound    {(created[-1] - created[0]) / bound_s:.3f}")
    print(f"  429s a video                       {refused / len(jobs):.3f}")
    print(f"  polls a video                      {statistics.mean(job['gets'] for job in jobs):.2f}")
    print(f"  median lag finished→archived / render  {statistics.median(lags) / statistics.mean(renders):.3f}")
    print(f"  worst lag finished→archived / render   {max(lags) / statistics.mean(renders):.3f}")


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, default=48, help="videos a scenario (default: %(default)s)")
    wanted = parser.parse_args()
    logs.configure(level="error")
    count = wanted.items
    with tempfile.TemporaryDirectory() as folder, EmbeddedRedis(Path(folder)) as redis:
        poll = Poll(first_s=1.5, every_s=0.5, min_s=0.2)
        paced = ("--deployment", "name=sora-2,api=videos,per_minute=120", "--rate-window-s", "10")
        with sandbox(*paced, "--render-s", "2:2", "--queue-s", "0") as url:
            quota = Quota(per_minute=120, burst=1, concurrent=None)
            seen = await night(url, redis.url, count, quota, poll, Path(folder) / "a", "rate")
            report("rate-bound (120 a minute, strict windows of 10 s)", seen, (count - 1) * 0.5)
        slotted = ("--deployment", "name=sora-2,api=videos,concurrent=4")
        with sandbox(*slotted, "--render-s", "2:2", "--queue-s", "0") as url:
            quota = Quota(per_minute=None, burst=1, concurrent=4)
            seen = await night(url, redis.url, count, quota, poll, Path(folder) / "b", "slots")
            report("slot-bound (4 at once, renders of 2 s)", seen, (count / 4 - 1) * 2)


if __name__ == "__main__":
    asyncio.run(main())
