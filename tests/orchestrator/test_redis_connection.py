"""The connection to Redis, against real servers that refuse, restart and answer less than one would like."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from arq.connections import ArqRedis
from arq.constants import job_key_prefix
from redis.asyncio import SSLConnection

from orchestrator.redis.connection import TEN_YEARS_MS, connect, job_to_json
from orchestrator.redis.embedded import EmbeddedRedis
from tests.servers import free_port, redis_process


async def test_a_job_is_kept_as_json_for_years(redis: ArqRedis, namespace: str) -> None:
    """arq's own default is pickle and 24 hours, after which the job is dropped without a word."""
    job_id = f"{{{namespace}}}:step"
    await redis.enqueue_job("create", 7, _job_id=job_id, key="hero")
    body = await redis.get(job_key_prefix + job_id)
    assert b'"f":"create"' in body
    assert await redis.pttl(job_key_prefix + job_id) > TEN_YEARS_MS - 60_000
    assert await redis.zcard(f"{{{namespace}}}:arq") == 1
    [job] = await redis.queued_jobs()
    assert (job.function, list(job.args), job.kwargs) == ("create", [7], {"key": "hero"})


def test_a_jobs_failure_is_stored_as_text_and_other_objects_are_refused() -> None:
    """An exception must not break arq's bookkeeping; a Path among the arguments is a slip worth an error."""
    assert job_to_json({"r": ValueError("bad")}) == b'{"r":"ValueError: bad"}'
    with pytest.raises(TypeError, match="PosixPath"):
        job_to_json({"a": Path("x")})


async def test_a_restart_of_the_server_is_survived(tmp_path: Path) -> None:
    """A command sent while the server is down waits for it, and the data is there."""
    port = free_port()
    with redis_process(tmp_path, port) as server:
        redis = connect(server.url)
        await redis.set("{t}:kept", "yes")
    waiting = asyncio.ensure_future(redis.get("{t}:kept"))
    await asyncio.sleep(0)
    with redis_process(tmp_path, port):
        assert await waiting == b"yes"
        await redis.aclose()


async def test_a_server_on_a_unix_socket_is_reached(tmp_path: Path) -> None:
    async with EmbeddedRedis(tmp_path) as embedded:
        assert embedded.url.startswith("unix://")
        redis = connect(embedded.url)
        assert await redis.ping()
        await redis.aclose()


def test_a_tls_url_connects_with_tls() -> None:
    redis = connect("rediss://:secret-word@redis.example:6380/0")
    assert issubclass(redis.connection_pool.connection_class, SSLConnection)
    assert redis.connection_pool.connection_kwargs["ssl_check_hostname"] is True
    assert redis.connection_pool.connection_kwargs["socket_keepalive"] is True
