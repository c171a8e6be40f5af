"""The connection to Redis: one that outlives a restart of the server."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlsplit

from arq.connections import ArqRedis
from redis.asyncio import ConnectionPool
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialBackoff
from redis.exceptions import (
    BusyLoadingError,
    ClusterDownError,
    ConnectionError,  # noqa: A004
    ReadOnlyError,
    TimeoutError,  # noqa: A004
    WatchError,
)

# arq drops a job's body that long after it was due, without a word.
TEN_YEARS_MS = 10 * 365 * 24 * 3600 * 1000

#: Redis is away for a while, a failover included; any other RedisError is a fault of ours, or a full server. Of WATCH,
#: which arq alone uses, a lost connection is told as a WatchError; that of a key that changed stays with arq.
AWAY = (ConnectionError, TimeoutError, ReadOnlyError, ClusterDownError, WatchError)


def connect(url: str, *, queue_name: str = "{dailies}:arq") -> ArqRedis:
    """A client for redis://, rediss:// or unix:// that connects at its first command.

    A refused or lost connection is tried again for about 40 seconds, so a restart or a failover is survived;
    then redis's ConnectionError, or OSError, is raised. A command may therefore reach the server twice. Jobs
    are JSON; `queue_name` is where `enqueue_job` puts them.
    """
    tcp: dict[str, Any] = {} if urlsplit(url).scheme == "unix" else {"socket_keepalive": True}
    pool = ConnectionPool.from_url(
        url,
        socket_timeout=5,
        socket_connect_timeout=1,
        health_check_interval=15,
        # redis-py 5 takes a refused connection for an OSError, which by default it does not try again.
        retry=Retry(ExponentialBackoff(cap=1, base=0.05), 40),
        retry_on_error=[ConnectionError, TimeoutError, BusyLoadingError, OSError],
        retry_on_timeout=True,
        **tcp,
    )
    redis = ArqRedis(
        pool,
        job_serializer=job_to_json,
        job_deserializer=json.loads,
        default_queue_name=queue_name,
        expires_extra_ms=TEN_YEARS_MS,
    )
    # A client that was handed a pool leaves it open on aclose(), unless it is told that the pool is its own.
    redis.auto_close_connection_pool = True
    return redis


def job_to_json(job: dict[str, Any]) -> bytes:
    """arq's serializer. An exception, stored as a job's result, becomes text; other objects are refused."""
    return json.dumps(job, default=_exception_text, separators=(",", ":")).encode()


def _exception_text(value: object) -> str:
    if isinstance(value, BaseException):
        return f"{type(value).__name__}: {value}"
    raise TypeError(f"a job cannot carry a {type(value).__name__}")
