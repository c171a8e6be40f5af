"""Plain arq: a job a video, and `Retry(defer=…)` on a 429 and while it renders."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import httpx
from arq import create_pool
from arq.connections import RedisSettings
from arq.worker import Retry, Worker

Context = dict[str, Any]


async def create(ctx: Context, model: str, video: dict[str, str]) -> None:
    """Order a video; another job follows it."""
    order = {"model": model, "prompt": video["prompt"], "size": "1280x720", "seconds": "4"}
    answer = await ctx["web"].post("videos", json=order)
    if answer.status_code == 429:
        after = answer.headers.get("retry-after-ms")
        raise Retry(defer=int(after) / 1000 if after else ctx["plan"]["again_s"])
    video_id = answer.raise_for_status().json()["id"]
    await ctx["redis"].enqueue_job("follow", video_id, video["key"], _defer_by=ctx["plan"]["look_s"])


async def follow(ctx: Context, video_id: str, key: str) -> None:
    """Look; again later while it renders; save it when it is done."""
    video = (await ctx["web"].get(f"videos/{video_id}")).raise_for_status().json()
    if video["status"] != "completed":
        raise Retry(defer=ctx["plan"]["look_s"])
    film = (await ctx["web"].get(f"videos/{video_id}/content")).raise_for_status()
    with open(f"{ctx['plan']['folder']}/{key}.mp4", "wb") as file:  # noqa: ASYNC230
        file.write(film.content)


async def main(plan: dict[str, Any], index: int) -> None:
    redis = await create_pool(RedisSettings(unix_socket_path=plan["redis"]))
    async with httpx.AsyncClient(base_url=plan["url"], headers={"api-key": "any"}, timeout=30) as web:
        worker = Worker(
            [create, follow],
            redis_pool=redis,
            ctx={"web": web, "plan": plan},
            max_jobs=16,
            max_tries=100_000,  # by default the fifth Retry is the last
            poll_delay=0.5 / plan["scale"],
            keep_result=0,
            handle_signals=False,
        )
        print("ready", flush=True)
        await asyncio.to_thread(sys.stdin.readline)
        if index == 0:
            models = [deployment["name"] for deployment in plan["deployments"]]
            for n, video in enumerate(plan["videos"]):
                await redis.enqueue_job("create", models[n % len(models)], video)
        await worker.async_run()


if __name__ == "__main__":
    asyncio.run(main(json.loads(Path(sys.argv[1]).read_text()), int(sys.argv[2])))
