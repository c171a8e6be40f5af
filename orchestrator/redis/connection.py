"""The connection to Redis: one that outlives a restart of the server."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from arq.connections import ArqRedis
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialBackoff
from redis.crc import key_slot
from redis.exceptions import (
    BusyLoadingError,
    ClusterDownError,
    ConnectionError,  # noqa: A004
    ReadOnlyError,
    TimeoutError,  # noqa: A004
    WatchError,
)

from orchestrator.redis.link import TcpConnection, TlsConnection, UnixConnection
from orchestrator.redis.nodes import NamedNodes, Nodes, SentinelNodes
from orchestrator.redis.pool import Credentials, Pool
from orchestrator.settings.redis_address import RedisAddress, is_address

# arq drops a job's body that long after it was due, without a word.
TEN_YEARS_MS = 10 * 365 * 24 * 3600 * 1000

#: Redis is away for a while, a failover included; any other RedisError is a fault of ours, or a full server. Of WATCH,
#: which arq alone uses, a lost connection is told as a WatchError; that of a key that changed stays with arq.
AWAY = (ConnectionError, TimeoutError, ReadOnlyError, ClusterDownError, WatchError)


@dataclass(frozen=True, slots=True)
class Access:
    """How to get in.

    credentials  what proves us to Redis, in place of user and password in its URL
    sentinel     what proves us to the Sentinels, which have users of their own; None: they ask for nothing
    ca_file, cert_file, key_file  PEM files: who signs Redis's certificate (None: whom the system trusts), and our own
    certified_as the name in Redis's certificate, where servers are known by their addresses alone
    """

    credentials: Credentials | None = None
    sentinel: Credentials | None = None
    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None
    certified_as: str | None = None


OPEN = Access()


def connect(
    url: str,
    *,
    queue_name: str = "{dailies}:arq",
    access: Access = OPEN,
    tries: int = 40,
    connect_s: float = 1,
    answer_s: float = 5,
) -> ArqRedis:
    """A client for redis://, rediss://, unix:// or redis+sentinel:// (see `RedisAddress`) that connects at its first
    command.

    A refused or lost connection is tried again, for about 40 seconds unless `tries` says otherwise, so a restart or a
    failover is survived; then redis's ConnectionError, or OSError, is raised. A command may therefore reach the server
    twice. Jobs are JSON; `queue_name` is where `enqueue_job` puts them.
    """
    address = RedisAddress.parse(url)
    options: dict[str, Any] = {} if "path" in address.options else {"socket_keepalive": True}
    tls = _tls(address, access)
    if access.credentials is not None:
        for name in ("username", "password"):
            address.options.pop(name, None)
    pool = Pool(
        _nodes(address, access, tls),
        slot=key_slot(queue_name.encode()),
        certified_as=access.certified_as or _cluster_name(address),
        credentials=access.credentials,
        connection_class=UnixConnection if not address.nodes else TlsConnection if address.tls else TcpConnection,
        socket_timeout=answer_s,
        socket_connect_timeout=connect_s,
        health_check_interval=15,
        # redis-py 5 takes a refused connection for an OSError, which by default it does not try again.
        retry=Retry(ExponentialBackoff(cap=1, base=0.05), tries),
        retry_on_error=[ConnectionError, TimeoutError, BusyLoadingError, OSError],
        retry_on_timeout=True,
        # CLIENT SETINFO, which Redis knows since 7.2 alone, would need a right of its own.
        lib_name=None,
        lib_version=None,
        **(options | tls | address.options),
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


def _nodes(address: RedisAddress, access: Access, tls: dict[str, Any]) -> Nodes | None:
    if address.primary is None:
        return NamedNodes(address.nodes) if address.nodes else None
    options = {**tls, "ssl": address.tls, "credential_provider": access.sentinel}
    return SentinelNodes(address.primary, address.nodes, options)


def _tls(address: RedisAddress, access: Access) -> dict[str, Any]:
    """redis-py does not check by itself that a certificate has the server's name."""
    if not address.tls:
        return {}
    files = {"ssl_ca_certs": access.ca_file, "ssl_certfile": access.cert_file, "ssl_keyfile": access.key_file}
    return {"ssl_check_hostname": True} | {name: str(path) for name, path in files.items() if path is not None}


def _cluster_name(address: RedisAddress) -> str | None:
    """Nodes of a cluster name each other by address, and have the certificate of the name that it is known by."""
    names = [host for host, _ in address.nodes if not is_address(host)]
    return names[0] if names and not address.primary else None


def job_to_json(job: dict[str, Any]) -> bytes:
    """arq's serializer. An exception, stored as a job's result, becomes text; other objects are refused."""
    return json.dumps(job, default=_exception_text, separators=(",", ":")).encode()


def _exception_text(value: object) -> str:
    if isinstance(value, BaseException):
        return f"{type(value).__name__}: {value}"
    raise TypeError(f"a job cannot carry a {type(value).__name__}")
