"""Saves so many MiB to a directory or an Azurite and prints the process's peak of resident memory, in bytes."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path

from azure.storage.blob import BlobServiceClient

from orchestrator.settings.archive import ArchiveAuth, ArchiveSettings
from workers.sinks import Saved, open_sink

CHUNK = 64 * 1024


async def film(mib: int) -> AsyncIterator[bytes]:
    for number in range(mib * 1024 * 1024 // CHUNK):
        yield number.to_bytes(4, "big") * (CHUNK // 4)


def settings_for(target: str) -> tuple[ArchiveSettings, dict[str, str]]:
    if "AccountKey=" not in target:
        return ArchiveSettings(url=target), {}
    with BlobServiceClient.from_connection_string(target) as service:
        url = service.create_container(f"memory-{sys.argv[2]}").url
    return ArchiveSettings(url=url, auth=ArchiveAuth(connection_string_env="STORE")), {"STORE": target}


async def main(target: str, mib: int) -> None:
    settings, environ = settings_for(target)
    async with open_sink(settings, environ) as sink:
        saved = await sink.save("a.mp4", film(mib), content_type="video/mp4", metadata={}, claim="c")
    assert isinstance(saved, Saved)
    # Not `ru_maxrss`: a child's begins at its parent's.
    lines = Path("/proc/self/status").read_text().splitlines()
    peak = next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))
    print(json.dumps({"bytes": saved.bytes, "peak": peak}))


asyncio.run(main(sys.argv[1], int(sys.argv[2])))
