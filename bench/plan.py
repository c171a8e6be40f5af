"""How true a plan is: what it foresees against what then happens: `python -m bench.plan`.

Four nights of half a minute on real parts: the sandbox in a process of its own, an embedded Redis, a worker in this
process, a directory as archive. How long a render takes is known; creates and archiving are learned from a few videos
before, as in any installation. Each figure is planned ÷ happened; the goal is 0.90 to 1.10.
"""

from __future__ import annotations

import argparse
import asyncio
import datetime as dt
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx

from bench.main_job import sandbox
from bench.orders import items
from manifests.window import EVERY_DAY, Window
from orchestrator import logs
from orchestrator.admission.timings import LEAST, timings
from orchestrator.batches.submission import Submission
from orchestrator.ledger import views
from orchestrator.ledger.store import Store
from orchestrator.planning import Forecast, Workload, forecast
from orchestrator.redis.connection import connect
from orchestrator.redis.embedded import EmbeddedRedis
from orchestrator.settings import ArchiveSettings, Auth, Deployment, Poll, Quota
from workers.identity.credentials import ApiKey
from workers.sinks import open_sink
from workers.station import Line
from workers.video_api import connect as connect_api
from workers.worker import Worker

POLL = Poll(first_s=1.5, every_s=0.5, min_s=0.2)
#: The night with windows begins so long before the full minute at which one closes and the other opens (seconds).
BEFORE_S = 15.0


@dataclass(frozen=True)
class Night:
    """`quotas`: creates a minute and jobs at once of each deployment; `windows`: they take turns at the full minute."""

    title: str
    items: int
    quotas: tuple[tuple[int | None, int | None], ...]
    render_s: float = 3.0
    windows: bool = False

    def knobs(self) -> list[str]:
        """The sandbox's options: the same quotas, held strictly."""
        told = ["--render-s", f"{self.render_s}:{self.render_s}", "--queue-s", "0", "--rate-window-s", "10"]
        for n, (per_minute, concurrent) in enumerate(self.quotas):
            limits = {"per_minute": per_minute, "concurrent": concurrent}
            text = "".join(f",{name}={limit}" for name, limit in limits.items() if limit is not None)
            told += ["--deployment", f"name=d{n},api=videos{text}"]
        return told

    def deployments(self, url: str, change_at: float) -> list[Deployment]:
        """As configured; of two with windows, the one closes when the other opens."""
        found = []
        for n, (per_minute, concurrent) in enumerate(self.quotas):
            quota = Quota(per_minute=per_minute, burst=1, concurrent=concurrent)
            plain = _deployment(f"d{n}", url, quota)
            found.append(plain.model_copy(update={"window": _half(change_at, after=n > 0)}) if self.windows else plain)
        return found


NIGHTS = (
    Night("rate-bound (120 a minute)", 60, ((120, None),)),
    Night("slot-bound (4 at once, renders of 5 s)", 28, ((None, 4),), render_s=5.0),
    Night("two deployments (60 a minute; 3 at once)", 60, ((60, None), (None, 3))),
    Night("a window that closes and one that opens (120 and 60 a minute)", 45, ((120, None), (60, None)), windows=True),
)


@dataclass(frozen=True)
class Happened:
    """What was seen: seconds from the first create to the last, and from the start to the last archived video."""

    creates_s: float
    archived_s: float
    refused: int


