"""Whole is proven, as ordered is reported (promises 25 and 26): a real directory and a provider in memory."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from orchestrator.items.states import State
from orchestrator.ledger.keys import Ref
from orchestrator.ledger.records import Attempt, Item, Spec
from tests.workers.test_mp4 import credentials
from workers.archiving.delivery import _as_dict, already_there, deliver
from workers.archiving.proof import NotWhole
from workers.archiving.receipt import receipt
from workers.sinks import Stat
from workers.sinks.blob_metadata import from_blob, to_blob
from workers.sinks.directory import DirectorySink
from workers.video_api import Content, Missing, ServerFault

pytestmark = pytest.mark.asyncio


def film(seconds: int = 1, size: tuple[int, int] = (64, 64)) -> bytes:
    """A real H.264 MP4."""
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=8)
        stream.width, stream.height = size
        for number in range(8 * seconds):
            picture = np.full((size[1], size[0], 3), number * 5 % 255, dtype=np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    return file.getvalue()


class Provider:
    """Serves one video; counts how often it is asked for."""

    def __init__(self, data: bytes, *, length: int | None = None, content_type: str = "video/mp4") -> None:
        self.data, self.length, self.content_type, self.asked = data, length, content_type, 0
        self.sent = 0

    @asynccontextmanager
    async def content(self, content_id: str) -> AsyncIterator[Content]:
        self.asked += 1

        async def chunks() -> AsyncIterator[bytes]:
            for start in range(0, len(self.data), 1000):
                self.sent += 1000
                yield self.data[start : start + 1000]

        yield Content(self.length or len(self.data), self.content_type, "req", chunks())


def finished(remote_id: str = "video_1", seconds: int = 1, size: str = "64x64", *, tries: int = 0) -> Item:
    spec = Spec("hero", "prompt", "any", size, seconds, "v1:x", {"market": "Åre"})
    made = Attempt.parse(1, {"deployment": "east", "scope": "s", "remote_id": remote_id})
    fields = {"content_id": remote_id, "archive_tries": str(tries)}
    return Item(Ref("spring", "hero"), State.ARCHIVING, 5, spec, 1, made, None, None, "east", fields)


@pytest.fixture
def sink(tmp_path: Path) -> DirectorySink:
    return DirectorySink(tmp_path)


async def test_a_video_arrives_byte_for_byte(sink: DirectorySink, tmp_path: Path) -> None:
    data = film()
    delivery = await deliver(sink, Provider(data), finished())  # type: ignore[arg-type]
    assert (tmp_path / "spring/hero.mp4").read_bytes() == data
    assert (delivery.name, delivery.bytes, delivery.mismatch) == ("spring/hero.mp4", len(data), ())
    assert (delivery.video.width, delivery.video.height, delivery.video.duration_s) == (64, 64, 1.0)


async def test_a_cut_video_is_refused_and_nothing_of_it_is_seen(sink: DirectorySink, tmp_path: Path) -> None:
    data = film()
    with pytest.raises(NotWhole, match="of .* bytes arrived"):
        await deliver(sink, Provider(data[:-100], length=len(data)), finished())  # type: ignore[arg-type]
    with pytest.raises(NotWhole):
        await deliver(sink, Provider(data[:-100]), finished())  # type: ignore[arg-type]
    assert [p for p in tmp_path.rglob("*") if p.is_file()] == []


async def test_a_video_that_is_not_as_ordered_is_kept_and_the_difference_named(sink: DirectorySink) -> None:
    delivery = await deliver(sink, Provider(film()), finished(seconds=4, size="128x64"))  # type: ignore[arg-type]
    assert delivery.mismatch == ("duration 1.0 s instead of 4 s", "size 64x64 instead of 128x64")


async def test_our_own_bytes_under_the_name_are_found_without_a_second_download(sink: DirectorySink) -> None:
    provider = Provider(film())
    first = await deliver(sink, provider, finished())  # type: ignore[arg-type]
    assert await deliver(sink, provider, finished(tries=1)) == first  # type: ignore[arg-type]
    assert await already_there(sink, finished()) == first
    assert provider.asked == 1


@pytest.mark.parametrize("trouble", [Missing("gone", status=404), ServerFault("oops", status=503)])
async def test_after_a_worker_died_behind_the_bytes_they_are_done_also_where_the_provider_has_none(
    sink: DirectorySink, trouble: Exception
) -> None:
    """Its try was never counted, so the next one is a first one again."""

    class Away:
        @asynccontextmanager
        async def content(self, content_id: str) -> AsyncIterator[Content]:
            raise trouble
            yield

    with pytest.raises(type(trouble)):
        await deliver(sink, Away(), finished())  # type: ignore[arg-type]
    first = await deliver(sink, Provider(film()), finished())  # type: ignore[arg-type]
    assert await deliver(sink, Away(), finished()) == first  # type: ignore[arg-type]


async def test_a_video_that_its_provider_signs_anew_each_time_is_known_as_ours_and_stored_once(
    sink: DirectorySink, tmp_path: Path
) -> None:
    first = await deliver(sink, Provider(film() + credentials()), finished())  # type: ignore[arg-type]
    assert await deliver(sink, Provider(film()), finished()) == first  # type: ignore[arg-type]
    assert [path.name for path in tmp_path.rglob("*.mp4")] == ["hero.mp4"]


async def test_at_a_first_try_the_archive_is_asked_once_when_the_video_stands_there(tmp_path: Path) -> None:
    """Over a long line each question is a wait. By then the bytes are there: no part of the step that is bounded by
    them is held any longer."""
    told: list[str] = []

    class Telling(DirectorySink):
        async def stat(self, name: str) -> Stat | None:
            told.append(f"asked for {name}")
            return await super().stat(name)

    sink = Telling(tmp_path)
    await deliver(sink, Provider(film()), finished(), sent=lambda: told.append("sent"))  # type: ignore[arg-type]
    assert told == ["sent", "asked for spring/hero.mp4"]


async def test_a_video_with_which_a_newer_release_notes_more_is_known_as_ours(
    sink: DirectorySink, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While workers are renewed one may die before its receipt, and the provider's video be gone for the other."""
    monkeypatch.setattr("workers.archiving.delivery._as_dict", lambda video: {**_as_dict(video), "codec": "hvc1"})
    first = await deliver(sink, Provider(film()), finished())  # type: ignore[arg-type]
    assert await already_there(sink, finished()) == first


