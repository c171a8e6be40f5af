"""How often a real worker asks Redis, in a night of a minute: what `MONITOR` shows, script by script."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from bench.main_job import night, sandbox
from orchestrator.ledger.store import Store
from orchestrator.redis.connection import connect
from orchestrator.redis.embedded import EmbeddedRedis
from orchestrator.settings import Poll, Quota

VIDEOS = 60


async def _listen(url: str, names: Mapping[str, str], seen: Counter[str]) -> None:
    """Count each command that a client sends; what scripts do inside is none."""
    redis = connect(url)
    async with redis.monitor() as monitor:
        async for heard in monitor.listen():
            if heard["client_type"] == "lua":
                continue
            command, *rest = heard["command"].split(" ")
            seen[names.get(rest[0], command) if command.upper() == "EVALSHA" else command] += 1


async def a_video(folder: Path) -> dict[str, float]:
    """Round trips a video: of admission, of each other script, and of all the rest (arq, reads)."""
    async with EmbeddedRedis(folder) as server:
        store = Store(connect(server.url), "any")
        names = {script.sha: name for name, script in store.scripts._scripts.items()}
        seen: Counter[str] = Counter()
        listening = asyncio.create_task(_listen(server.url, names, seen))
        knobs = ("--deployment", "name=sora-2,api=videos,per_minute=120", "--rate-window-s", "10")
        with sandbox(*knobs, "--render-s", "3:4", "--queue-s", "0") as url:
            quota = Quota(per_minute=120, burst=1, concurrent=None)
            poll = Poll(first_s=3, every_s=0.5, min_s=0.2)
            await night(url, server.url, VIDEOS, quota, poll, folder / "archive", "monitored")
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)
        await store.redis.aclose()
    scripts = {f"the script {name}": count for name, count in seen.most_common() if name in names.values()}
    rest = {"everything else: arq's own, and reads": sum(seen.values()) - sum(scripts.values())}
    return {what: count / VIDEOS for what, count in (scripts | rest).items()}
