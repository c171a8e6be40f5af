"""The product as an entrant: one worker process of those that share a plan, and for the first, the submit too.

`python -m bench.admission.ours PLAN INDEX`
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

from bench.admission.scenarios import SCALE
from bench.orders import items
from orchestrator import logs
from orchestrator.admission.controller import scope
from orchestrator.batches.submission import Submission
from orchestrator.ledger.recovery import trust_by_hand
from orchestrator.ledger.store import Store
from orchestrator.redis.connection import connect
from orchestrator.settings import ArchiveSettings, Auth, Deployment, Poll, Quota
from workers.identity.credentials import ApiKey
from workers.sinks import open_sink
from workers.station import Line
from workers.video_api import connect as connect_api
from workers.worker import Worker

BATCH = "night"
DEFAULT = Poll()
#: The settings' defaults, as much quicker as everything else.
POLL = Poll(
    first_s=DEFAULT.first_s / SCALE,
    every_s=DEFAULT.every_s / SCALE,
    min_s=DEFAULT.min_s / SCALE,
    most_per_s=DEFAULT.most_per_s * SCALE,
)


def deployments(plan: dict[str, Any]) -> list[Deployment]:
    """As configured: any of them may take any item."""
    found = []
    for told in plan["deployments"]:
        reserved = told["reserve_per_minute"]
        quota = Quota(
            per_minute=told["per_minute"] and told["per_minute"] + reserved,
            burst=1,
            concurrent=told["concurrent"],
            reserve={"per_minute": reserved},
        )
        found.append(
            Deployment(
                name=told["name"],
                endpoint=plan["endpoint"],
                model="sora-2",
                deployment=told["name"],
                auth=Auth.with_key("any"),
                quota=quota,
                poll=POLL,
            )
        )
    return found


async def main(plan: dict[str, Any], index: int) -> None:
    logs.configure(level="error")
    redis = connect(f"unix://{plan['redis']}")
    store = Store(redis, "bench")
    served = deployments(plan)
    apis = {
        d.name: connect_api("videos", d.endpoint, ApiKey("any"), create_timeout_s=30, read_timeout_s=30) for d in served
    }
    sink = open_sink(ArchiveSettings(url=plan["folder"]), os.environ)
    worker = Worker(store, {d.name: Line(d, apis[d.name]) for d in served}, sink, claim_s=30)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, worker.stop)
    # As in a ledger that is in use: an empty one first makes sure that nothing of what others create there was its own.
    for each in {scope(d) for d in served}:
        await trust_by_hand(store, each)
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    if index == 0:
        submission = Submission(store, BATCH, deployments=served, progress=lambda _: None)
        ordered = items(len(plan["videos"]))
        await submission.submit(ordered, kinds=(), columns=(), budget_usd=None, template=BATCH)
    await worker.run()
    for api in apis.values():
        await api.aclose()
    await redis.aclose()


if __name__ == "__main__":
    asyncio.run(main(json.loads(Path(sys.argv[1]).read_text()), int(sys.argv[2])))
