"""What only Azure Blob Storage can do wrong, against a real Azurite; and answers that Azurite never gives, scripted."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from azure.storage.blob import generate_container_sas
from azure.storage.blob.aio import BlobServiceClient

from orchestrator.settings.archive import ArchiveAuth, ArchiveSettings
from tests.servers import AZURITE_ACCOUNT, AZURITE_KEY, Azurite, Container
from tests.workers.sinks.conftest import blob_sink_of
from tests.workers.sinks.streams import MIB, md5, stream
from tests.workers.wire_server import WireServer, answer
from workers.sinks import ArchiveUnavailable, Immutable, NameTaken, Saved, Sink, WriteRefused, open_sink

VIDEO: dict[str, Any] = {"content_type": "video/mp4", "metadata": {"remote_id": "video_1"}, "claim": "spring/hero/3"}
EMPTY = {"x-ms-version": "2024-01-01", "Content-Type": "application/xml"}


def sas_of(container: Container, permission: str = "rcwd", *, hours: int = 1) -> str:
    expiry = datetime.now(UTC) + timedelta(hours=hours)
    return generate_container_sas(
        AZURITE_ACCOUNT, container.name, account_key=AZURITE_KEY, permission=permission, expiry=expiry
    )


def sas_sink(url: str, token: str) -> Sink:
    return open_sink(ArchiveSettings(url=url, auth=ArchiveAuth(sas_env="SAS")), {"SAS": token})


def broken(status: int, code: str, **headers: str) -> Any:
    body = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>no</Message></Error>".encode()
    return answer(status, body, {**EMPTY, "x-ms-error-code": code, **headers})


async def test_a_blob_has_content_md5_content_type_and_metadata(blob_sink: Sink, azurite_container: Container) -> None:
    data = bytes(5 * MIB) + b"end"
    await blob_sink.save("spring/hero.mp4", stream(data), **VIDEO)
    async with BlobServiceClient.from_connection_string(azurite_container.connection_string) as service:
        blob = service.get_blob_client(azurite_container.name, "night/one/spring/hero.mp4")
        found = await blob.get_blob_properties()
    assert bytes(found.content_settings.content_md5) == md5(data)
    assert found.content_settings.content_type == "video/mp4"
    assert found.metadata == {"remote_id": "video_1"}


async def test_blocks_on_their_way_carry_the_claim_and_are_seen_by_nobody(
    blob_sink: Sink, azurite_container: Container
) -> None:
    staged: list[str] = []

    async def watch() -> AsyncIterator[bytes]:
        for _ in range(3):
            yield bytes(4 * MIB)
        async with BlobServiceClient.from_connection_string(azurite_container.connection_string) as service:
            blob = service.get_blob_client(azurite_container.name, "night/one/a.mp4")
            _, uncommitted = await blob.get_block_list("uncommitted")
            staged.extend(block.id for block in uncommitted)

    await blob_sink.save("a.mp4", watch(), **VIDEO)
    await blob_sink.save("a.mp4", watch(), **VIDEO | {"claim": "spring/hero/4"}, replace=True)
    claims = [each.partition("-")[0] for each in staged]
    assert len(set(claims)) == 2
    assert len({len(each) for each in staged}) == 1


async def test_a_blob_that_somebody_else_put_there_without_md5_is_never_taken_for_ours(
    blob_sink: Sink, azurite_container: Container
) -> None:
    async with BlobServiceClient.from_connection_string(azurite_container.connection_string) as service:
        blob = service.get_blob_client(azurite_container.name, "night/one/a.mp4")
        await blob.stage_block("1", b"abc")
        await blob.commit_block_list(["1"])
    taken = await blob_sink.save("a.mp4", stream(b"abc"), **VIDEO)
    assert isinstance(taken, NameTaken)
    assert (taken.md5, taken.same_bytes) == (None, False)


async def test_a_container_that_is_missing_is_made_by_the_probe(azurite: Azurite, azurite_container: Container) -> None:
    name = azurite_container.name + "-new"
    container = Container(azurite.connection_string, name, f"{azurite.blob_url}/{name}")
    async with blob_sink_of(container, prefix="") as sink:
        for call in (
            sink.stat("a"),
            sink.read("a"),
            sink.write("a", b"", "x/y"),
            sink.save("a", stream(b"x"), **VIDEO),
        ):
            with pytest.raises(ArchiveUnavailable, match="Create the container"):
                await call
        await sink.probe()
        assert await sink.write("a b.txt", b"x", "text/plain") == f"{container.url}/a%20b.txt"
    async with BlobServiceClient.from_connection_string(azurite.connection_string) as service:
        await service.delete_container(name)


async def test_a_sas_is_enough_and_stands_in_no_url_repr_or_error(azurite_container: Container) -> None:
    token = sas_of(azurite_container)
    async with sas_sink(f"{azurite_container.url}/p", "?" + token) as sink:
        await sink.probe()
        saved = await sink.save("a.mp4", stream(b"abc"), **VIDEO)
        assert isinstance(saved, Saved)
        assert saved.url == f"{azurite_container.url}/p/a.mp4"
        assert await sink.read("a.mp4") == b"abc"
        assert "sig=" not in repr(sink) + sink.url + saved.url


async def test_a_sas_that_may_not_delete_passes_the_probe(azurite_container: Container) -> None:
    async with sas_sink(azurite_container.url, sas_of(azurite_container, "rcw")) as sink:
        await sink.probe()


@pytest.mark.parametrize("case", ["expired", "read only", "nonsense"])
async def test_a_sas_that_does_not_let_us_in_says_what_to_mend(azurite_container: Container, case: str) -> None:
    tokens = {
        "expired": sas_of(azurite_container, hours=-1),
        "read only": sas_of(azurite_container, "r"),
        "nonsense": "sv=2024-01-01&sig=c2VjcmV0&se=2030-01-01&sp=rcwd&sr=c",
    }
    async with sas_sink(azurite_container.url, tokens[case]) as sink:
        for call in (sink.probe(), sink.save("a.mp4", stream(b"abc"), **VIDEO)):
            with pytest.raises(ArchiveUnavailable, match="renew the SAS") as raised:
                await call
            assert "sig=" not in str(raised.value)
            assert raised.value.__suppress_context__


async def test_an_account_that_cannot_be_reached_is_the_archive_s_trouble_not_the_video_s() -> None:
    key = "AccountName=a;AccountKey=c2VjcmV0;BlobEndpoint=http://127.0.0.1:9/a;"
    async with blob_sink_of(Container(key, "c", "http://127.0.0.1:9/a/c")) as sink:
        with pytest.raises(ArchiveUnavailable, match="can be reached"):
            await sink.stat("a.mp4")


SMALL, LARGE = b"abc", bytes(5 * MIB)
#: What a large object's blocks are answered before the call that gives it its name; a small one has that call alone.
STAGED = {SMALL: [], LARGE: [answer(201, b"", EMPTY)] * 2}
each_size = pytest.mark.parametrize("data", [SMALL, LARGE], ids=["small", "large"])


@each_size
@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (409, "BlobImmutableDueToPolicy", Immutable),
        (409, "BlobImmutableDueToLegalHold", Immutable),
        (403, "UnauthorizedBlobOverwrite", Immutable),
        (412, "LeaseIdMissing", WriteRefused),
        (400, "Md5Mismatch", WriteRefused),
        (409, "ContainerBeingDeleted", ArchiveUnavailable),
        (403, "AuthorizationPermissionMismatch", ArchiveUnavailable),
        (403, "InsufficientAccountPermissions", ArchiveUnavailable),
    ],
)
async def test_refusals_of_one_blob_and_of_the_whole_archive_are_told_apart(
    status: int, code: str, kind: type[Exception], data: bytes
) -> None:
    missing = answer(404, b"", {**EMPTY, "x-ms-error-code": "BlobNotFound"})
    async with (
        WireServer([*STAGED[data], broken(status, code), missing]) as server,
        sas_sink(f"{server.url}/acme/c", "sig=1") as sink,
    ):
        with pytest.raises(kind, match=code) as raised:
            await sink.save("a.mp4", stream(data), **VIDEO)
    assert type(raised.value) is kind


async def test_a_store_that_is_busy_is_unavailable_for_as_long_as_it_says() -> None:
    async with (
        WireServer([broken(503, "ServerBusy", **{"Retry-After": "17"})]) as server,
        sas_sink(f"{server.url}/acme/c", "sig=1") as sink,
    ):
        with pytest.raises(ArchiveUnavailable, match="ServerBusy") as raised:
            await sink.write("a.json", b"{}", "application/json")
        assert raised.value.retry_after_s == 17.0


@each_size
async def test_a_commit_whose_answer_was_lost_is_our_own_name_taken(data: bytes) -> None:
    """The SDK sends the commit again and is told that the blob exists: same bytes, so the caller may call it done."""
    head = {**EMPTY, "Content-Length": str(len(data)), "Content-MD5": base64.b64encode(md5(data)).decode()}
    head["x-ms-meta-remote_id"] = "video_1"
    head |= {"Last-Modified": "Thu, 16 Oct 2025 15:16:36 GMT", "ETag": '"0x1"', "x-ms-blob-type": "BlockBlob"}
    scripts = [
        *STAGED[data],
        broken(500, "InternalError"),
        broken(409, "BlobAlreadyExists"),
        answer(200, b"", head),
    ]
    async with WireServer(scripts) as server, sas_sink(f"{server.url}/acme/c", "sig=1") as sink:
        taken = await sink.save("a.mp4", stream(data), **VIDEO)
    assert isinstance(taken, NameTaken)
    assert taken.same_bytes
    assert taken.metadata == {"remote_id": "video_1"}
    commits = [each for each in server.requests if each.method == "PUT" and "comp=block&" not in each.target]
    assert [request.headers["if-none-match"] for request in commits] == ["*", "*"]
