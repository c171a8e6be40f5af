"""What does not fit into Redis is refused before anything is written, and what fits, fits for its whole life."""

from __future__ import annotations

from pathlib import Path

import pytest
from arq.connections import ArqRedis

from orchestrator.ledger.memory import WillNotFit, bytes_of, check_room
from orchestrator.ledger.store import Store
from orchestrator.redis.connection import connect
from tests.ledger import accept, admit, deployment, intend, item, submit
from tests.servers import redis_process


async def render(store: Store, batch: str) -> None:
    for claim in (await admit(store, deployment(), 300, batches=[batch])).admitted:
        await intend(store, claim)
        await accept(store, claim, f"video_{claim.ref.item}")


async def used(redis: ArqRedis) -> int:
    return int((await redis.info("memory"))["used_memory"])


async def test_an_item_takes_no_more_than_is_reckoned_while_it_waits_and_renders(tmp_path: Path) -> None:
    with redis_process(tmp_path) as server:
        redis = connect(server.url)
        store = Store(redis, "room")
        await submit(store, [item("first")], batch="before")
        await render(store, "before")  # so that the scripts are there
        before = await used(redis)
        rows = [item(f"k{n:04}", prompt=f"{n} {'boat ' * 100}", labels={"market": "SE"}) for n in range(300)]
        await submit(store, rows)
        waiting = await used(redis) - before
        await render(store, "spring")
        taken, reckoned = await used(redis) - before, sum(map(bytes_of, rows))
        await redis.aclose()
    assert waiting < taken <= reckoned


async def test_what_does_not_fit_is_refused_with_what_is_left(redis: ArqRedis, namespace: str) -> None:
    store = Store(redis, namespace)
    await redis.config_set("maxmemory", 100_000_000)
    try:
        await check_room(store, 1000, 4_000_000)
        with pytest.raises(WillNotFit, match=r"no room for 1,000,000 items more: they take about 4\.0 GB"):
            await check_room(store, 1_000_000, 4_000_000_000)
    finally:
        await redis.config_set("maxmemory", 0)


async def test_a_server_without_a_limit_takes_whatever_comes(redis: ArqRedis, namespace: str) -> None:
    await check_room(Store(redis, namespace), 10**9, 10**13)
