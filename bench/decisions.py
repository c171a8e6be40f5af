"""What one decision of admission costs: `python -m bench.decisions`.

Each figure is a ratio to a bare `EVALSHA` of an empty script, asked for by the same client on the same connection in
turn with ours, a few dozen at a time: the median of many rounds. Redis is a server of this bench's own. It keeps
nothing on disk while ratios are taken, since an empty script has nothing to sync; what syncing costs has its own line.
"""

from __future__ import annotations

import argparse
import asyncio
import datetime as dt
import statistics
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from importlib.resources import files
from pathlib import Path
from typing import Any

from arq.connections import ArqRedis

from bench.orders import items
from bench.round_trips import a_video
from manifests.window import EVERY_DAY, Window
from orchestrator import logs
from orchestrator.admission.controller import Admission
from orchestrator.batches.submission import Submission
from orchestrator.items.decision import Decision
from orchestrator.items.states import Event
from orchestrator.ledger.store import Store
from orchestrator.redis.connection import connect
from orchestrator.redis.embedded import EmbeddedRedis
from orchestrator.settings import Auth, Deployment, Quota

ROUND = 48  # decisions in a row
ROUNDS = 15
GOAL = 0.6
#: At least so much of the speed with few is "flat".
FLAT = 0.9
#: A rate that is never in the way, but has to be reckoned.
EAST = Deployment(
    name="east",
    endpoint="http://127.0.0.1:1",
    model="sora-2",
    auth=Auth.with_key("any"),
    quota=Quota(per_minute=1_000_000_000, burst=1000, concurrent=1_000_000_000),
)


@dataclass(frozen=True)
class Waiting:
    """So many items of each of so many batches. `barred`: how all batches but the last are kept from admission."""

    title: str
    items: int
    batches: int = 1
    barred: str = ""


def worlds(most: int) -> list[Waiting]:
    """What is compared; the first of each pair of items and batches is what the others should be as fast as."""
    return [
        Waiting("100 items", 100),
        Waiting("10,000 items", 10_000),
        Waiting(f"{most:,} items", most),
        Waiting("10 batches of 100", 100, 10),
        Waiting("100 batches of 100", 100, 100),
        Waiting("100 batches, 99 outside their window", 100, 100, "window"),
        Waiting("100 batches, 99 without budget", 100, 100, "budget"),
    ]


async def fill(store: Store, world: Waiting) -> None:
    """Submit its batches, as any manifest is; those that are barred come first in every order."""
    start, end = ((dt.datetime.now(dt.UTC) + dt.timedelta(hours=ahead)).time() for ahead in (6, 7))
    closed = Window(start, end, "UTC", EVERY_DAY)
    for n in range(world.batches):
        open_for_all = n == world.batches - 1
        bar = "" if open_for_all else world.barred
        name = f"b{n:03}"
        submission = Submission(store, name, deployments=[EAST], progress=lambda _: None)
        await submission.submit(
            items(world.items),
            kinds=[("sora-2", "1280x720", 4)],
            columns=(),
            budget_usd=Decimal("0.01") if bar == "budget" else None,
            template=name,
            window=closed if bar == "window" else None,
        )
        if not world.barred:
            await store.scripts.run("set_batch", name, {"weight": 1 + n % 10})


