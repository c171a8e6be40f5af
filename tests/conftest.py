"""Real parts for the tests: a Redis, an Azurite and the sandbox, each on its own port, stopped by process id.

Every test that touches Redis has its own namespace, and fails when it leaves a key without `{namespace}`.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from typing import Any

import pytest
from arq.connections import ArqRedis
from azure.storage.blob import BlobServiceClient
from redis import Redis

from orchestrator.redis.connection import connect
from tests.servers import AZURITE_API_VERSION, Azurite, Container, RedisServer, azurite_process, redis_process


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


@pytest.fixture(scope="session")
def azurite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Azurite]:
    """One Azurite for the session. A test with big files starts its own with `azurite_process`."""
    with azurite_process(tmp_path_factory.mktemp("azurite")) as server:
        yield server


@pytest.fixture
def azurite_container(azurite: Azurite) -> Iterator[Container]:
    """A fresh, empty container, gone after the test."""
    name = f"test-{secrets.token_hex(6)}"
    client = BlobServiceClient.from_connection_string(azurite.connection_string, api_version=AZURITE_API_VERSION)
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
def no_secrets_from_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """What one test calls a secret is an ordinary word in the next."""
    monkeypatch.setattr("orchestrator.logs.redaction._secrets", set())


@pytest.fixture(autouse=True)
def no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the developer's shell has set, a key included, must not reach a test."""
    for name in list(os.environ):
        if name.upper().startswith(("DAILIES_", "AZURE_", "OPENAI_")):
            monkeypatch.delenv(name)
