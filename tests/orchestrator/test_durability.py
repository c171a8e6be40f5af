"""What is said of a Redis that could lose what it acknowledged."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from arq.connections import ArqRedis
from redis.exceptions import ConnectionError, NoPermissionError  # noqa: A004

from orchestrator.ledger import ledger_version
from orchestrator.ledger.store import Store
from orchestrator.redis.connection import connect
from orchestrator.redis.durability import check_durability, replicas
from tests.servers import free_port, redis_process


async def test_a_durable_server_gives_no_warning(redis: ArqRedis) -> None:
    assert await check_durability(redis) == []


async def test_each_way_to_lose_data_is_a_warning_of_its_own(tmp_path: Path) -> None:
    """Eviction, no append-only file, and syncing once a second are named with what they risk."""
    careless = ("--maxmemory-policy", "allkeys-lru", "--appendonly", "no", "--appendfsync", "everysec")
    with redis_process(tmp_path, None, *careless) as server:
        redis = connect(server.url)
        warnings = await check_durability(redis)
        await redis.aclose()
    assert [warning.split(",")[0] for warning in warnings] == [
        "Redis's maxmemory-policy is allkeys-lru",
        "Redis's appendonly is no",
        "Redis's appendfsync is everysec",
    ]


async def test_a_check_that_the_server_refuses_is_a_warning(redis: ArqRedis, redis_url: str) -> None:
    """Managed servers refuse CONFIG; that is no reason not to work with them."""
    await redis.acl_setuser(
        "managed",
        enabled=True,
        passwords=["+secret-word"],
        keys=["*"],
        categories=["+@all"],
        commands=["-config"],
    )
    managed = connect(redis_url.replace("redis://", "redis://managed:secret-word@"))
    with pytest.raises(NoPermissionError):
        await managed.config_get("appendonly")
    warnings = await check_durability(managed)
    await managed.aclose()
    await redis.acl_deluser("managed")
    assert len(warnings) == 3
    assert all("was not answered" in warning for warning in warnings)


async def test_a_server_that_is_not_there_is_an_error_not_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only a refusal is a warning: without a connection nothing is known."""
    redis = connect(f"redis://127.0.0.1:{free_port()}/0")

    async def unreachable(*_: Any) -> None:
        raise ConnectionError("refused")

    monkeypatch.setattr(redis, "config_get", unreachable)
    with pytest.raises(ConnectionError):
        await check_durability(redis)


async def test_a_server_that_hides_its_run_id_is_told_with_what_can_be_done_instead(
    redis: ArqRedis, redis_url: str
) -> None:
    await redis.acl_setuser(
        "silent",
        enabled=True,
        passwords=["+secret-word"],
        keys=["*"],
        categories=["+@all"],
        commands=["-info"],
    )
    silent = connect(redis_url.replace("redis://", "redis://silent:secret-word@"))
    (warning,) = await check_durability(silent)
    assert await replicas(silent) == 0
    await silent.aclose()
    await redis.acl_deluser("silent")
    assert "dailies recover" in warning


async def test_a_primary_that_takes_writes_without_its_replicas_is_a_warning(tmp_path: Path) -> None:
    with redis_process(tmp_path / "one") as first:
        port = first.url.rsplit(":", 1)[1].split("/")[0]
        with redis_process(tmp_path / "two", None, "--replicaof", f"127.0.0.1 {port}"):
            redis = connect(first.url)
            while not await replicas(redis):
                await redis.ping()
            (warning,) = await check_durability(redis)
            assert "min-replicas-to-write is 0" in warning
            await redis.config_set("min-replicas-to-write", 1)
            assert await check_durability(redis) == []
            await redis.aclose()


async def test_a_ledger_of_a_newer_release_is_refused_and_stays_as_it_is(redis: ArqRedis, namespace: str) -> None:
    store = Store(redis, namespace)
    await ledger_version.note(store.redis, store.keys)
    await redis.hset(store.keys.meta, "schema", ledger_version.VERSION + 1)
    for refuses in (ledger_version.check, ledger_version.note):
        with pytest.raises(ledger_version.TooNew, match="newer release"):
            await refuses(redis, store.keys)
    assert await redis.hget(store.keys.meta, "schema") == str(ledger_version.VERSION + 1).encode()


async def test_a_ledger_without_a_version_is_taken_on(redis: ArqRedis, namespace: str) -> None:
    store = Store(redis, namespace)
    await ledger_version.note(store.redis, store.keys)
    assert await redis.hget(store.keys.meta, "schema") == str(ledger_version.VERSION).encode()
