"""A connection to Redis that goes where the primary is by now, and tells a refusal that passes from one that stays."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

from redis.asyncio import Connection, SSLConnection, UnixDomainSocketConnection
from redis.asyncio.connection import AbstractConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError, ReadOnlyError, ResponseError, TimeoutError  # noqa: A004

from orchestrator.redis.nodes import Nodes
from orchestrator.settings.redis_address import Node

#: A refusal that passes by itself, or with the next primary: https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/.
#: redis-py tells all of these as plain ResponseErrors, but for READONLY. Redis 6 puts a script's own words before.
_PASSING = re.compile(r"(?:^|: -)(MOVED|ASK|TRYAGAIN|CLUSTERDOWN|MASTERDOWN|NOREPLICAS|READONLY) ?(.*)", re.DOTALL)
_ONCE = Retry(NoBackoff(), 0)


class Owner(Protocol):
    """Whose a connection is: knows where to, and what proves us."""

    nodes: Nodes
    clustered: bool
    slot: int

    @property
    def number(self) -> int:
        """Of the newest proof of who we are."""

    async def proof(self) -> tuple[str, ...]:
        """User and password as AUTH takes them."""

    def certified(self, host: str) -> str | None:
        """The name that a server's certificate must have; None: its host."""


class _Steady(AbstractConnection):
    """One try to connect at a time: whoever wants a connection, or a command carried out, tries again."""

    def __init__(self, *, pool: Owner, **options: Any) -> None:
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

    pool: Owner

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
