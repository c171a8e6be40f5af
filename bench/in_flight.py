"""What many jobs in flight cost one worker: `python -m bench.in_flight`.

Ten thousand items render at the sandbox, in a process of its own and over sockets, each due for a look every minute; a
Redis of its own holds the ledger, and one worker, in a process of its own, polls. First by a poller that treats each
look by itself (a load, a renewal, a request and a write of its own, 32 at once), then by ours. Printed: CPU of the
worker for one look, and ours over the other's; memory for an item in flight, in the worker and in Redis; and, minute by
minute, how far looks are behind the time they were due: that must not grow.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from bench.main_job import sandbox
from bench.orders import items
from orchestrator import logs
from orchestrator.admission.controller import Admission
from orchestrator.batches.submission import Submission
from orchestrator.ledger.records import Claim, Item
from orchestrator.ledger.store import Store
from orchestrator.redis.connection import connect
from orchestrator.redis.embedded import EmbeddedRedis
from orchestrator.settings import ArchiveSettings, Auth, Deployment, Poll, Quota
from workers.identity.credentials import ApiKey
from workers.rendering.look import decide
from workers.renewal import kept
from workers.sinks import open_sink
from workers.station import Line, Station
from workers.video_api import Accepted, Order, RemoteJob, boot_clock
from workers.video_api import connect as connect_api
from workers.worker import Worker

NAME = "flight"
EVERY_S = 60.0
CLAIM_S = 30.0
#: A worker that has just started reads its code and opens its connections: nothing is counted so long (seconds).
WARM_S = 10.0


def deployment(url: str, name: str = "east") -> Deployment:
    """Without limits; its ceiling is above what all looks need."""
    quota = Quota(per_minute=None, burst=1, concurrent=None)
    poll = Poll(first_s=EVERY_S, every_s=EVERY_S, min_s=2, most_per_s=400)
    return Deployment(name=name, endpoint=url, model="sora-2", auth=Auth.with_key("any"), quota=quota, poll=poll)


class OneByOne:
    """A poller that treats each look by itself."""

    def __init__(self, station: Station) -> None:
        self._station, self._at_once = station, asyncio.Semaphore(32)
        self._looks: set[asyncio.Task[None]] = set()

    @property
    def free(self) -> Mapping[str, int]:
        return {"polls": 256 - len(self._looks)}

    def take_on(self, claims: Sequence[Claim]) -> None:
        for claim in claims:
            task = asyncio.create_task(self._look(claim))
            self._looks.add(task)
            task.add_done_callback(self._looks.discard)

    async def drain(self) -> None:
        await asyncio.gather(*self._looks)

    async def _look(self, claim: Claim) -> None:
        station = self._station
        async with self._at_once:
            item = await station.store.load(claim.ref, claim.attempt)
            if item is None or item.version != claim.version:
                return
            with station.bound(item):
                async with kept(partial(station.store.renew, item.ref, item.version), station.claim_s):
                    await self._observe(item)

    async def _observe(self, item: Item) -> None:
        station, line = self._station, self._station.line(item)
        decision = decide(await line.api.get(item.remote_id or ""), item, line.deployment, station.clock())
        if await station.store.apply(item.ref, item.version, decision):
            station.wake(decision.due_in_s or 0)


class Watch(Store):
    """A store that remembers when what it claims was due."""

    due: dict[str, float]

    async def claim(self, *args: Any, **more: Any) -> tuple[list[Claim], float | None]:
        now = time.time() * 1000
        late = await self.redis.zrangebyscore(self.keys.open("east"), "-inf", now, 0, 1000, withscores=True)
        self.due |= {ref.decode(): at / 1000 for ref, at in late}
        return await super().claim(*args, **more)


async def work(redis_url: str, url: str, seconds: float, name: str, one_by_one: bool) -> None:
    """One worker for so long; tells of each minute, as a line of JSON."""
    store = Watch(connect(redis_url), NAME)
    store.due = {}
    whose = await store.read(store.keys.remote("sandbox-videos"))
    here = deployment(url, name)
    lags: list[float] = []
    async with connect_api("videos", url, ApiKey("any"), create_timeout_s=30, read_timeout_s=30) as api:
        get = api.get

        async def watched(remote_id: str) -> RemoteJob:
            now = time.time()
            lags.append(now - store.due.pop(whose[remote_id], now))  # none: it came due while it was claimed
            return await get(remote_id)

        api.get = watched  # type: ignore[method-assign]
        sink = open_sink(ArchiveSettings(url="unused"), os.environ)
        worker = Worker(store, {name: Line(here, api)}, sink, claim_s=CLAIM_S, steps=("poll",))
        if one_by_one:
            worker._poller = OneByOne(worker._station)  # type: ignore[assignment]
        working = asyncio.create_task(worker.run())
        await asyncio.sleep(WARM_S)
        ends_at = time.monotonic() + seconds
        while (left := ends_at - time.monotonic()) > 1:
            lags.clear()
            began = _cpu_s()
            await asyncio.sleep(min(left, 60.0))
            spent, seen = _cpu_s() - began, sorted(lags) or [0.0]
            minute = {
                "looks": len(lags),
                "cpu_ms": spent * 1000,
                "rss": _rss(),
                "median_s": statistics.median(seen),
                "p99_s": seen[int(0.99 * len(seen))],
                "worst_s": seen[-1],
            }
            print(json.dumps(minute), flush=True)
        worker.stop()
        await working
    await store.redis.aclose()


def _cpu_s() -> float:
    spent = resource.getrusage(resource.RUSAGE_SELF)
    return spent.ru_utime + spent.ru_stime


def _rss() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


async def fill(store: Store, url: str, count: int) -> None:
    """So many items that render at the sandbox."""
    east = deployment(url)
    submission = Submission(store, NAME, deployments=[east], progress=lambda _: None)
    await submission.submit(items(count), kinds=(), columns=(), budget_usd=None, template=NAME)
    admission, pace = Admission(store, [east]), {"interval_ms": 0, "burst": 1, "slack_ms": 0}
    async with connect_api("videos", url, ApiKey("any"), create_timeout_s=30, read_timeout_s=30) as api:

        async def start(claim: Claim) -> None:
            await store.intend(claim.ref, claim.version, {}, pace=pace, due_in_s=3600)
            order = Order(prompt=f"take {claim.ref.item}", model="sora-2", size="1280x720", seconds=4)
            made = await api.create(order, send_by=boot_clock() + 60)
            assert isinstance(made, Accepted)
            told: dict[str, Any] = {"fields": {"created_at": made.job.created_at}, "due_in_s": 3600}
            await store.accept(claim.ref, claim.attempt, made.remote_id, how="answer", **told)

        while claims := (await admission.ask(8, allowance_s=3600))["east"].admitted:
            await asyncio.gather(*(start(claim) for claim in claims))


async def spread(store: Store) -> None:
    """Let all be due within the next minute, evenly, and nothing else be known of looks before."""
    refs = await store.redis.zrange(store.keys.open("east"), 0, -1)
    now = time.time() * 1000 + 2000
    await store.redis.zadd(store.keys.open("east"), {r: round(now + n * 60e3 / len(refs)) for n, r in enumerate(refs)})


async def watch(redis_url: str, url: str, seconds: float, name: str, how: str) -> list[dict[str, float]]:
    """A worker in a process of its own; what each minute was like."""
    command = [sys.executable, "-m", "bench.in_flight", "--work", redis_url, url, str(seconds), name, how]
    child = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    return [json.loads(line) for line in (await child.communicate())[0].splitlines()]


def cost(minutes: Sequence[Mapping[str, float]]) -> float:
    """CPU milliseconds a look."""
    return sum(m["cpu_ms"] for m in minutes) / sum(m["looks"] for m in minutes)


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, default=10_000, help="items in flight (default: %(default)s)")
    parser.add_argument("--minutes", type=float, default=5, help="watched for so long (default: %(default)s)")
    parser.add_argument("--work", nargs=5, help=argparse.SUPPRESS)
    wanted = parser.parse_args()
    logs.configure(level="error")
    if wanted.work:
        redis_url, url, seconds, name, how = wanted.work
        await work(redis_url, url, float(seconds), name, how == "one-by-one")
        return
    knobs = ("--render-s", "100000:100000", "--queue-s", "0", "--deployment", "name=sora-2,api=videos")
    with tempfile.TemporaryDirectory() as folder, EmbeddedRedis(Path(folder)) as server, sandbox(*knobs) as url:
        store = Store(connect(server.url), NAME)
        empty = (await store.redis.info("memory"))["used_memory"]
        await fill(store, url, wanted.items)
        idle = await watch(server.url, url, 20, "west", "ours")
        await spread(store)
        before = await watch(server.url, url, 60, "east", "one-by-one")
        await spread(store)
        ours = await watch(server.url, url, 60 * wanted.minutes, "east", "ours")
        full = (await store.redis.info("memory"))["used_memory"]
        await store.redis.aclose()
    each, base = cost(ours), cost(before)
    drift = (ours[-1]["median_s"] - ours[0]["median_s"]) / EVERY_S
    print(f"{wanted.items:,} items in flight, a look at each every {EVERY_S:.0f} s, one worker")
    print(f"  CPU a look              {each:.2f} ms (each by itself: {base:.2f} ms; ratio {each / base:.2f})")
    print(f"  worker memory an item   {(ours[-1]['rss'] - idle[-1]['rss']) / wanted.items:.0f} bytes")
    print(f"  Redis memory an item    {(full - empty) / wanted.items:.0f} bytes, with what was ordered")
    print("  behind the due time     median, 99th of 100, worst, in seconds; and looks over those due")
    for number, minute in enumerate(ours, 1):
        part = minute["looks"] / (wanted.items * min(60, 60 * wanted.minutes) / EVERY_S)
        times = "  ".join(f"{minute[what]:7.3f}" for what in ("median_s", "p99_s", "worst_s"))
        print(f"    minute {number}  {times}  {part:.3f}")
    print(f"  drift of the median, last minute over every_s  {drift:+.5f}")


if __name__ == "__main__":
    asyncio.run(main())
