"""What a decision of admission asks of Redis, in commands: its time is nearly all theirs."""

from __future__ import annotations

import pytest
from arq.connections import ArqRedis

from orchestrator.ledger.store import Store
from tests.ledger import admit, deployment, item, keys, submit

pytestmark = pytest.mark.asyncio

EAST = deployment(per_minute=1_000_000, burst=100, concurrent=100)


async def commands_to_admit(redis: ArqRedis, store: Store, most: int) -> int:
    """How many ran inside of the script."""
    await redis.config_resetstat()
    assert len(keys(await admit(store, EAST, most))) == most
    stats = await redis.info("commandstats")
    outside = {"cmdstat_evalsha", "cmdstat_info", "cmdstat_config|resetstat", "cmdstat_config", "cmdstat_eval"}
    return sum(int(one["calls"]) for name, one in stats.items() if name not in outside)


async def test_one_decision_takes_a_few_commands_and_each_more_still_fewer(redis: ArqRedis, store: Store) -> None:
    await submit(store, [item(f"k{n:02}") for n in range(40)])
    await admit(store, EAST, 1)  # the deployment is noted, and the script loaded
    assert await commands_to_admit(redis, store, 1) <= 21
    assert await commands_to_admit(redis, store, 16) <= 21 + 15 * 9


async def test_many_batches_cost_a_decision_no_more_than_what_is_read_of_one(redis: ArqRedis, store: Store) -> None:
    for batch in range(8):
        await submit(store, [item(f"k{n}") for n in range(3)], batch=f"b{batch}")
    await admit(store, EAST, 1)
    assert await commands_to_admit(redis, store, 8) <= 21 + 7 * (9 + 3)
