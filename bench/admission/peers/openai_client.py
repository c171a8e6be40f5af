"""The official client: `create_and_poll` for every prompt at once, held back by a semaphore."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import openai
from openai import _base_client

Plan = dict[str, Any]


async def make(
    client: openai.AsyncOpenAI, gate: asyncio.Semaphore, model: str, video: dict[str, str], plan: Plan
) -> None:
    """Create, wait, save. The client tries a 429 twice more by itself; then the script waits a little, as people do."""
    async with gate:
        while True:
            try:
                done = await client.videos.create_and_poll(
                    model=model,
                    prompt=video["prompt"],
                    size="1280x720",
                    seconds="4",
                    poll_interval_ms=int(plan["look_s"] * 1000),
                )
                break
            except openai.RateLimitError:
                await asyncio.sleep(plan["again_s"])
        film = await client.videos.download_content(done.id)
        film.write_to_file(Path(plan["folder"]) / f"{video['key']}.mp4")


async def main(plan: Plan, index: int) -> None:
    _base_client.INITIAL_RETRY_DELAY /= plan["scale"]
    _base_client.MAX_RETRY_DELAY /= plan["scale"]
    client = openai.AsyncOpenAI(base_url=plan["url"], api_key="any")
    deployments = plan["deployments"]
    gates = [asyncio.Semaphore(max(1, round(d["at_once"] / plan["processes"]))) for d in deployments]
    print("ready", flush=True)
    sys.stdin.readline()
    mine = plan["videos"][index :: plan["processes"]]
    await asyncio.gather(
        *(
            make(client, gates[n % len(gates)], deployments[n % len(gates)]["name"], video, plan)
            for n, video in enumerate(mine)
        )
    )


if __name__ == "__main__":
    asyncio.run(main(json.loads(Path(sys.argv[1]).read_text()), int(sys.argv[2])))