class Asker:
    """Asks admission in one world, and gives back what it was given, so that the world stays as it was."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._admission = Admission(store, [EAST])
        self._given: list[Any] = []

    async def ask(self, times: int, most: int) -> float:
        """Seconds that so many questions took, each for `most` items."""
        began = time.perf_counter()
        answers = [(await self._admission.ask(most, allowance_s=60))["east"] for _ in range(times)]
        took = time.perf_counter() - began
        for answer in answers:
            assert len(answer.admitted) == most, answer
            self._given += answer.admitted
        return took

    async def give_back(self) -> None:
        """Every item that was admitted waits again."""
        for claim in self._given:
            await self._store.apply(claim.ref, claim.version, Decision(Event.RETURNED, money="none"))
        self._given.clear()


async def bare(redis: ArqRedis, sha: str, meta: str, times: int) -> float:
    """Seconds that so many calls of an empty script took."""
    began = time.perf_counter()
    for _ in range(times):
        await redis.evalsha(sha, 1, meta)  # type: ignore[no-untyped-call]
    return time.perf_counter() - began


async def speeds(
    redis: ArqRedis, askers: Mapping[str, Asker], most: int, script: str
) -> dict[str, tuple[float, float]]:
    """In each world, decisions a second ÷ bare calls a second, and that ÷ the first world's in the same round."""
    sha = await redis.script_load(script)
    seen: dict[str, list[float]] = {title: [] for title in askers}
    for _ in range(ROUNDS):
        for title, asker in askers.items():
            ours = await asker.ask(ROUND // most, most) / ROUND
            await asker.give_back()
            theirs = await bare(redis, sha, "{bare}:meta", ROUND) / ROUND
            seen[title].append(theirs / ours)
    first = next(iter(seen.values()))
    return {
        title: (statistics.median(ratios), statistics.median(a / b for a, b in zip(ratios, first, strict=True)))
        for title, ratios in seen.items()
    }


async def inside(redis: ArqRedis, store: Store, asker: Asker) -> list[tuple[str, float]]:
    """Microseconds that Redis itself spends in a script: in an empty one, and in ever more of ours."""
    own = (files("orchestrator.ledger") / "lua/admit.lua").read_text("utf-8")
    before = str(store.scripts._plain["admit"].script).removesuffix(own)
    parts = [("an empty script", "return 0"), ("what admission begins with, and no more", before + "return 0")]
    found = []
    for title, text in parts:
        sha = await redis.script_load(text)
        await redis.config_resetstat()
        for _ in range(500):
            await redis.evalsha(sha, 1, store.keys.meta, store.keys.prefix)  # type: ignore[no-untyped-call]
        found.append((title, (await _per_script(redis))[0]))
    for most in (1, 16):
        calls, total = 0, 0.0
        for _ in range(4):
            await redis.config_resetstat()
            await asker.ask(ROUND // most, most)
            _, more, took = await _per_script(redis)
            calls, total = calls + more, total + took
            await asker.give_back()
        title = f"admission asked for {most}, a decision: {calls / 4 / ROUND:.1f} commands inside"
        found.append((title, total / 4 / ROUND))
    return found


async def _per_script(redis: ArqRedis) -> tuple[float, int, float]:
    """Microseconds a script since the counters were reset, commands that ran inside of all, and microseconds of all."""
    stats: dict[str, Any] = await redis.info("commandstats")
    scripts = stats["cmdstat_evalsha"]
    own = ("cmdstat_evalsha", "cmdstat_info", "cmdstat_config|resetstat")
    inner = sum(one["calls"] for name, one in stats.items() if name not in own)
    return scripts["usec"] / scripts["calls"], inner, scripts["usec"]


def table(rows: Sequence[tuple[str, ...]]) -> None:
    """Print rows aligned: the first column to the left, all others to the right."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        cells = [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
        print("  " + "  ".join(cells).rstrip())


async def durable(folder: Path) -> None:
    """What a decision costs where every write is synced: over an empty script that writes one field."""
    async with EmbeddedRedis(folder) as server:
        redis = connect(server.url)
        store = Store(redis, "durable")
        await fill(store, Waiting("", 100))
        asker = Asker(store)
        script = "return redis.call('HINCRBY', KEYS[1], 'n', 1)"
        for most in (1, 16):
            ratio, _ = (await speeds(redis, {"": asker}, most, script))[""]
            print(f"  synced at each write, asked for {most}: decisions / scripts with one write  {ratio:.2f}")
        await redis.aclose()


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, default=1_000_000, help="the most items that wait (default: %(default)s)")
    parser.add_argument("--no-night", action="store_true", help="leave out the round trips of a real night")
    wanted = parser.parse_args()
    logs.configure(level="error")
    with tempfile.TemporaryDirectory() as folder:
        async with EmbeddedRedis(Path(folder)) as server:
            redis = connect(server.url)
            await redis.config_set("appendonly", "no")
            askers = {}
            for n, world in enumerate(worlds(wanted.items)):
                store = Store(redis, f"world{n}")
                began, before = time.perf_counter(), int((await redis.info("memory"))["used_memory"])
                await fill(store, world)
                askers[world.title] = Asker(store)
                if world.items == wanted.items:
                    took = time.perf_counter() - began
                    grown = int((await redis.info("memory"))["used_memory"]) - before
                    each = f"{grown / 2**20:.0f} MiB in Redis, {grown / wanted.items:.0f} bytes an item"
                    print(f"{wanted.items:,} items submitted in {took:.0f} s: {each}")
            ones = await speeds(redis, askers, 1, "return 0")
            sixteens = await speeds(redis, askers, 16, "return 0")
            print(f"decisions a second / bare EVALSHA of an empty script (goal: {GOAL} and flat)")
            rows = [("", "asked for 1", "/ 100 items", "", "asked for 16", "/ 100 items", "")]
            for title in ones:
                row = [title]
                for found in (ones, sixteens):
                    speed, flat = found[title]
                    good = speed >= GOAL and flat >= FLAT
                    row += [f"{speed:.2f}", f"{flat:.2f}", "pass" if good else "FALLS SHORT"]
                rows.append(tuple(row))
            table(rows)
            hundred = dict([next(iter(askers.items()))])
            few = [(most, (await speeds(redis, hundred, most, "return 0"))["100 items"][0]) for most in (2, 4, 8)]
            print("  100 items, asked for " + ", ".join(f"{most}: {speed:.2f}" for most, speed in few))
            print("microseconds inside of Redis")
            costs = await inside(redis, Store(redis, "world0"), next(iter(askers.values())))
            table([(what, f"{cost:.0f}") for what, cost in costs])
            await redis.aclose()
        await durable(Path(folder) / "durable")
        if not wanted.no_night:
            print("a rate-bound night of a real worker")
            for what, count in (await a_video(Path(folder) / "night")).items():
                print(f"  {what:56}  {count:6.2f}")


if __name__ == "__main__":
    asyncio.run(main())
