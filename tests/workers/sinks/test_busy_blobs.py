"""A store that is busy, damages what it is sent, or has no such tier: what is done about it, through a real Azurite."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from azure.storage.blob.aio import BlobServiceClient

from orchestrator.settings.archive import ArchiveAuth, ArchiveSettings
from tests.servers import Azurite, Container
from tests.workers.sinks.conftest import blob_sink_of
from tests.workers.sinks.gate import Cut, Gate, Refusal, Request, Rule
from tests.workers.sinks.streams import MIB, stream
from workers.sinks import ArchiveUnavailable, NameTaken, Saved, open_sink
from workers.sinks.blob_retry import PatientRetry

VIDEO: dict[str, Any] = {"content_type": "video/mp4", "metadata": {}, "claim": "c"}
LARGE = bytes(range(256)) * (9 * MIB // 256)


def first(count: int, refusal: Refusal, *, of: str = "PUT") -> Rule:
    """The first so many are refused."""
    left = [count]

    def rule(request: Request) -> Refusal | None:
        left[0] -= request.method == of
        return refusal if request.method == of and left[0] >= 0 else None

    return rule


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long each call would have waited before it was sent again."""
    seen: list[float] = []

    async def note(self: PatientRetry, settings: dict[str, Any], transport: object) -> None:
        seen.append(self.get_backoff_time(settings))

    monkeypatch.setattr(PatientRetry, "sleep", note)
    return seen


@pytest.mark.parametrize("data", [b"abc", LARGE], ids=["small", "large"])
async def test_a_store_that_is_busy_for_a_moment_is_asked_again_as_late_as_it_says(
    azurite_container: Container, waits: list[float], data: bytes
) -> None:
    rule = first(2, Refusal(503, "ServerBusy", ("Retry-After: 3",)))
    async with Gate(azurite_container, rule) as gate, blob_sink_of(gate.container) as sink:
        assert isinstance(await sink.save("a.mp4", stream(data), **VIDEO), Saved)
        assert await sink.read("a.mp4") == data
    assert waits == [3.0, 3.0]


async def test_one_that_says_nothing_is_asked_again_in_about_a_second(
    azurite_container: Container, waits: list[float]
) -> None:
    rule = first(2, Refusal(500, "InternalError"))
    async with Gate(azurite_container, rule) as gate, blob_sink_of(gate.container) as sink:
        await sink.write("a.json", b"{}", "application/json")
    assert len(waits) == 2
    assert all(0 <= each <= 2 for each in waits)


@pytest.mark.parametrize("status", [503, 429])
async def test_one_that_wants_to_be_left_alone_for_longer_is_not_asked_again_now(
    azurite_container: Container, waits: list[float], status: int
) -> None:
    refusal = Refusal(status, "ServerBusy", ("Retry-After: 17",))
    async with Gate(azurite_container, first(99, refusal)) as gate, blob_sink_of(gate.container) as sink:
        for call in (sink.save("a.mp4", stream(LARGE), **VIDEO), sink.write("a.json", b"{}", "x/y")):
            with pytest.raises(ArchiveUnavailable) as raised:
                await call
            assert raised.value.retry_after_s == 17
    assert waits == []


async def test_a_block_that_is_damaged_on_its_way_is_refused_by_the_store_and_sent_again(
    azurite_container: Container,
) -> None:
    damaged: list[Request] = []

    def rule(request: Request) -> bytes | None:
        if not request.stages or len(damaged) == 2:
            return None
        damaged.append(request)
        return b"?" + request.body[1:]

    async with Gate(azurite_container, rule) as gate, blob_sink_of(gate.container) as sink:
        assert isinstance(await sink.save("a.mp4", stream(LARGE), **VIDEO), Saved)
        assert await sink.read("a.mp4") == LARGE
    assert damaged[0].target == damaged[1].target


@pytest.mark.parametrize("data", [b"abc", LARGE], ids=["small", "large"])
async def test_what_is_always_damaged_never_gets_its_name(azurite_container: Container, data: bytes) -> None:
    def rule(request: Request) -> bytes | None:
        return b"?" + request.body[1:] if request.method == "PUT" and "comp=blocklist" not in request.target else None

    async with Gate(azurite_container, rule) as gate, blob_sink_of(gate.container) as sink:
        with pytest.raises(Exception, match="Md5Mismatch"):
            await sink.save("a.mp4", stream(data), **VIDEO)
        assert await sink.stat("a.mp4") is None


