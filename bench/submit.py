"""What a submit costs: `python -m bench.submit`.

A CSV of many rows is surveyed and queued, as `dailies submit` does it, and then a bare Redis pipeline writes the same
bytes: the ratio of the two, and the most memory that a process which only submits ever holds.
"""

from __future__ import annotations

import argparse
import asyncio
import csv
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from arq.connections import ArqRedis

from bench.orders import items
from dailies.options import Choices
from dailies.ordering.surveying import survey
from manifests import Manifest, load
from orchestrator import logs
from orchestrator.batches.submission import CHUNK, Submission
from orchestrator.ledger.keys import Ref
from orchestrator.ledger.store import Store
from orchestrator.redis.connection import connect
from orchestrator.redis.embedded import EmbeddedRedis
from orchestrator.settings import Auth, Deployment, Quota, Settings

ROUNDS = 3


def settings() -> Settings:
    """One deployment without limits, that is never called."""
    quota = Quota(per_minute=None, burst=1, concurrent=None)
    auth = Auth.with_key("any")
    east = Deployment(name="east", endpoint="http://127.0.0.1:1", model="sora-2", auth=auth, quota=quota)
    return Settings(deployments=(east,))


def write(path: Path, rows: int) -> None:
    """A manifest of so many rows."""
    with path.open("w", newline="") as stream:
        table = csv.writer(stream)
        table.writerow(["key", "prompt", "size", "seconds", "market"])
        table.writerows([i.key, i.prompt, i.size, i.seconds, "SE"] for i in items(rows))


async def submit(store: Store, manifest: Manifest) -> None:
    """Survey it, then queue it."""
    deployments = settings().deployments
    await survey(settings(), store, None, manifest, manifest.name, {}, Choices(), None)
    submission = Submission(store, manifest.name, deployments=deployments, progress=lambda _: None)
    await submission.submit(
        manifest.items(), kinds=manifest.kinds, columns=manifest.columns, budget_usd=None, template=manifest.name
    )


async def bare(redis: ArqRedis, store: Store, manifest: Manifest) -> float:
    """Seconds that a pipeline takes to write what the submit wrote: each row's spec and fields."""
    name = manifest.name
    specs = await store.read(store.keys.specs(name))
    written = [(key, await store.read(key), item) for item in specs for key in [store.keys.item(Ref(name, item))]]
    began = time.perf_counter()
    for start in range(0, len(written), CHUNK):
        pipe = redis.pipeline(transaction=False)
        for key, fields, item in written[start : start + CHUNK]:
            pipe.hset(f"bare:{key}", mapping=fields)
            pipe.hset("bare:specs", item, specs[item])
        await pipe.execute()
    return time.perf_counter() - began


async def submit_alone(redis_url: str, path: Path) -> None:
    """Load and submit in this process, and print the most memory that it took, in MiB."""
    redis = connect(redis_url)
    await submit(Store(redis, "alone"), load(path))
    await redis.aclose()
    print(json.dumps({"peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000, help="rows submitted (default: %(default)s)")
    parser.add_argument("--alone", nargs=2, metavar=("REDIS", "FILE"), help=argparse.SUPPRESS)
    wanted = parser.parse_args()
    logs.configure(level="error")
    if wanted.alone:
        await submit_alone(wanted.alone[0], Path(wanted.alone[1]))
        return
    with tempfile.TemporaryDirectory() as folder, EmbeddedRedis(Path(folder)) as server:
        path = Path(folder) / "many.csv"
        write(path, wanted.rows)
        # First, while this process is small: the peak of a child begins at its parent's.
        command = [sys.executable, "-m", "bench.submit", "--alone", server.url, str(path)]
        child = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE)
        alone = json.loads((await child.communicate())[0])
        manifest = load(path)
        redis = connect(server.url)
        await redis.flushdb()
        ratios = []
        for turn in range(ROUNDS):
            store = Store(redis, f"bench{turn}")
            began = time.perf_counter()
            await submit(store, manifest)
            ours = time.perf_counter() - began
            ratios.append(ours / await bare(redis, store, manifest))
            await redis.flushdb()
        await redis.aclose()
    print(f"submit: {wanted.rows:,} rows of a CSV, surveyed and queued")
    print(f"  time / bare pipeline of the same bytes  {statistics.median(ratios):.2f} (of {ROUNDS}: {ratios})")
    print(f"  peak memory of a process that only submits  {alone['peak_mib']:.0f} MiB")


if __name__ == "__main__":
    asyncio.run(main())
