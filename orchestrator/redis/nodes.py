"""Which server the next connection goes to: the one that is named, our slot's owner, or Sentinel's primary."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from redis.asyncio.sentinel import MasterNotFoundError, Sentinel

from orchestrator.settings.redis_address import Node

#: How long one Sentinel may take to answer before the next is asked (seconds).
SENTINEL_S = 1.0


class Nodes(Protocol):
    """`at` is where connections belong; one that goes elsewhere is not used again."""

    @property
    def at(self) -> Node | None: ...

    async def find(self) -> Node:
        """Where to connect to now. MasterNotFoundError, or another ConnectionError, when that is not known yet."""
        ...

    def left(self, node: Node) -> None:
        """It could not be reached, or is no primary any more."""

    def moved(self, owner: Node) -> None:
        """A server of a cluster says that this one has our slot."""

    def learned(self, nodes: Iterable[Node]) -> None:
        """These are in the same cluster: any of them knows who has our slot."""

    async def replicas(self) -> int:
        """How many replicas there are known to be, those that are away too; 0 where nobody but the server knows."""
        ...

    async def aclose(self) -> None: ...


class NamedNodes:
    """One server, or a cluster whose nodes are tried in turn until one says who has our slot."""

    def __init__(self, seeds: tuple[Node, ...]) -> None:
        self.at = seeds[0]
        self._seeds, self._ring, self._turn = seeds, list(seeds), 0

    async def find(self) -> Node:
        return self.at

    def left(self, node: Node) -> None:
        """Go on to the next in turn. A replica may still name the owner that is gone: so no two are tried for ever."""
        if node == self.at:
            self._turn = (self._turn + 1) % len(self._ring)
            self.at = self._ring[self._turn]

    def moved(self, owner: Node) -> None:
        self.learned([owner])
        self.at = owner

    def learned(self, nodes: Iterable[Node]) -> None:
        self._ring += [node for node in nodes if node not in self._ring]

    async def replicas(self) -> int:
        return 0

    async def aclose(self) -> None:
        return None


class SentinelNodes:
    """The primary that Sentinels name: they are asked anew for each connection."""

    def __init__(self, name: str, sentinels: tuple[Node, ...], options: Mapping[str, Any]) -> None:
        """`options`: how to connect to the Sentinels themselves."""
        self.at: Node | None = None
        self._name = name
        limits = {"socket_timeout": SENTINEL_S, "socket_connect_timeout": SENTINEL_S}
        self._sentinel = Sentinel(sentinels, sentinel_kwargs={**limits, **options})  # type: ignore[no-untyped-call]

    async def find(self) -> Node:
        host, port = await self._sentinel.discover_master(self._name)
        self.at = (str(host), int(port))
        return self.at

    def left(self, node: Node) -> None:
        """Sentinel will tell, once it has found out too."""

    def moved(self, owner: Node) -> None:
        """No cluster has Sentinels."""

    def learned(self, nodes: Iterable[Node]) -> None:
        """No cluster has Sentinels."""

    async def replicas(self) -> int:
        """As Sentinel counts them: a primary that failed, and comes back as a replica, is one too."""
        for each in self._sentinel.sentinels:
            try:
                states = await each.sentinel_masters()  # type: ignore[no-untyped-call]
            except (ConnectionError, OSError, MasterNotFoundError):
                continue
            if self._name in states:
                return int(states[self._name]["num-slaves"])
        return 0

    async def aclose(self) -> None:
        for each in self._sentinel.sentinels:
            await each.aclose()