async def test_a_name_that_was_taken_while_it_was_on_its_way_is_told(azurite_container: Container) -> None:
    """By a small one even, while blocks of the large one are there already."""
    async with blob_sink_of(azurite_container) as other, blob_sink_of(azurite_container) as sink:

        async def slow() -> AsyncIterator[bytes]:
            yield LARGE
            assert isinstance(await other.save("a.mp4", stream(b"first"), **VIDEO), Saved)

        taken = await sink.save("a.mp4", slow(), **VIDEO)
        assert await sink.read("a.mp4") == b"first"
    assert isinstance(taken, NameTaken)
    assert not taken.same_bytes


async def test_one_block_is_one_call_and_more_are_one_each_and_one(azurite_container: Container) -> None:
    for data, calls in ((b"", 1), (b"abc", 1), (bytes(4 * MIB), 1), (LARGE, 4)):
        async with Gate(azurite_container, lambda _: None) as gate, blob_sink_of(gate.container) as sink:
            assert isinstance(await sink.save(f"{len(data)}.mp4", stream(data), **VIDEO), Saved)
            assert len(gate.requests) == calls


@pytest.mark.parametrize("data", [b"abc", LARGE], ids=["small", "large"])
@pytest.mark.parametrize("tier", ["hot", "cool", "cold"])
async def test_videos_get_the_tier_and_pages_the_account_s_own(
    azurite_container: Container, data: bytes, tier: Any
) -> None:
    auth = ArchiveAuth(connection_string_env="STORE")
    settings = ArchiveSettings(url=azurite_container.url, auth=auth, tier=tier)
    async with open_sink(settings, {"STORE": azurite_container.connection_string}) as sink:
        await sink.save("a.mp4", stream(data), **VIDEO)
        await sink.save("index.html", stream(data), **VIDEO | {"replace": True})
        await sink.write("a.json", b"{}", "application/json")
    async with BlobServiceClient.from_connection_string(azurite_container.connection_string) as service:
        found = {}
        for name in ("a.mp4", "index.html", "a.json"):
            properties = await service.get_blob_client(azurite_container.name, name).get_blob_properties()
            found[name] = None if properties.blob_tier_inferred else properties.blob_tier
    assert found == {"a.mp4": tier.capitalize(), "index.html": None, "a.json": None}


async def test_an_account_without_the_tier_says_what_to_change(azurite_container: Container) -> None:
    def rule(request: Request) -> Refusal | None:
        return Refusal(400, "AccessTierNotSupportedForBlobType") if request.names else None

    async with Gate(azurite_container, rule) as gate, blob_sink_of(gate.container) as sink:
        with pytest.raises(ArchiveUnavailable, match=r"change archive\.tier"):
            await sink.save("a.mp4", stream(b"abc"), **VIDEO)


async def test_a_container_that_may_not_be_created_is_named_with_the_command_that_creates_it(azurite: Azurite) -> None:
    missing = Container(azurite.connection_string, "not-there", f"{azurite.blob_url}/not-there")

    def rule(request: Request) -> Refusal | None:
        return Refusal(403, "AuthorizationFailure") if "restype=container" in request.target else None

    async with Gate(missing, rule) as gate, blob_sink_of(gate.container) as sink:
        with pytest.raises(ArchiveUnavailable, match="az storage container create --name not-there"):
            await sink.probe()


async def test_a_container_that_is_being_deleted_is_waited_for(azurite: Azurite) -> None:
    missing = Container(azurite.connection_string, "not-there", f"{azurite.blob_url}/not-there")

    def rule(request: Request) -> Refusal | None:
        return Refusal(409, "ContainerBeingDeleted") if "restype=container" in request.target else None

    async with Gate(missing, rule) as gate, blob_sink_of(gate.container) as sink:
        with pytest.raises(ArchiveUnavailable, match="tried again by itself"):
            await sink.probe()


async def test_a_probe_that_is_already_gone_is_removed_enough(azurite_container: Container) -> None:
    """Its removal's answer was lost; it is the same for whoever removes the probe of a worker that starts too."""
    cuts = [Cut.AFTER]

    def rule(request: Request) -> Cut | None:
        return cuts.pop() if cuts and request.method == "DELETE" else None

    async with Gate(azurite_container, rule) as gate, blob_sink_of(gate.container) as sink:
        await sink.probe()
        assert [request.method for request in gate.requests].count("DELETE") == 2
