"""An archive that answers without end, or with what we never wrote, holds no step up and fills no memory."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from azure.core.credentials import AzureSasCredential
from azure.storage.blob.aio import BlobServiceClient

from tests.workers.sinks.streams import MIB, stream
from tests.workers.wire_server import Script, WireServer, answer, hang
from workers.sinks import ArchiveUnavailable, Sink, TooLarge, blob_errors
from workers.sinks.blob import BlobSink
from workers.sinks.blob_address import address_of
from workers.sinks.opening import client_options

VIDEO: dict[str, Any] = {"content_type": "video/mp4", "metadata": {}, "claim": "spring/hero/3"}


async def drip(writer: asyncio.StreamWriter) -> None:
    """Each byte in time, the last one never."""
    await answer(200, b"", {"Content-Range": "bytes 0-999999/1000000"}, length=1_000_000)(writer)
    while True:
        writer.write(b"x")
        await asyncio.sleep(0.02)


async def test_what_is_far_too_large_to_be_a_receipt_is_not_read_whole(sink: Sink) -> None:
    await sink.save("spring/hero.json", stream(*[bytes(MIB)] * 33), **VIDEO)
    with pytest.raises(TooLarge, match="over 32 MiB"):
        await sink.read("spring/hero.json")


@pytest.mark.parametrize("script", [drip, hang], ids=["drips", "hangs"])
async def test_a_call_that_never_ends_is_given_up(script: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blob_errors, "CALL_TIMEOUT_S", 0.3)
    async with WireServer([script]) as server:
        address = address_of(f"{server.url}/account/videos")
        service = BlobServiceClient(address.account, AzureSasCredential("sig=x"), **client_options())
        async with BlobSink(service, address) as sink:
            for call in (
                sink.read("spring/hero.json"),
                sink.stat("spring/hero.mp4") if script is hang else sink.read("spring/hero.json"),
                sink.write("spring/hero.json", b"{}", "application/json"),
                sink.save("spring/hero.mp4", stream(b"film"), **VIDEO),
            ):
                with pytest.raises(ArchiveUnavailable, match="no whole answer"):
                    await call