async def test_other_bytes_under_the_name_stay_and_ours_stand_beside_them(sink: DirectorySink, tmp_path: Path) -> None:
    (tmp_path / "spring").mkdir()
    (tmp_path / "spring/hero.mp4").write_bytes(b"somebody else's")
    data = film()
    delivery = await deliver(sink, Provider(data), finished())  # type: ignore[arg-type]
    assert delivery.name == "spring/hero.video_1.mp4"
    assert (tmp_path / delivery.name).read_bytes() == data
    assert (tmp_path / "spring/hero.mp4").read_bytes() == b"somebody else's"


async def test_another_container_that_is_as_long_as_announced_is_kept_and_named(sink: DirectorySink) -> None:
    riff = b"RIFF" + (1000).to_bytes(4, "little") + b"AVI LIST" + bytes(992)
    delivery = await deliver(sink, Provider(riff, content_type="video/x-msvideo"), finished())  # type: ignore[arg-type]
    assert delivery.mismatch == ("container avi instead of mp4",)


async def test_a_media_type_that_is_no_mp4s_is_named_and_a_player_is_given_a_videos(tmp_path: Path) -> None:
    for called, kept, words in [
        ("video/webm", "video/webm", ("content type video/webm instead of video/mp4",)),
        ("image/webp", "video/mp4", ("content type image/webp instead of video/mp4",)),
        ("application/octet-stream", "video/mp4", ()),
        ("", "video/mp4", ()),
    ]:
        sink = DirectorySink(tmp_path / (called or "none"))
        delivery = await deliver(sink, Provider(film(), content_type=called), finished())  # type: ignore[arg-type]
        assert (delivery.content_type, delivery.mismatch) == (kept, words)
        again = await already_there(sink, finished())
        assert again is not None
        assert again.mismatch == words


