"""Connections to Redis that go where the primary is by now, and prove anew who we are before the old proof ends.

redis-py's own pools do neither for us: they follow no MOVED outside of its cluster client, try again within tries to
connect to an address that is gone, and let a connection be taken while a new token is being sent on it.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from redis.asyncio import Connection, ConnectionPool, SSLConnection, UnixDomainSocketConnection
from redis.asyncio.connection import AbstractConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.credentials import CredentialProvider
from redis.exceptions import ConnectionError, ReadOnlyError, RedisError, ResponseError, TimeoutError  # noqa: A004

from orchestrator.redis_address import Node, is_address
from orchestrator.redis_nodes import NamedNodes, Nodes

#: A refusal that passes by itself, or with the next primary: https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/.
#: redis-py tells all of these as plain ResponseErrors, but for READONLY. Redis 6 puts a script's own words before.
_PASSING = re.compile(r"(?:^|: -)(MOVED|ASK|TRYAGAIN|CLUSTERDOWN|MASTERDOWN|NOREPLICAS|READONLY) ?(.*)", re.DOTALL)
_ONCE = Retry(NoBackoff(), 0)


class Credentials(CredentialProvider):
    """What proves us. `number` grows with each new proof: live connections then send it too."""

    number = 0


class _Steady(AbstractConnection):
    """One try to connect at a time: whoever wants a connection, or a command carried out, tries again."""

    def __init__(self, *, pool: Pool, **options: Any) -> None:
        self.pool, self.proof = pool, 0
        super().__init__(**options)

    @contextmanager
    def _trying_once(self) -> Iterator[None]:
        patience, self.retry = self.retry, _ONCE
        try:
            yield
        finally:
            self.retry = patience

    async def connect(self) -> None:
        with self._trying_once():
            await super().connect()  # type: ignore[no-untyped-call]

    async def check_health(self) -> None:
        with self._trying_once():
            await super().check_health()  # type: ignore[no-untyped-call]

    async def on_connect(self) -> None:
        self.proof = self.pool.number
        await super().on_connect()

    async def prove(self) -> None:
        """Send the newest proof of who we are."""
        number = self.pool.number
        await self.send_command("AUTH", *await self.pool.proof(), check_health=False)
        await self.read_response()
        self.proof = number


class UnixConnection(_Steady, UnixDomainSocketConnection):
    """To a server on this machine."""


class TcpConnection(_Steady, Connection):
    """To the primary, wherever it is at the time."""

    pool: Pool

    @property
    def node(self) -> Node:
        return self.host, self.port

    async def connect(self) -> None:
        if self.is_connected:
            return
        try:
            await super().connect()
        except (ConnectionError, TimeoutError):
            self.pool.nodes.left(self.node)
            raise

    async def _connect(self) -> None:
        self.host, self.port = await self.pool.nodes.find()
        await super()._connect()  # type: ignore[no-untyped-call]

    async def on_connect(self) -> None:
        await super().on_connect()
        if self.pool.clustered:
            await self._learn_nodes()

    async def _learn_nodes(self) -> None:
        await self.send_command("CLUSTER", "SLOTS", check_health=False)
        try:
            rows = await super().read_response()
        except ResponseError:  # no cluster, or it does not tell
            self.pool.clustered = False
            return
        ours_first = sorted(rows, key=lambda row: not row[0] <= self.pool.slot <= row[1])
        self.pool.nodes.learned(
            ((node[0] or b"").decode() or self.host, int(node[1])) for row in ours_first for node in row[2:]
        )

    async def read_response(self, *arguments: Any, **options: Any) -> Any:
        """A refusal that passes is told as a lost connection, which is tried again, at the primary of then."""
        try:
            return await super().read_response(*arguments, **options)
        except ResponseError as error:
            found = ("", "READONLY", "") if isinstance(error, ReadOnlyError) else _PASSING.search(str(error))
            if not found:
                raise
            word, detail = found[1], found[2]
            if word == "MOVED":
                host, _, port = detail.split()[1].rpartition(":")
                self.pool.nodes.moved((host or self.host, int(port)))
            elif word in ("READONLY", "MASTERDOWN"):
                self.pool.nodes.left(self.node)
            await self.disconnect(nowait=True)
            raise ConnectionError(f"{self.host}:{self.port} does not take it now: {error}") from error


class TlsConnection(TcpConnection, SSLConnection):
    """The same, encrypted. Whose certificate it must be is checked."""

    def _connection_arguments(self) -> dict[str, Any]:
        return {**super()._connection_arguments(), "server_hostname": self.pool.certified(self.host)}


class Pool(ConnectionPool):
    """The connections of one client."""

    nodes: Nodes

    def __init__(
        self,
        nodes: Nodes | None,
        *,
        slot: int = 0,
        certified_as: str | None = None,
        credentials: Credentials | None = None,
        **more: Any,
    ) -> None:
        """`nodes`: None for a unix socket. `slot`: the cluster's hash slot that all keys are in. `certified_as`: the
        name that certificates must have, where servers are known by their addresses alone."""
        if nodes is not None:
            self.nodes = nodes
        self.clustered = isinstance(nodes, NamedNodes)
        self.slot, self._certified_as, self._credentials = slot, certified_as, credentials
        if credentials is not None:
            more["credential_provider"] = credentials
        super().__init__(**more)

    def __repr__(self) -> str:
        return f"Pool({getattr(self, 'nodes', None)!r})"

    @property
    def number(self) -> int:
        """Of the newest proof of who we are."""
        return self._credentials.number if self._credentials else 0

    async def proof(self) -> tuple[str, ...]:
        """User and password as AUTH takes them."""
        return await self._credentials.get_credentials_async() if self._credentials else ()

    def certified(self, host: str) -> str | None:
        """The name that a server's certificate must have; None: its host. Nodes of a cluster are often named by
        address, and have the certificate of the name that the cluster is known by."""
        return self._certified_as if self._certified_as and is_address(host) else None

    def make_connection(self) -> Any:
        kind: Any = self.connection_class
        return kind(pool=self, **self.connection_kwargs)

    async def get_connection(self, command_name: Any = None, *keys: Any, **options: Any) -> Any:
        """A connection to the primary. No lock is held meanwhile, as redis-py does: all would wait, one by one."""
        connection = self.get_available_connection()  # type: ignore[no-untyped-call]
        try:
            await connection.retry.call_with_retry(
                lambda: self.ensure_connection(connection), lambda error: connection.disconnect()
            )
        except BaseException:
            await self.release(connection)
            raise
        return connection

    async def ensure_connection(self, connection: Any) -> None:
        if isinstance(connection, TcpConnection) and connection.is_connected and self.nodes.at != connection.node:
            await connection.disconnect()
        await super().ensure_connection(connection)

    async def release(self, connection: Any) -> None:
        """Taken back; with the newest proof sent, should there be another since it was lent out."""
        try:
            if connection.is_connected and connection.proof != self.number:
                await connection.prove()
        except (RedisError, OSError):
            await connection.disconnect(nowait=True)
        finally:
            await super().release(connection)

    async def prove(self) -> None:
        """Send the newest proof on all connections: those that are lent out send it when they come back."""
        here: list[Any] = self._available_connections
        idle = [each for each in here if each.is_connected and each.proof != self.number]
        for connection in idle:
            self._available_connections.remove(connection)
            self._in_use_connections.add(connection)
        await asyncio.gather(*(self.release(connection) for connection in idle))

    async def aclose(self) -> None:
        await super().aclose()
        if hasattr(self, "nodes"):
            await self.nodes.aclose()
