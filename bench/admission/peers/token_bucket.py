"""One token bucket in one process: creates go out one after another, and a 429 is slept out."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path
from typing import Any

import httpx

Plan = dict[str, Any]


class TokenBucket:
    """`per_minute` tokens come evenly; at most a minute's worth is kept."""

    def __init__(self, per_minute: float | None, minute_s: float) -> None:
        self._per_s = per_minute / 60 if per_minute else None
        self._most = max(1.0, self._per_s * minute_s) if self._per_s else 0.0
        self._tokens, self._at = self._most, time.monotonic()

    async def take(self) -> None:
        """Wait for a token."""
        while self._per_s is not None:
            now = time.monotonic()
            self._tokens = min(self._most, self._tokens + (now - self._at) * self._per_s)
            self._at = now
            if self._tokens >= 1:
                self._tokens -= 1
                return
            await asyncio.sleep((1 - self._tokens) / self._per_s)


async def create(web: httpx.AsyncClient, bucket: TokenBucket, model: str, prompt: str, plan: Plan) -> str:
    """The id of the new video."""
    while True:
        await bucket.take()
        order = {"model": model, "prompt": prompt, "size": "1280x720", "seconds": "4"}
        answer = await web.post("videos", json=order)
        if answer.status_code != 429:
            return str(answer.raise_for_status().json()["id"])
        after = answer.headers.get("retry-after-ms")
        await asyncio.sleep(int(after) / 1000 if after else plan["again_s"])


async def follow(web: httpx.AsyncClient, video_id: str, key: str, plan: Plan) -> None:
    """Look until it is done, then save it."""
    while True:
        await asyncio.sleep(plan["look_s"])
        video = (await web.get(f"videos/{video_id}")).raise_for_status().json()
        if video["status"] == "completed":
            break
    film = (await web.get(f"videos/{video_id}/content")).raise_for_status()
    with open(f"{plan['folder']}/{key}.mp4", "wb") as file:  # noqa: ASYNC230
        file.write(film.content)


async def work(web: httpx.AsyncClient, deployment: dict[str, Any], videos: list[dict[str, str]], plan: Plan) -> None:
    rate = deployment["per_minute"]
    bucket = TokenBucket(rate and rate / plan["processes"], 60 / plan["scale"])
    following = []
    for video in videos:
        video_id = await create(web, bucket, deployment["name"], video["prompt"], plan)
        following.append(asyncio.create_task(follow(web, video_id, video["key"], plan)))
    await asyncio.gather(*following)


async def main(plan: Plan, index: int) -> None:
    async with httpx.AsyncClient(base_url=plan["url"], headers={"api-key": "any"}, timeout=30) as web:
        print("ready", flush=True)
        sys.stdin.readline()
        mine, deployments = plan["videos"][index :: plan["processes"]], plan["deployments"]
        shares = [mine[n :: len(deployments)] for n in range(len(deployments))]
        await asyncio.gather(*(work(web, d, share, plan) for d, share in zip(deployments, shares, strict=True)))


if __name__ == "__main__":
    asyncio.run(main(json.loads(Path(sys.argv[1]).read_text()), int(sys.argv[2])))
