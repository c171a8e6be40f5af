"""Servers for tests, each on a free port of the loopback, stopped by its process id when the block ends."""

from __future__ import annotations

import json
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from redis import Redis
from redis.exceptions import RedisError

from orchestrator.redis.server import server_binaries

ROOT = Path(__file__).resolve().parents[1]
AZURITE = ROOT / ".tools/azurite/node_modules/azurite/dist/src/blob/main.js"
# The account and key that every Azurite has: public, documented, no secret.
AZURITE_ACCOUNT = "devstoreaccount1"
AZURITE_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
AZURITE_API_VERSION = "2026-06-06"  # Azurite refuses the newest; clients in tests may ask for this one
#: Below those that Linux, macOS and Windows lend.
_ports = iter(random.Random().sample(range(20_000, 32_000), 12_000))
_lent: list[socket.socket] = []


def free_port() -> int:
    """A port of the loopback that is free, and that no other test is given while this process lives.

    The system lends none of these to whoever connects or asks for any port: that one could be gone before its server
    listens, or while a test has it stopped; and who asks such a port again and again at last reaches himself.
    """
    for port in _ports:
        try:
            _lent.append(_reserved(port))
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", port))
        except OSError:
            continue
        return port
    raise RuntimeError("no port of the loopback is free")


def _reserved(port: int) -> socket.socket:
    """A name that one process at a time has, and that is free again once it has ended. OSError where it is taken."""
    name = socket.socket(socket.AF_UNIX)
    try:
        if sys.platform == "linux":  # elsewhere none is without a file
            name.bind(f"\0dailies tests, port {port}")
    except OSError:
        name.close()
        raise
    return name


@contextmanager
def running(command: list[str], log: Path, ready: Callable[[], bool], within_s: float = 120) -> Iterator[int]:
    """Run a server until the block ends; its process id. One that does not start is quoted."""
    with log.open("wb") as out:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True)
    try:
        deadline = time.monotonic() + within_s
        while not ready():
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{command[0]} did not start:\n{log.read_text(errors='replace')[-2000:]}")
            time.sleep(0.02)
        yield process.pid
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGCONT)  # a test may have stopped it
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@dataclass(frozen=True)
class RedisServer:
    url: str
    pid: int
    directory: Path


@contextmanager
def redis_process(directory: Path, port: int | None = None, *options: str) -> Iterator[RedisServer]:
    """A real server that syncs each write, unless told otherwise. Directory and port alike, it goes on."""
    port = port or free_port()
    directory.mkdir(parents=True, exist_ok=True)
    command = [str(server_binaries()[0]), "--port", str(port), "--bind", "127.0.0.1"]
    command += ["--dir", str(directory), "--save", ""]
    command += [
        "--appendonly",
        "yes",
        "--appendfsync",
        "always",
        "--maxmemory-policy",
        "noeviction",
        *options,
    ]

    def ready() -> bool:
        with Redis(port=port) as client:
            try:
                return bool(client.ping())
            except RedisError:
                return False

    with running(command, directory / "redis.log", ready) as pid:
        yield RedisServer(f"redis://127.0.0.1:{port}/0", pid, directory)


@dataclass(frozen=True)
class Azurite:
    connection_string: str
    blob_url: str  # of the account: http://127.0.0.1:PORT/devstoreaccount1


@contextmanager
def azurite_process(directory: Path, *, tls: tuple[Path, Path] | None = None) -> Iterator[Azurite]:
    """A real Azurite that keeps blobs in memory. Skips, with the way to get it, where it is missing.

    `tls`: certificate (for `localhost`) and key; it then takes tokens of Entra ID too.
    """
    node = shutil.which("node")
    if node is None or not AZURITE.is_file():
        pytest.skip("Azurite is not installed: run sh scripts/install-azurite (it needs Node.js and npm)")
    port = free_port()
    command = [
        node,
        str(AZURITE),
        "--blobHost",
        "127.0.0.1",
        "--blobPort",
        str(port),
        "--inMemoryPersistence",
    ]
    command += ["--silent", "--disableTelemetry", "--skipApiVersionCheck"]
    if tls is not None:
        command += ["--oauth", "basic", "--cert", str(tls[0]), "--key", str(tls[1])]

    def ready() -> bool:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            return False
        return True

    with running(command, directory / "azurite.log", ready):
        url = f"{'https://localhost' if tls else 'http://127.0.0.1'}:{port}/{AZURITE_ACCOUNT}"
        parts = f"AccountName={AZURITE_ACCOUNT};AccountKey={AZURITE_KEY};BlobEndpoint={url};"
        yield Azurite(f"DefaultEndpointsProtocol={url.partition(':')[0]};{parts}", url)


@contextmanager
def prometheus_process(directory: Path, targets: list[str]) -> Iterator[str]:
    """A real Prometheus that scrapes these (HOST:PORT) five times a second; its URL. Skips where it is missing."""
    program = shutil.which("prometheus")
    if program is None:
        pytest.skip("Prometheus is not installed: run sh scripts/install-prometheus")
    directory.mkdir(parents=True, exist_ok=True)
    jobs = [{"job_name": "dailies", "static_configs": [{"targets": targets}]}]
    (directory / "prometheus.yaml").write_text(
        json.dumps({"global": {"scrape_interval": "200ms", "scrape_timeout": "200ms"}, "scrape_configs": jobs})
    )
    url = f"http://127.0.0.1:{(port := free_port())}"
    command = [program, f"--config.file={directory / 'prometheus.yaml'}", f"--storage.tsdb.path={directory / 'data'}"]
    command += [f"--web.listen-address=127.0.0.1:{port}"]

    def ready() -> bool:
        try:
            return httpx.get(f"{url}/-/ready").status_code == 200
        except httpx.HTTPError:
            return False

    with running(command, directory / "prometheus.log", ready):
        yield url


@dataclass(frozen=True)
class Container:
    connection_string: str
    name: str
    url: str  # https://…/ACCOUNT/CONTAINER, as archive.url takes it
