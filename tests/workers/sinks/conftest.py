from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from orchestrator.settings.archive import ArchiveAuth, ArchiveSettings
from tests.servers import Container
from workers.sinks import Sink, open_sink


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


def blob_sink_of(container: Container, prefix: str = "night/one") -> Sink:
    auth = ArchiveAuth(connection_string_env="STORE")
    settings = ArchiveSettings(url=f"{container.url}/{prefix}", auth=auth)
    return open_sink(settings, {"STORE": container.connection_string})
