"""Another program that uses arq on the same server, with arq's own names for everything: `python -m …neighbour URL`.

It queues jobs, some of which it aborts, and works until SIGTERM. Each job that runs counts itself.
"""

from __future__ import annotations

import asyncio
import sys
from typing import Any

from arq import create_pool
from arq.connections import RedisSettings
from arq.jobs import Job
from arq.worker import Worker, func

JOBS = 120


async def count(ctx: dict[str, Any], number: int) -> int:
    """The job: named as one of ours is."""
    await ctx["redis"].incr(f"neighbour:{number}")
    return number


async def main(url: str) -> None:
    redis = await create_pool(RedisSettings.from_dsn(url))
    for number in range(JOBS):
        await redis.enqueue_job("create", number, _job_id=f"create:{number}")
    late = await redis.enqueue_job("create", JOBS, _job_id="late", _defer_by=3600)
    assert late is not None
    worker = Worker(
        functions=[func(count, name="create")],
        redis_pool=redis,
        poll_delay=0.02,
        allow_abort_jobs=True,
        keep_result=3600,
        max_jobs=4,
        handle_signals=False,
    )
    working = asyncio.create_task(worker.async_run())
    assert await Job("late", redis).abort(timeout=30)
    await working


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
