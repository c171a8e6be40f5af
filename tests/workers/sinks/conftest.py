from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from orchestrator.settings.archive import ArchiveAuth, ArchiveSettings
from tests.servers import Container
from tests.workers.wire_server import Script, WireServer
from workers.identity.credentials import ApiKey
from workers.sinks import Sink, open_sink
from workers.sinks.blob_retry import PatientRetry
from workers.video_api import connect, download


@pytest.fixture
async def blob_sink(azurite_container: Container) -> AsyncIterator[Sink]:
    async with blob_sink_of(azurite_container) as sink:
        yield sink


@pytest.fixture(params=["directory", "blob"])
async def sink(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Sink]:
    """Each kind of archive in turn, empty."""
    if request.param == "directory":
        async with open_sink(ArchiveSettings(url=str(tmp_path / "archive")), {}) as directory:
            yield directory
    else:
        async with blob_sink_of(request.getfixturevalue("azurite_container")) as blobs:
            yield blobs


@pytest.fixture
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the client of the provider nor that of the store waits before it asks again."""

    async def at_once(*_: object) -> None: ...

    monkeypatch.setattr(download, "PAUSES_S", (0.0, 0.0, 0.0))
    monkeypatch.setattr(PatientRetry, "sleep", at_once)


@pytest.fixture
async def provider() -> AsyncIterator[Callable[..., Any]]:
    """`api = await provider(script, …)`: a client of a server that plays them."""
    async with AsyncExitStack() as stack:

        async def serve(*scripts: Script) -> Any:
            server = await stack.enter_async_context(WireServer(list(scripts)))
            api = connect("videos", server.url, ApiKey("any"), create_timeout_s=1, read_timeout_s=0.5)
            return await stack.enter_async_context(api)

        yield serve


def blob_sink_of(container: Container, prefix: str = "night/one") -> Sink:
    auth = ArchiveAuth(connection_string_env="STORE")
    settings = ArchiveSettings(url=f"{container.url}/{prefix}", auth=auth)
    return open_sink(settings, {"STORE": container.connection_string})
