"""Secrets of the archive in files: renewed there, they count from the next request on, and nothing is started again."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from orchestrator.redis.credentials import Password
from orchestrator.settings import SettingsError
from orchestrator.settings.archive import ArchiveAuth, ArchiveSettings
from orchestrator.settings.secret_file import SecretFile
from tests.servers import AZURITE_KEY, Container
from tests.workers.wire_server import WireServer, answer
from workers.identity.credentials import ApiKey
from workers.sinks import ArchiveUnavailable, open_sink


async def test_a_renewed_sas_is_sent_with_the_next_request(tmp_path: Path) -> None:
    file = tmp_path / "sas"
    file.write_text("?sv=2026-01-01&sig=first\n")
    created = answer(201, b"", {"ETag": '"1"', "Last-Modified": "Thu, 01 Jan 2026 00:00:00 GMT"})
    async with WireServer([created]) as server:
        auth = ArchiveAuth(sas_file=str(file))
        async with open_sink(ArchiveSettings(url=f"{server.url}/acme/videos", auth=auth), {}) as sink:
            await sink.write("a.txt", b"a", "text/plain")
            file.write_text("sv=2026-01-01&sig=the-second\n")
            await sink.write("b.txt", b"b", "text/plain")
    assert ["sig=first" in each.target for each in server.requests] == [True, False]
    assert "sig=the-second" in server.requests[1].target


async def test_a_renewed_account_key_signs_the_next_request(tmp_path: Path, azurite_container: Container) -> None:
    """A real Azurite, which refuses the wrong key and takes the right one."""
    file, right = tmp_path / "connection", azurite_container.connection_string
    file.write_text(right.replace(AZURITE_KEY, "d3Jvbmc="))
    auth = ArchiveAuth(connection_string_file=str(file))
    async with open_sink(ArchiveSettings(url=azurite_container.url, auth=auth), {}) as sink:
        with pytest.raises(ArchiveUnavailable, match="403"):
            await sink.write("a.txt", b"a", "text/plain")
        file.write_text(right)
        await sink.write("a.txt", b"a", "text/plain")
        assert await sink.read("a.txt") == b"a"


@pytest.fixture
def readers(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Of each look at a secret file: whether it was in the thread of the event loop."""
    looks: list[bool] = []
    signs, loop = SecretFile._signs, threading.get_ident()

    def seen(self: SecretFile) -> tuple[int, ...]:
        looks.append(threading.get_ident() == loop)
        return signs(self)

    monkeypatch.setattr(SecretFile, "_signs", seen)
    return looks


async def test_a_file_system_that_hangs_stops_no_loop(
    tmp_path: Path, azurite_container: Container, readers: list[bool]
) -> None:
    """Once all is opened a secret's file is looked at in a thread, whoever asks."""
    file = tmp_path / "connection"
    file.write_text(azurite_container.connection_string)
    auth = ArchiveAuth(connection_string_file=str(file))
    async with open_sink(ArchiveSettings(url=azurite_container.url, auth=auth), {}) as sink:
        readers.clear()
        await sink.write("a.txt", b"a", "text/plain")
        assert await sink.read("a.txt") == b"a"
    assert readers
    assert not any(readers)

    file.write_text("sv=2026-01-01&sig=first")
    auth = ArchiveAuth(sas_file=str(file))
    created = answer(201, b"", {"ETag": '"1"', "Last-Modified": "Thu, 01 Jan 2026 00:00:00 GMT"})
    async with (
        WireServer([created]) as server,
        open_sink(ArchiveSettings(url=f"{server.url}/acme/videos", auth=auth), {}) as sink,
    ):
        readers.clear()
        await sink.write("a.txt", b"a", "text/plain")
    assert readers
    assert not any(readers)

    key, password = ApiKey(secret := SecretFile(str(file), "x", setting="y")), Password("dailies", secret)
    readers.clear()
    await key.header()
    assert await password.get_credentials_async() == ("dailies", "sv=2026-01-01&sig=first")
    assert readers == [False, False]


def test_a_file_that_is_not_there_is_told_before_anything_is_asked(tmp_path: Path) -> None:
    auth = ArchiveAuth(sas_file=str(tmp_path / "sas"))
    with pytest.raises(SettingsError, match=r"archive\.auth\.sas_file.*No such file"):
        open_sink(ArchiveSettings(url="https://acme.blob.core.windows.net/videos", auth=auth), {})
