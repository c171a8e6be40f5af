"""Beside a program that uses arq on the same server and in the same database: neither loses or repeats anything."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from arq.constants import default_queue_name, result_key_prefix

from orchestrator.redis.connection import connect
from tests.main_job.night import Witness, running, until
from tests.redis.neighbour import JOBS
from tests.redis.test_access import ROWS, Sandbox, configured
from tests.servers import redis_process

pytestmark = pytest.mark.asyncio


async def test_both_programs_do_all_their_work_once(sandbox: Sandbox, namespace: str, tmp_path: Path) -> None:
    server = await sandbox(queue_s=0, render_s=(0.3, 0.6))
    with redis_process(tmp_path / "redis") as place:
        path = configured(tmp_path, namespace, {"url": place.url}, server.url)
        async with (
            running("-m", "tests.redis.neighbour", place.url) as neighbour,
            running("-m", "dailies", "run", str(tmp_path / "spring.csv"), "--config", str(path), "--json") as run,
        ):
            assert await run.end() == 0, run.text
            assert json.loads(await run.output())["items"]["archived"] == ROWS
            redis = connect(place.url)

            async def done() -> bool:
                assert "Traceback" not in "".join(neighbour.text), neighbour.text
                return await redis.zcard(default_queue_name) == 0 and await redis.exists("neighbour:0") == 1

            await until(done)
            counted = await redis.mget([f"neighbour:{n}" for n in range(JOBS)])
            assert counted == [b"1"] * JOBS
            kept = [key async for key in redis.scan_iter(f"{result_key_prefix}create:*", count=1000)]
            assert len(kept) == JOBS
            assert await redis.get("neighbour:late") is None
            await redis.aclose()
    assert set((await Witness(server.url).created()).values()) == {1}
    assert [line for line in run.lines if "exception" in line] == []
