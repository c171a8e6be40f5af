"""Celery: `rate_limit` on the task that creates, `self.retry` on a 429 and while it renders."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import httpx
from celery import Celery, Task

PLAN: dict[str, Any] = json.loads(Path(os.environ["PLAN"]).read_text())
app = Celery("videos", broker=f"redis+socket://{PLAN['redis']}")
app.conf.update(
    task_ignore_result=True,
    worker_prefetch_multiplier=1,
    task_default_queue="creates",
    # Creates that wait for their rate would else keep the looks behind them from being fetched.
    task_routes={"follow": {"queue": "looks"}},
)
web = httpx.Client(base_url=PLAN["url"], headers={"api-key": "any"}, timeout=30)


def rate(deployment: dict[str, Any]) -> str | None:
    """The limit is each worker's own: those that share the work share the rate."""
    per_minute = deployment["per_minute"]
    return f"{per_minute / creators():g}/m" if per_minute else None


def creators() -> int:
    """Of all workers one half creates, the other looks."""
    return max(1, int(PLAN["processes"]) // 2)


def create(self: Task, model: str, video: dict[str, str]) -> None:
    """Order a video; another task follows it."""
    order = {"model": model, "prompt": video["prompt"], "size": "1280x720", "seconds": "4"}
    answer = web.post("videos", json=order)
    if answer.status_code == 429:
        after = answer.headers.get("retry-after-ms")
        raise self.retry(countdown=int(after) / 1000 if after else PLAN["again_s"])
    video_id = answer.raise_for_status().json()["id"]
    follow.apply_async((video_id, video["key"]), countdown=PLAN["look_s"])


@app.task(bind=True, name="follow", max_retries=None)
def follow(self: Task, video_id: str, key: str) -> None:
    """Look; again later while it renders; save it when it is done."""
    video = web.get(f"videos/{video_id}").raise_for_status().json()
    if video["status"] != "completed":
        raise self.retry(countdown=PLAN["look_s"])
    film = web.get(f"videos/{video_id}/content").raise_for_status()
    Path(PLAN["folder"], f"{key}.mp4").write_bytes(film.content)


#: A rate limit belongs to a task, so each deployment has one.
CREATE = [
    app.task(bind=True, name=f"create_{d['name']}", max_retries=None, rate_limit=rate(d))(create)
    for d in PLAN["deployments"]
]
