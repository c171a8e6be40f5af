"""A container that keeps what it has: a retention policy, a legal hold, a SAS that may only create. Tries must end all
the same, and pages that would be rewritten stand beside the earlier ones.

Azurite has no policies: the gate before it refuses to change what is there, with Azure's own status and code.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.servers import Container
from tests.workers.sinks.conftest import blob_sink_of
from tests.workers.sinks.gate import Gate, Refusal, Request, Rule
from tests.workers.sinks.streams import MIB, stream
from workers.rendering.inputs import store_images
from workers.sinks import Immutable, NameTaken, Saved, Sink

VIDEO: dict[str, Any] = {"content_type": "video/mp4", "metadata": {"remote_id": "video_1"}, "claim": "c"}
PAGE: dict[str, Any] = {"content_type": "text/html", "metadata": {}, "claim": "c", "replace": True}
#: Status and code of a refusal, and whether deleting is refused with it.
POLICY = (409, "BlobImmutableDueToPolicy")
HOLD = (409, "BlobImmutableDueToLegalHold")
CREATE_ONLY = (403, "UnauthorizedBlobOverwrite")


def keeping(refused: tuple[int, str]) -> Rule:
    """What was written once is neither written again nor deleted."""
    there: set[str] = set()

    def rule(request: Request) -> Refusal | None:
        if request.path in there and (request.method == "DELETE" or request.method == "PUT"):
            return Refusal(*refused)
        if request.names:
            there.add(request.path)
        return None

    return rule


@pytest.fixture(params=[POLICY, HOLD, CREATE_ONLY], ids=["policy", "hold", "create only"])
async def kept(request: pytest.FixtureRequest, azurite_container: Container) -> AsyncIterator[Sink]:
    async with Gate(azurite_container, keeping(request.param)) as gate, blob_sink_of(gate.container) as sink:
        yield sink


async def test_the_probe_passes_each_time_and_learns_it(kept: Sink) -> None:
    assert not kept.keeps
    for _ in range(3):
        await kept.probe()
        assert kept.keeps


@pytest.mark.parametrize("size", [3, 5 * MIB])
async def test_a_try_that_comes_again_finds_the_name_taken_by_the_same_bytes(kept: Sink, size: int) -> None:
    assert isinstance(await kept.save("a.mp4", stream(bytes(size)), **VIDEO), Saved)
    if size > 4 * MIB:  # not even a block of it is taken
        with pytest.raises(Immutable):
            await kept.save("a.mp4", stream(bytes(size)), **VIDEO)
    else:
        taken = await kept.save("a.mp4", stream(bytes(size)), **VIDEO)
        assert isinstance(taken, NameTaken)
        assert taken.same_bytes
    found = await kept.stat("a.mp4")
    assert found is not None
    assert found.metadata == {"remote_id": "video_1"}


async def test_a_page_that_cannot_be_rewritten_gets_the_next_free_name(kept: Sink) -> None:
    await kept.probe()
    for number, name in enumerate(("index.html", "index.2.html", "index.3.html")):
        saved = await kept.save("spring/index.html", stream(b"%d" % number), **PAGE)
        assert isinstance(saved, Saved)
        assert (saved.name, await kept.read(f"spring/{name}")) == (f"spring/{name}", b"%d" % number)
        assert saved.url.endswith(f"/{name}")


async def test_an_input_image_is_there_for_whoever_submits_again(kept: Sink, tmp_path: Path) -> None:
    image = tmp_path / "boat.png"
    image.write_bytes(b"\x89PNG\r\n\x1a\n, and a boat")
    first = await store_images([str(image)], kept, "spring")
    assert await store_images([str(image)], kept, "spring") == first
    assert await kept.read(f"spring/inputs/{first[str(image)]}") == image.read_bytes()


async def test_without_a_probe_the_first_refusal_tells_and_the_next_try_succeeds(kept: Sink) -> None:
    assert isinstance(await kept.save("results.csv", stream(b"1"), **PAGE), Saved)
    with pytest.raises(Immutable):
        await kept.save("results.csv", stream(b"2"), **PAGE)
    saved = await kept.save("results.csv", stream(b"2"), **PAGE)
    assert isinstance(saved, Saved)
    assert saved.name == "results.2.csv"


async def test_a_small_object_that_cannot_be_rewritten_says_so(kept: Sink) -> None:
    await kept.write("a.json", b"1", "application/json")
    with pytest.raises(Immutable, match="stands there for good"):
        await kept.write("a.json", b"2", "application/json")
    assert kept.keeps
    assert await kept.read("a.json") == b"1"


async def test_an_archive_that_keeps_nothing_is_known_as_such(blob_sink: Sink) -> None:
    await blob_sink.probe()
    assert not blob_sink.keeps
    await blob_sink.save("index.html", stream(b"1"), **PAGE)
    saved = await blob_sink.save("index.html", stream(b"2"), **PAGE)
    assert isinstance(saved, Saved)
    assert saved.name == "index.html"


async def test_a_sas_that_may_not_delete_is_no_sign_of_it(azurite_container: Container) -> None:
    def rule(request: Request) -> Refusal | None:
        return Refusal(403, "AuthorizationPermissionMismatch") if request.method == "DELETE" else None

    async with Gate(azurite_container, rule) as gate, blob_sink_of(gate.container) as sink:
        await sink.probe()
        assert not sink.keeps
