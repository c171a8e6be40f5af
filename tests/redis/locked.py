"""A Redis that lets in over TLS alone, and only who has a name and a password."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from redis import Redis
from redis.exceptions import RedisError

from tests.servers import ROOT, free_port, running
from tests.workers.tls import certificate

ADMIN = "of-the-admin"


def documented_acl(namespace: str, password: str) -> str:
    """The user that docs/redis.md says is enough, for another namespace."""
    page = (ROOT / "docs/redis.md").read_text(encoding="utf-8")
    found = re.search(r"<!-- acl -->\n```text\n(.+)\n```", page)
    assert found is not None
    return found[1].replace("{dailies}", f"{{{namespace}}}").replace(">PASSWORD", f">{password}")


@dataclass(frozen=True)
class Locked:
    """`chain` is the certificate, which signs itself; clients may show it with `key` as their own."""

    port: int
    chain: Path
    key: Path

    @property
    def url(self) -> str:
        return f"rediss://localhost:{self.port}/0"

    def admin(self) -> Redis:
        return Redis(
            host="localhost",
            port=self.port,
            username="admin",
            password=ADMIN,
            ssl=True,
            ssl_ca_certs=str(self.chain),
            ssl_certfile=str(self.chain),
            ssl_keyfile=str(self.key),
        )

    def ask(self, *words: Any) -> Any:
        with self.admin() as admin:
            return admin.execute_command(*words)

    def clients(self) -> list[dict[str, str]]:
        """Who is connected."""
        with self.admin() as admin:
            found: list[dict[str, str]] = admin.client_list()
        return found


@contextmanager
def locked_redis(folder: Path, *users: str, asks_for_certificate: bool = False) -> Iterator[Locked]:
    """`users` as in Redis's configuration. Its certificate is for `localhost`."""
    folder.mkdir(parents=True, exist_ok=True)
    chain, key = certificate(folder, "localhost")
    server = Locked(free_port(), chain, key)
    lines = [
        f"port 0\ntls-port {server.port}\nbind 127.0.0.1\ndir {folder}",
        f"tls-cert-file {chain}\ntls-key-file {key}\ntls-ca-cert-file {chain}",
        f"tls-auth-clients {'yes' if asks_for_certificate else 'no'}",
        'appendonly yes\nappendfsync always\nsave ""\nmaxmemory-policy noeviction',
        f"user default off\nuser admin on >{ADMIN} ~* &* +@all",
        *users,
    ]
    (folder / "redis.conf").write_text("\n".join(lines) + "\n")

    def ready() -> bool:
        with suppress(RedisError):
            return bool(server.ask("PING"))
        return False

    with running(["redis-server", str(folder / "redis.conf")], folder / "log", ready):
        yield server


@contextmanager
def locked_sentinel(folder: Path, server: Locked, name: str, user: str) -> Iterator[int]:
    """A Sentinel over TLS that watches the server under a name, and lets in `user` alone; its port."""
    folder.mkdir(parents=True)
    port = free_port()
    lines = [
        f"port 0\ntls-port {port}\nbind 127.0.0.1\ndir {folder}\ntls-replication yes\ntls-auth-clients no",
        f"tls-cert-file {server.chain}\ntls-key-file {server.key}\ntls-ca-cert-file {server.chain}",
        f"user default off\n{user}",
        f"sentinel monitor {name} 127.0.0.1 {server.port} 1",
        f"sentinel auth-user {name} admin\nsentinel auth-pass {name} {ADMIN}",
    ]
    (folder / "sentinel.conf").write_text("\n".join(lines) + "\n")

    def ready() -> bool:
        with suppress(OSError):
            socket.create_connection(("127.0.0.1", port), 1).close()
            return True
        return False

    with running(["redis-server", str(folder / "sentinel.conf"), "--sentinel"], folder / "log", ready):
        yield port
