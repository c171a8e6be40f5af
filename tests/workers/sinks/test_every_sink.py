"""What every archive keeps to, whichever it is."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.workers.sinks.streams import MIB, md5, sha256, stream
from workers.sinks import Arrived, NameTaken, NotThere, Saved, Sink, WriteRefused

VIDEO: dict[str, Any] = {"content_type": "video/mp4", "metadata": {"remote_id": "video_1"}, "claim": "spring/hero/3"}
NAME = "spring/hero.mp4"


@pytest.mark.parametrize("length", [0, 1, 4 * MIB - 1, 4 * MIB, 9 * MIB + 5])
async def test_a_stream_is_saved_byte_for_byte_with_its_hashes(sink: Sink, length: int) -> None:
    data = random.Random(length).randbytes(length)
    pieces = [data[at : at + 65_537] for at in range(0, length, 65_537)]
    saved = await sink.save(NAME, stream(*pieces), **VIDEO)
    assert saved == Saved(NAME, sink.url + NAME, length, sha256(data), md5(data))
    assert await sink.read(NAME) == data


async def test_an_object_tells_its_length_md5_and_metadata(sink: Sink) -> None:
    metadata = {"remote_id": "video_a/b=", "product": "Tasse für  Özil ☕ 100%", "empty": "x" * 300, "edge": " a "}
    await sink.save(NAME, stream(b"abc"), **VIDEO | {"metadata": metadata})
    found = await sink.stat(NAME)
    assert found is not None
    assert (found.bytes, found.md5, dict(found.metadata)) == (3, md5(b"abc"), metadata)


async def test_what_is_not_there_is_none_or_not_there(sink: Sink) -> None:
    assert await sink.stat(NAME) is None
    with pytest.raises(NotThere):
        await sink.read(NAME)


async def test_an_object_tells_its_media_type(sink: Sink) -> None:
    await sink.save(NAME, stream(b"abc"), **VIDEO | {"content_type": "video/webm"})
    await sink.write("spring/hero.json", b"{}", "application/json")
    found, paper = await sink.stat(NAME), await sink.stat("spring/hero.json")
    assert found is not None
    assert paper is not None
    assert (found.content_type, paper.content_type) == ("video/webm", "application/json")


@pytest.mark.parametrize("length", [0, 1, 4 * MIB, 9 * MIB + 5])
async def test_an_object_is_read_in_pieces_whole_or_in_part(sink: Sink, length: int) -> None:
    data = random.Random(length).randbytes(length)
    await sink.save(NAME, stream(data), **VIDEO)
    pieces = [piece async for piece in sink.chunks(NAME)]
    assert b"".join(pieces) == data
    assert max(map(len, pieces), default=0) <= 4 * MIB
    if length > 1:
        assert b"".join([piece async for piece in sink.chunks(NAME, 3, 4 * MIB - 4)]) == data[3 : 4 * MIB - 1]
        assert b"".join([piece async for piece in sink.chunks(NAME, length - 2)]) == data[-2:]
    with pytest.raises(NotThere):
        await anext(sink.chunks("spring/other.mp4"))


async def test_a_name_that_is_taken_is_told_and_left_as_it_is(sink: Sink) -> None:
    await sink.save(NAME, stream(b"first"), **VIDEO)
    taken = await sink.save(NAME, stream(b"second!"), **VIDEO | {"metadata": {"remote_id": "video_2"}})
    assert taken == NameTaken(
        5, md5(b"first"), {"remote_id": "video_1"}, Arrived(7, sha256(b"second!"), md5(b"second!"))
    )
    assert not taken.same_bytes
    assert await sink.read(NAME) == b"first"


async def test_our_own_bytes_under_our_own_name_are_told_from_others(sink: Sink) -> None:
    await sink.save(NAME, stream(b"first"), **VIDEO)
    taken = await sink.save(NAME, stream(b"fir", b"st"), **VIDEO)
    assert isinstance(taken, NameTaken)
    assert taken.same_bytes


async def test_replacing_is_done_only_when_asked_for(sink: Sink) -> None:
    await sink.save(NAME, stream(b"first"), **VIDEO)
    assert isinstance(await sink.save(NAME, stream(b"second"), **VIDEO, replace=True), Saved)
    assert await sink.read(NAME) == b"second"


async def test_a_stream_that_breaks_off_leaves_nothing_under_the_name_and_its_own_error_comes_through(
    sink: Sink,
) -> None:
    for first in (b"", b"x", bytes(9 * MIB)):
        with pytest.raises(ConnectionResetError, match="cut"):
            await sink.save(NAME, stream(first, then=ConnectionResetError("cut")), **VIDEO)
        assert await sink.stat(NAME) is None


async def test_what_is_not_accepted_never_gets_its_name(sink: Sink) -> None:
    judged = []

    def refuse(arrived: Arrived) -> None:
        judged.append(arrived)
        raise LookupError("not an MP4")

    with pytest.raises(LookupError, match="MP4"):
        await sink.save(NAME, stream(b"{}"), **VIDEO, accept=refuse)
    assert judged == [Arrived(2, sha256(b"{}"), md5(b"{}"))]
    assert await sink.stat(NAME) is None


async def test_nothing_stands_under_the_name_while_the_stream_still_runs(sink: Sink) -> None:
    seen = []

    async def slow() -> AsyncIterator[bytes]:
        for _ in range(3):
            yield bytes(5 * MIB)
            seen.append(await sink.stat(NAME))

    await sink.save(NAME, slow(), **VIDEO)
    assert seen == [None] * 3
    assert await sink.stat(NAME) is not None


async def test_a_save_that_is_cancelled_leaves_nothing_under_the_name(sink: Sink) -> None:
    reached = asyncio.Event()

    async def endless() -> AsyncIterator[bytes]:
        yield bytes(9 * MIB)
        reached.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(sink.save(NAME, endless(), **VIDEO))
    await reached.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await sink.stat(NAME) is None


async def test_two_tries_for_one_name_at_once_never_mix_and_one_of_them_wins(sink: Sink) -> None:
    """Both stream at the same time, block by block in turn, under one claim even."""
    turn = asyncio.Barrier(2)

    async def film(letter: bytes) -> AsyncIterator[bytes]:
        for _ in range(3):
            await turn.wait()
            yield letter * (4 * MIB)

    results = await asyncio.gather(*[sink.save(NAME, film(letter), **VIDEO) for letter in (b"a", b"b")])
    (won,) = [each for each in results if isinstance(each, Saved)]
    (lost,) = [each for each in results if isinstance(each, NameTaken)]
    data = await sink.read(NAME)
    assert data in (b"a" * 12 * MIB, b"b" * 12 * MIB)
    assert won.md5 == md5(data) == lost.md5


async def test_small_things_are_written_and_replaced_at_once(sink: Sink) -> None:
    for text in (b"{}", b'{"more": 1}', b""):
        assert await sink.write("spring/hero.json", text, "application/json") == f"{sink.url}spring/hero.json"
        assert await sink.read("spring/hero.json") == text
    with pytest.raises(WriteRefused, match="already"):
        await sink.write("spring/hero.json", b"x", "application/json", replace=False)


async def test_a_name_with_signs_of_its_own_stays_one_name(sink: Sink) -> None:
    name = "spring/a b%20c#d~2.mp4"
    saved = await sink.save(name, stream(b"abc"), **VIDEO)
    assert isinstance(saved, Saved)
    assert saved.url == sink.url + "spring/a%20b%2520c%23d~2.mp4"
    assert await sink.read(name) == b"abc"


@pytest.mark.parametrize("name", ["../out.mp4", "/etc/x", "a//b", "a/../b", "", ".", "a\\b", "a\nb", "a/"])
async def test_a_name_that_leads_out_of_the_archive_is_refused(sink: Sink, name: str) -> None:
    with pytest.raises(WriteRefused):
        await sink.save(name, stream(b""), **VIDEO)
    for call in (sink.write(name, b"", "x/y"), sink.read(name), sink.stat(name)):
        with pytest.raises(WriteRefused):
            await call


async def test_a_probe_of_an_archive_that_can_be_written_to_leaves_nothing(sink: Sink) -> None:
    await sink.probe()
    await sink.probe()
    assert await sink.stat("dailies-probe") is None


async def test_the_names_in_a_folder_are_those_directly_in_it(sink: Sink) -> None:
    assert [name async for name in sink.names("spring")] == []
    for name in ("spring/hero.mp4", "spring/hero.json", "spring/inputs/abc", "springtime/x.json"):
        await sink.write(name, b"x", "application/octet-stream")
    assert sorted([name async for name in sink.names("spring")]) == ["hero.json", "hero.mp4"]
    assert [name async for name in sink.names("spring", folders=True)] == ["inputs"]
    assert sorted([name async for name in sink.names(folders=True)]) == ["spring", "springtime"]
