"""What a process that takes part is told, as JSON; the same for everybody."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bench.admission.scenarios import AGAIN_S, DOCUMENTED_AT_ONCE, LOOK_S, SCALE, Scenario
from bench.orders import items


def make_plan(scenario: Scenario, count: int, url: str, redis: str, folder: Path) -> dict[str, Any]:
    """`at_once` is what somebody who can only hold back by a number would choose: the slots, or as many as a rate
    keeps busy. `redis` is the path of a socket."""
    mean_s = sum(scenario.render_s) / 2
    deployments = []
    for quota in scenario.configured():
        at_once = DOCUMENTED_AT_ONCE if quota.concurrent == "auto" else quota.concurrent
        per_minute = quota.per_minute and quota.per_minute - quota.reserve_per_minute
        if per_minute:
            busy = round(per_minute / 60 * mean_s)
            at_once = min(at_once or busy, busy)
        deployments.append({**vars(quota), "per_minute": per_minute, "at_once": at_once})
    return {
        "scale": SCALE,
        "look_s": LOOK_S,
        "again_s": AGAIN_S,
        "url": f"{url}/openai/v1/",
        "endpoint": url,
        "redis": redis,
        "folder": str(folder),
        "processes": scenario.processes,
        "deployments": deployments,
        "videos": [{"key": item.key, "prompt": item.prompt} for item in items(count)],
    }