async def test_content_credentials_survive_and_the_receipt_says_whether_they_are_there(tmp_path: Path) -> None:
    plain = film()
    signed = plain + credentials()
    for name, data in (("plain", plain), ("signed", signed)):
        sink = DirectorySink(tmp_path / name)
        delivery = await deliver(sink, Provider(data), finished())  # type: ignore[arg-type]
        paper = json.loads(receipt(finished(), delivery, 1_790_000_000.0).dump())
        assert (tmp_path / name / "spring/hero.mp4").read_bytes() == data
        assert (paper["c2pa"], paper["content_type"]) == (name == "signed", "video/mp4")
        assert paper["md5"] == hashlib.md5(data, usedforsecurity=False).hexdigest()


@pytest.mark.parametrize(
    ("seen", "words"),
    [
        ({"bytes": 5}, "has 5 bytes in the archive"),
        ({"md5": bytes(16)}, "another MD5"),
        ({"content_type": "text/plain"}, "is text/plain in the archive"),
        (None, "no such object"),
    ],
)
async def test_what_the_archive_says_after_the_commit_must_be_what_was_sent(
    tmp_path: Path, seen: dict[str, Any] | None, words: str
) -> None:
    """An archive that keeps something else than it was given has no receipt beside it."""

    class Forgetful(DirectorySink):
        async def stat(self, name: str) -> Stat | None:
            there = await super().stat(name)
            return there and seen and dataclasses.replace(there, **seen)

    with pytest.raises(NotWhole, match=words):
        await deliver(Forgetful(tmp_path), Provider(film()), finished())  # type: ignore[arg-type]


async def test_a_video_of_ours_that_was_changed_is_not_taken_for_ours(sink: DirectorySink, tmp_path: Path) -> None:
    data = film()
    await deliver(sink, Provider(data), finished())  # type: ignore[arg-type]
    with (tmp_path / "spring/hero.mp4").open("r+b") as file:  # in place: what was noted with it stays
        file.truncate(100)
    assert await already_there(sink, finished()) is None
    assert (await deliver(sink, Provider(data), finished())).name == "spring/hero.video_1.mp4"  # type: ignore[arg-type]


@pytest.mark.parametrize("start", [b'{"error": "it has expired"}', b"<html>", b"\0\0\0\1junk" * 9, b"no video"])
async def test_bytes_that_cannot_become_a_video_are_not_read_to_their_end(tmp_path: Path, start: bytes) -> None:
    """A server that sends rubbish without end fills no disk."""
    provider = Provider(start + bytes(1_000_000))
    with pytest.raises(NotWhole):
        await deliver(DirectorySink(tmp_path), provider, finished())  # type: ignore[arg-type]
    assert provider.sent <= 2000
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


@pytest.mark.parametrize(
    "labels",
    [
        {"dailies_remote_id": "video_9", "dailies_sha256": "0", "dailies_video": "{}"},
        {"dailies remote id": "video_9", "DAILIES-SHA256": "0", "dailies.video": "x"},
        {f"label {n}": "v" * 190 for n in range(100)},
        {"long": "v" * 20_000},
    ],
    ids=["our names", "nearly our names", "many", "long"],
)
async def test_no_label_pushes_out_what_we_note_with_a_video(tmp_path: Path, labels: dict[str, str]) -> None:
    """By it a video is known as ours after a crash: without it, the same bytes would be stored beside themselves."""
    noted: dict[str, str] = {}

    class Noting(DirectorySink):
        async def save(self, name: str, chunks: AsyncIterator[bytes], **more: Any) -> Any:
            saved = await super().save(name, chunks, **more)
            noted.update(from_blob(to_blob(more["metadata"])))
            return saved

    item = finished()
    item = dataclasses.replace(item, spec=dataclasses.replace(item.spec, labels=labels))
    again = dataclasses.replace(item, fields={**item.fields, "archive_tries": "1"})
    sink, provider = Noting(tmp_path), Provider(film())
    delivery = await deliver(sink, provider, item)  # type: ignore[arg-type]
    assert (noted["dailies_remote_id"], noted["dailies_sha256"]) == ("video_1", delivery.sha256)
    assert noted["dailies_video"].startswith("{")
    assert await deliver(sink, provider, again) == delivery  # type: ignore[arg-type]
    assert provider.asked == 1
