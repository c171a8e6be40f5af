"""What a submit costs over a bare Redis pipeline that writes the same bytes."""

from __future__ import annotations

import statistics
import time

from bench.orders import items
from orchestrator.keys import Ref
from orchestrator.redis_connection import connect
from orchestrator.settings import Auth, Deployment, Quota
from orchestrator.store import Store
from orchestrator.submission import CHUNK, Submission

ROUNDS = 3


async def submit_ratio(redis_url: str, rows: int) -> tuple[float, int]:
    """Time of a submit ÷ time of a pipeline that writes each row's spec and fields, the two in turn: the median of
    three rounds, and the rows of each."""
    found = list(items(rows))
    redis = connect(redis_url)
    east = Deployment(
        name="east",
        endpoint="http://127.0.0.1:1",
        model="sora-2",
        auth=Auth.with_key("any"),
        quota=Quota(per_minute=None, burst=1, concurrent=None),
    )
    ratios = []
    for turn in range(ROUNDS):
        store = Store(redis, f"bench{turn}")

        began = time.perf_counter()
        submission = Submission(store, "many", deployments=[east], progress=lambda _: None)
        await submission.submit(found, kinds=(), columns=(), budget_usd=None, template="many")
        ours = time.perf_counter() - began

        written = []
        for item in found:
            key = store.keys.item(Ref("many", item.key))
            written.append((key, await store.read(key), item.key))
        specs = await store.read(store.keys.specs("many"))
        began = time.perf_counter()
        for start in range(0, rows, CHUNK):
            pipe = redis.pipeline(transaction=False)
            for key, fields, name in written[start : start + CHUNK]:
                pipe.hset(f"bare:{key}", mapping=fields)
                pipe.hset("bare:specs", name, specs[name])
            await pipe.execute()
        ratios.append(ours / (time.perf_counter() - began))
        await redis.flushdb()
    await redis.aclose()
    return statistics.median(ratios), rows
