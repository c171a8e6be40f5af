"""Each way in which a download can break ends with the video archived, byte for byte, or with the right reason; and
nothing half-written is ever seen. Real parts: HTTP, Azurite, a directory."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from orchestrator.items.states import Event
from orchestrator.ledger.records import Item
from tests.workers.sinks.step import LARGE, MP4, SMALL, TAGGED, tried, until_archived
from tests.workers.test_archive import NOW, finished
from tests.workers.wire_server import Script, answer, drop, then_hang
from workers.sinks import Sink

pytestmark = pytest.mark.usefixtures("no_pauses")
each_size = pytest.mark.parametrize("data", [SMALL, LARGE], ids=["small", "large"])


def cut(script: Script) -> Script:
    async def write(writer: asyncio.StreamWriter) -> None:
        await script(writer)
        writer.close()

    return write


def unannounced(data: bytes) -> Script:
    return cut(answer(200, data, {**MP4, "Content-Length": "", "Connection": "close"}))


def rest(data: bytes) -> Script:
    head = {**TAGGED, "Content-Range": f"bytes {len(data) // 2}-{len(data) - 1}/{len(data)}"}
    return answer(206, data[len(data) // 2 :], head)


def begun(data: bytes, headers: dict[str, str]) -> Script:
    """Half of what is announced."""
    return answer(200, data[: len(data) // 2], headers, length=len(data))


#: Name → the answers before the one that is right, and in how many tries the video is archived with that.
IN_THE_MIDDLE: dict[str, tuple[Callable[[bytes], list[Script]], int]] = {
    "cut": (lambda data: [cut(begun(data, MP4))], 2),
    "cut, with a tag": (lambda data: [cut(begun(data, TAGGED)), rest(data)], 1),
    "cut, then another": (lambda data: [cut(begun(data, TAGGED))], 2),
    "stalled": (lambda data: [then_hang(begun(data, MP4))], 2),
    "short": (lambda data: [answer(200, data[:-100], MP4)], 2),
    "short, unannounced": (lambda data: [unannounced(data[: len(data) // 2])], 2),
    "too long": (lambda data: [unannounced(data + b"\0\0")], 2),
}
AT_ONCE: dict[str, tuple[Callable[[bytes], list[Script]], int]] = {
    "empty": (lambda _: [answer(200, b"", MP4)], 2),
    "json": (lambda _: [answer(200, {"error": {"message": "no"}})], 2),
    "html": (lambda _: [answer(200, b"<html>", {"Content-Type": "text/html"})], 2),
    "html called a video": (lambda _: [answer(200, b"<html>" * 99, MP4)], 2),
    "noise": (lambda data: [answer(200, bytes(len(data)), MP4)], 2),
    "broken gzip": (lambda data: [answer(200, data, {**MP4, "Content-Encoding": "gzip"})], 2),
    "5xx": (lambda _: [answer(status, {}) for status in (500, 502, 503)], 4),
    "refused": (lambda _: [answer(status, {}) for status in (401, 403, 429, 418)], 5),
    "nothing": (lambda _: [drop], 2),
    "redirected to nowhere": (lambda _: [answer(302, b"", {"Location": "http://127.0.0.1:9/x"})], 2),
}
DOWNLOADS = IN_THE_MIDDLE | AT_ONCE


@pytest.mark.parametrize("fault", DOWNLOADS)
async def test_a_download_that_breaks_ends_archived(sink: Sink, provider: Callable[..., Any], fault: str) -> None:
    (scripts, tries), data = DOWNLOADS[fault], LARGE if fault in IN_THE_MIDDLE else SMALL
    api = await provider(*scripts(data), answer(200, data, TAGGED))
    assert len(await until_archived(sink, api, data)) == tries


async def test_a_provider_that_asks_to_wait_is_left_alone_so_long_but_not_until_the_video_is_gone(
    sink: Sink, provider: Callable[..., Any]
) -> None:
    asked = [answer(429, {}, {"Retry-After": "77"}), answer(503, {}, {"Retry-After": "86400"})]
    api = await provider(*asked, answer(200, SMALL, MP4))
    assert [each.due_in_s for each in (await until_archived(sink, api, SMALL))[:2]] == [77, 300]


@each_size
async def test_a_name_taken_by_our_own_bytes_is_done_and_by_others_stands_beside(
    sink: Sink, provider: Callable[..., Any], data: bytes
) -> None:
    api = await provider(answer(200, data, MP4))
    await until_archived(sink, api, data)
    gone = await provider(answer(404, {}))
    assert (await tried(sink, gone, finished())).event is Event.ARCHIVED

    await sink.write("c/a.mp4", b"somebody's", "video/mp4")
    item = finished()
    other = Item(item.ref._replace(batch="c"), *[getattr(item, name) for name in Item.__slots__[1:]])
    assert (await tried(sink, api, other)).event is Event.ARCHIVED
    assert await sink.read("c/a.mp4") == b"somebody's"
    assert sorted([name async for name in sink.names("c")]) == ["a.mp4", "a.video_1.json", "a.video_1.mp4"]


async def test_what_never_comes_whole_ends_with_its_reason(sink: Sink, provider: Callable[..., Any]) -> None:
    """An hour past its deadline; one whose provider cannot be asked is waited for as long again."""
    for script, reason, late_s in (
        (answer(200, SMALL[:-100], MP4), "unreadable", 3600 + 3700),
        (answer(200, {"error": {}}), "unreadable", 3600 + 3700),
        (answer(403, {}), "unreached", 3600 + 86_500),
        (answer(404, {}), "expired", 3700),
    ):
        lost = await tried(sink, await provider(script), finished(), NOW + late_s)
        assert (lost.event, lost.item["reason"]) == (Event.LOST, reason)
        assert [name async for name in sink.names("b")] == []
