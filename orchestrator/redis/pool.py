"""Connections to Redis that go where the primary is by now, and prove anew who we are before the old proof ends.

redis-py's own pools do neither for us: they follow no MOVED outside of its cluster client, try again within tries to
connect to an address that is gone, and let a connection be taken while a new token is being sent on it.
"""

from __future__ import annotations

import asyncio
from typing import Any

from redis.asyncio import ConnectionPool
from redis.credentials import CredentialProvider
from redis.exceptions import RedisError

from orchestrator.redis.link import TcpConnection
from orchestrator.redis.nodes import NamedNodes, Nodes
from orchestrator.settings.redis_address import is_address


class Credentials(CredentialProvider):
    """What proves us. `number` grows with each new proof: live connections then send it too."""

    number = 0


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
