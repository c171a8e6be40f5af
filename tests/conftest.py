"""Real parts for the tests: a Redis, an Azurite and the sandbox, each on its own port, stopped by process id.

Every test that touches Redis has its own namespace, and fails when it leaves a key without `{namespace}`.
"""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from arq.connections import ArqRedis
from azure.storage.blob import BlobServiceClient
from redis import Redis
from redis.exceptions import RedisError

from orchestrator.redis_connection import connect
from orchestrator.redis_server import server_binaries

ROOT = Path(__file__).resolve().parents[1]
AZURITE = ROOT / ".tools/azurite/node_modules/azurite/dist/src/blob/main.js"
# The account and key that every Azurite has: public, documented, no secret.
AZURITE_ACCOUNT = "devstoreaccount1"
AZURITE_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
AZURITE_API_VERSION = "2026-06-06"  # Azurite refuses the newest; clients in tests may ask for this one


def free_port() -> int:
    """A port of the loopback that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running(command: list[str], log: Path, ready: Callable[[], bool], within_s: float = 30) -> Iterator[int]:
    """Run a server until the block ends; its process id. One that does not start is quoted."""
    with log.open("wb") as out:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True
        )
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
def redis_process(directory: Path, port: int | None = None) -> Iterator[RedisServer]:
    """A real server that syncs each write. The same directory and port continue it."""
    port = port or free_port()
    directory.mkdir(parents=True, exist_ok=True)
    command = [str(server_binaries()[0]), "--port", str(port), "--bind", "127.0.0.1"]
    command += ["--dir", str(directory), "--save", ""]
    command += ["--appendonly", "yes", "--appendfsync", "always", "--maxmemory-policy", "noeviction"]

    def ready() -> bool:
        with Redis(port=port) as client:
            try:
                return bool(client.ping())
            except RedisError:
                return False

    with running(command, directory / "redis.log", ready) as pid:
        yield RedisServer(f"redis://127.0.0.1:{port}/0", pid, directory)


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """One Redis for the session. A test that stops a server starts its own with `redis_process`."""
    with redis_process(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture
def namespace() -> str:
    return f"t{secrets.token_hex(4)}"


@pytest.fixture
def redis_url(redis_server: RedisServer, namespace: str) -> Iterator[str]:
    """The session's Redis, emptied after each test, which must have kept every key under `{namespace}`."""
    yield redis_server.url
    with Redis.from_url(redis_server.url) as client:
        keys = sorted(key.decode(errors="replace") for key in client.scan_iter(count=1000))
        client.flushall()
    astray = [key for key in keys if f"{{{namespace}}}" not in key]
    assert not astray, f"keys without {{{namespace}}} were left: {astray[:20]}"


@pytest.fixture
async def redis(redis_url: str, namespace: str) -> AsyncIterator[ArqRedis]:
    client = connect(redis_url, queue_name=f"{{{namespace}}}:arq")
    yield client
    await client.aclose()


@dataclass(frozen=True)
class Azurite:
    connection_string: str
    blob_url: str  # of the account: http://127.0.0.1:PORT/devstoreaccount1


@contextmanager
def azurite_process(directory: Path) -> Iterator[Azurite]:
    """A real Azurite that keeps blobs in memory. Skips, with the way to get it, where it is not installed."""
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

    def ready() -> bool:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            return False
        return True

    with running(command, directory / "azurite.log", ready):
        url = f"http://127.0.0.1:{port}/{AZURITE_ACCOUNT}"
        parts = f"AccountName={AZURITE_ACCOUNT};AccountKey={AZURITE_KEY};BlobEndpoint={url};"
        yield Azurite(f"DefaultEndpointsProtocol=http;{parts}", url)


@pytest.fixture(scope="session")
def azurite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Azurite]:
    """One Azurite for the session. A test with big files starts its own with `azurite_process`."""
    with azurite_process(tmp_path_factory.mktemp("azurite")) as server:
        yield server


@dataclass(frozen=True)
class Container:
    connection_string: str
    name: str
    url: str  # https://…/ACCOUNT/CONTAINER, as archive.url takes it


@pytest.fixture
def azurite_container(azurite: Azurite) -> Iterator[Container]:
    """A fresh, empty container, gone after the test."""
    name = f"test-{secrets.token_hex(6)}"
    client = BlobServiceClient.from_connection_string(
        azurite.connection_string, api_version=AZURITE_API_VERSION
    )
    with client:
        container = client.create_container(name)
        yield Container(azurite.connection_string, name, f"{azurite.blob_url}/{name}")
        container.delete_container()


@pytest.fixture
async def sandbox() -> AsyncIterator[Callable[..., Awaitable[Any]]]:
    """Start sandboxes: `server = await sandbox(render_s=(0.1, 0.2))` takes SandboxConfig's arguments."""
    from sandbox.config import SandboxConfig
    from sandbox.server import SandboxServer

    async with AsyncExitStack() as stack:

        async def start(**knobs: Any) -> SandboxServer:
            return await stack.enter_async_context(SandboxServer(SandboxConfig(**knobs)))

        yield start


@pytest.fixture(autouse=True)
def no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the developer's shell has set, a key included, must not reach a test."""
    for name in list(os.environ):
        if name.upper().startswith(("DAILIES_", "AZURE_", "OPENAI_")):
            monkeypatch.delenv(name)
