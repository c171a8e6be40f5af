"""Redis in more than one process: a primary with replicas and Sentinels, or a cluster. Stopped by process id."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from redis import Redis
from redis.crc import key_slot
from redis.exceptions import RedisError

from tests.chaos.stage import NAMESPACE, RedisUnit, until
from tests.servers import RedisServer, free_port, redis_process, running

SLOTS = 16384
PRIMARY = "night"
#: A replica that comes is fed at once, and one that is gone is noticed soon.
REPLICATED = ("--repl-diskless-sync-delay", "0", "--repl-ping-replica-period", "1", "--repl-timeout", "5")
START_S = 120.0


def port_of(server: RedisServer) -> int:
    return int(server.url.rsplit(":", 1)[1].partition("/")[0])


def ask(port: int, *words: Any) -> Any:
    """One command to the server at a port, past everything that follows a primary."""
    with Redis(port=port, socket_timeout=5) as client:
        return client.execute_command(*words)


class House(RedisUnit):
    """Several servers, of which `owner` answers for our keys at the time."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.servers: list[RedisServer] = []
        self.owner: RedisServer

    async def start(self) -> None:
        await asyncio.to_thread(self._build)

    def _build(self) -> None:
        raise NotImplementedError

    def serve(self, *options: str) -> RedisServer:
        folder = self._folder / str(len(self.servers))
        server = self._stack.enter_context(redis_process(folder, None, *options))
        self.servers.append(server)
        return server

    def strike(self, number: signal.Signals) -> None:
        """Signal the owner's process."""
        os.kill(self.owner.pid, number)

    def others(self) -> list[int]:
        return [port_of(server) for server in self.servers if server is not self.owner]

    async def succeeded(self) -> RedisServer:
        """Wait until another server writes in the owner's place; that one."""
        found: list[RedisServer] = []

        async def one() -> bool:
            heirs = [server for server in self.servers if server is not self.owner]
            found.extend([each for each in heirs if await asyncio.to_thread(self._owns, port_of(each))])
            return bool(found)

        assert await until(one, START_S), "nobody took the owner's place"
        return found[0]

    def _owns(self, port: int) -> bool:
        with suppress(RedisError):
            return bool(ask(port, "SET", f"{{{NAMESPACE}}}:arq:health:probe", "1", "PX", "1"))
        return False


class Guarded(House):
    """A primary, two replicas, and three Sentinels, two of which must agree that it is gone."""

    def _build(self) -> None:
        self.owner = self.serve(*REPLICATED)
        port = port_of(self.owner)
        for _ in range(2):
            self.serve(*REPLICATED, "--replicaof", "127.0.0.1", str(port))
        self.sentinels = [self._sentinel(number, port) for number in range(3)]

        def told(sentinel: int) -> bool:
            facts = ask(sentinel, "SENTINEL", "MASTER", PRIMARY)
            counts = dict(zip(facts[::2], facts[1::2], strict=True))
            return (counts[b"num-slaves"], counts[b"num-other-sentinels"]) == (b"2", b"2")

        _wait(lambda: ask(port, "INFO", "replication")["connected_slaves"] == 2)
        _wait(lambda: all(map(told, self.sentinels)))

    def _sentinel(self, number: int, primary: int) -> int:
        port, folder = free_port(), self._folder / f"sentinel-{number}"
        folder.mkdir(parents=True)
        (folder / "sentinel.conf").write_text(
            f"port {port}\nbind 127.0.0.1\ndir {folder}\n"
            f"sentinel monitor {PRIMARY} 127.0.0.1 {primary} 2\n"
            f"sentinel down-after-milliseconds {PRIMARY} 500\n"
            f"sentinel failover-timeout {PRIMARY} 2000\n"
        )

        def ready() -> bool:
            with suppress(RedisError):
                return bool(ask(port, "PING"))
            return False

        command = ["redis-server", str(folder / "sentinel.conf"), "--sentinel"]
        self._stack.enter_context(running(command, folder / "log", ready))
        return port

    @property
    def url(self) -> str:
        places = ",".join(f"127.0.0.1:{port}" for port in self.sentinels)
        return f"redis+sentinel://{places}/{PRIMARY}"


class Cluster(House):
    """A cluster of so many primaries; the one that owns our slot has a replica, if there are others to elect it."""

    def __init__(self, folder: Path, primaries: int) -> None:
        super().__init__(folder)
        self._primaries = primaries
        self._bus: dict[int, int] = {}

    def _build(self) -> None:
        nodes = [self._node() for _ in range(self._primaries)]
        ports, share = [port_of(node) for node in nodes], SLOTS // len(nodes)
        for place, port in enumerate(ports):
            last = SLOTS - 1 if place == len(ports) - 1 else (place + 1) * share - 1
            ask(port, "CLUSTER", "ADDSLOTSRANGE", place * share, last)
        self.owner = nodes[min(key_slot(NAMESPACE.encode()) // share, len(nodes) - 1)]
        if len(nodes) > 1:
            replica = port_of(self._node())
            for port in (*ports[1:], replica):
                ask(ports[0], "CLUSTER", "MEET", "127.0.0.1", port, self._bus[port])
            name = ask(port_of(self.owner), "CLUSTER", "MYID")
            _wait(lambda: self._follows(replica, name))
            _wait(lambda: ask(port_of(self.owner), "INFO", "replication")["connected_slaves"] == 1)
        for server in self.servers:
            _wait(partial(self._is_whole, port_of(server)))

    def _node(self) -> RedisServer:
        bus = free_port()
        options = ("--cluster-enabled", "yes", "--cluster-port", str(bus), "--cluster-node-timeout", "1000")
        node = self.serve(*REPLICATED, *options)
        self._bus[port_of(node)] = bus
        return node

    @staticmethod
    def _is_whole(port: int) -> bool:
        return b"cluster_state:ok" in ask(port, "CLUSTER", "INFO")

    @staticmethod
    def _follows(replica: int, name: Any) -> bool:
        with suppress(RedisError):
            return bool(ask(replica, "CLUSTER", "REPLICATE", name))
        return False

    @property
    def url(self) -> str:
        """A node that does not own our slot, where there is one: it sends us on."""
        seeds = self.others()[:1] or [port_of(self.owner)]
        return f"redis://127.0.0.1:{seeds[0]}/0"


def _wait(met: Callable[[], bool]) -> None:
    deadline = time.monotonic() + START_S
    while True:
        with suppress(RedisError):
            if met():
                return
        assert time.monotonic() < deadline, "the servers did not find each other"
        time.sleep(0.05)