async def spend(night: Night, url: str, redis_url: str, folder: Path, name: str) -> tuple[Forecast, float, Happened]:
    """Learn, plan, and then do it. Also when it began (Unix seconds)."""
    redis = connect(redis_url)
    store = Store(redis, name)
    change_at = 60.0 * (int(time.time() + BEFORE_S + 15) // 60 + 1)
    deployments = night.deployments(url, change_at)
    for one in deployments:
        always = one.model_copy(update={"window": None})
        await _work(store, [always], f"practice-{one.name}", LEAST + 1, folder)
    if night.windows:
        await asyncio.sleep(change_at - BEFORE_S - time.time())
    work = Workload(name)
    for item in items(night.items):
        work.add(item)
    learned = await timings(store, deployments, work.kinds)
    known = {what: replace(timing, render_s=night.render_s) for what, timing in learned.items()}
    before = await _jobs(url)
    began, archived_at = await _work(store, deployments, name, night.items, folder)
    (planned,) = forecast([work], deployments, known, now=began)
    created = sorted(job["created_at"] for job in (await _jobs(url))[len(before) :])
    async with httpx.AsyncClient() as web:
        stats = (await web.get(f"{url}/_sandbox/stats")).json()["deployments"].values()
    await redis.aclose()
    refused = sum(seen["refused_rate"] + seen["refused_concurrent"] for seen in stats)
    return planned, began, Happened(created[-1] - created[0], archived_at - began, refused)


async def _work(
    store: Store, deployments: Sequence[Deployment], name: str, count: int, folder: Path
) -> tuple[float, float]:
    """Queue a batch, and work until it is archived: when the work began, and when the last video was archived."""
    submission = Submission(store, name, deployments=deployments, progress=lambda _: None)
    await submission.submit(items(count), kinds=(), columns=(), budget_usd=None, template=name)
    lines = {
        d.name: Line(d, connect_api("videos", d.endpoint, ApiKey("any"), create_timeout_s=30, read_timeout_s=30))
        for d in deployments
    }
    worker = Worker(store, lines, open_sink(ArchiveSettings(url=str(folder)), os.environ), claim_s=30)
    await asyncio.sleep(-time.time() % 1)  # a plan is in full seconds
    began = time.time()
    working = asyncio.create_task(worker.run())
    while (batch := await views.batch(store, name)) is None or not batch.reported_at:
        await asyncio.sleep(0.2)
    worker.stop()
    await working
    for line in lines.values():
        await line.api.aclose()
    return began, max([float(i.fields["changed_at"]) / 1000 async for i in views.items(store, name)])


async def _jobs(url: str) -> list[dict[str, Any]]:
    async with httpx.AsyncClient() as web:
        jobs: list[dict[str, Any]] = (await web.get(f"{url}/_sandbox/jobs")).json()
    return sorted(jobs, key=lambda job: float(job["created_at"]))


def _deployment(name: str, url: str, quota: Quota) -> Deployment:
    facts: dict[str, Any] = {"deployment": name, "auth": Auth.with_key("any"), "quota": quota, "poll": POLL}
    return Deployment(name=name, api="videos", endpoint=url, model="sora-2", **facts)


def _half(change_at: float, *, after: bool) -> Window:
    """The twelve hours before an instant, or after it."""
    change = dt.datetime.fromtimestamp(change_at, dt.UTC)
    other = change + dt.timedelta(hours=12)
    start, end = (change, other) if after else (other, change)
    return Window(start.time(), end.time(), "UTC", EVERY_DAY)


def report(night: Night, planned: Forecast, began: float, happened: Happened, say: Callable[[str], None]) -> None:
    """Print one night's ratios."""
    assert planned.creates_end_at is not None
    assert planned.creates_start_at is not None
    assert planned.archived_by_at is not None
    creates_s = planned.creates_end_at - planned.creates_start_at
    say(f"{night.title}: {night.items} videos, bottleneck {planned.bottleneck}")
    say(f"  span of creates, planned / happened     {creates_s / happened.creates_s:.3f}")
    say(f"  last archived, planned / happened       {(planned.archived_by_at - began) / happened.archived_s:.3f}")
    say(f"  429s a video                            {happened.refused / night.items:.3f}")


async def main() -> None:
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    logs.configure(level="error")
    with tempfile.TemporaryDirectory() as folder, EmbeddedRedis(Path(folder)) as redis:
        for n, night in enumerate(NIGHTS):
            with sandbox(*night.knobs()) as url:
                found = await spend(night, url, redis.url, Path(folder) / f"n{n}", f"n{n}")
                report(night, *found, print)


if __name__ == "__main__":
    asyncio.run(main())
