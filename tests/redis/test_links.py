"""One connection at a time: what it follows, what it waits out, and what it never takes for a confirmation."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis
from redis.exceptions import ConnectionError  # noqa: A004

from orchestrator.redis.connection import connect
from orchestrator.redis.durability import replicas, replicated
from orchestrator.settings.redis_address import RedisAddress
from tests.main_job.night import until
from tests.redis.houses import REPLICATED, ask, port_of
from tests.servers import RedisServer, free_port, redis_process

pytestmark = pytest.mark.asyncio


@asynccontextmanager
async def pair(folder: Path, *options: str) -> AsyncIterator[tuple[RedisServer, RedisServer, Any]]:
    """A primary, its replica, and a client of the primary."""
    with redis_process(folder / "one", None, *REPLICATED, *options) as one:
        place = ("--replicaof", "127.0.0.1", str(port_of(one)))
        with redis_process(folder / "two", None, *REPLICATED, *place) as two:
            redis = connect(one.url)

            async def follows() -> bool:
                return await replicas(redis) == 1 and bool(await redis.wait(1, 100))

            await redis.set("{t}:a", "1")
            await until(follows)
            yield one, two, redis
            await redis.aclose()


async def confirmed(redis: Redis, *, lose: bool = False) -> bool:
    async with redis.client() as client:
        await client.set("{t}:a", "2")
        if lose:
            await client.connection.disconnect()
        return await replicated(client)


async def test_a_write_is_confirmed_by_a_replica_and_never_on_another_connection(tmp_path: Path) -> None:
    """WAIT on a new connection tells of replicas that have all of its nothing."""
    async with pair(tmp_path) as (_, two, redis):
        assert await confirmed(redis)
        assert not await confirmed(redis, lose=True)
        os.kill(two.pid, signal.SIGSTOP)
        assert not await confirmed(redis)


async def test_a_primary_that_lost_its_replica_confirms_nothing_and_the_replica_that_took_over_needs_none(
    tmp_path: Path,
) -> None:
    async with pair(tmp_path) as (_, two, redis):
        ask(port_of(two), "REPLICAOF", "NO", "ONE")

        async def alone() -> bool:
            return int((await redis.info("replication"))["connected_slaves"]) == 0

        await until(alone)
        assert not await confirmed(redis)
        heir = connect(two.url)
        assert await confirmed(heir)
        await heir.aclose()


async def test_writes_wait_while_too_few_replicas_are_there(tmp_path: Path) -> None:
    async with pair(tmp_path, "--min-replicas-to-write", "1") as (one, two, redis):
        ask(port_of(two), "REPLICAOF", "NO", "ONE")

        async def alone() -> bool:
            return int(ask(port_of(one), "INFO", "replication")["connected_slaves"]) == 0

        await until(alone)
        waiting = asyncio.create_task(redis.set("{t}:b", "1"))
        await redis.ping()
        assert not waiting.done()
        ask(port_of(one), "CONFIG", "SET", "min-replicas-to-write", 0)
        assert await waiting


async def test_a_replica_is_not_written_to(tmp_path: Path) -> None:
    async with pair(tmp_path) as (_, two, _redis):
        replica = connect(two.url, tries=1)
        with pytest.raises(ConnectionError, match="does not take it now"):
            await replica.set("{t}:a", "3")
        await replica.aclose()


async def test_of_several_nodes_the_first_that_is_there_is_used(tmp_path: Path) -> None:
    with redis_process(tmp_path) as server:
        redis = connect(f"redis://127.0.0.1:{free_port()},127.0.0.1:{port_of(server)}/0")
        assert await redis.ping()
        await redis.aclose()


async def test_many_tasks_that_wait_for_a_server_give_up_together(tmp_path: Path) -> None:
    """Each has its tries at the same time, not one after the other."""
    redis = connect(f"redis://127.0.0.1:{free_port()}/0", tries=3)
    async with asyncio.timeout(100):
        ended = await asyncio.gather(*(redis.ping() for _ in range(50)), return_exceptions=True)
    assert {type(each) for each in ended} == {ConnectionError}
    await redis.aclose()


async def test_an_address_says_where_and_keeps_its_secrets() -> None:
    found = RedisAddress.parse("rediss+sentinel://me:word@a,b:1,[::1]:2/night/3?client_name=x")
    assert found.nodes == (("a", 26379), ("b", 1), ("::1", 2))
    assert (found.primary, found.tls) == ("night", True)
    assert found.options == {"username": "me", "password": "word", "db": 3, "client_name": "x"}
    assert "word" not in repr(found)
    assert str(found) == "night (Sentinels a:26379, b:1, ::1:2)"
