"""A poster stands beside its video where the provider has one; without one, or with a broken one, nothing is lost."""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
import struct
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from PIL.JpegImagePlugin import JpegImageFile

from orchestrator.items.states import Event, State
from orchestrator.ledger.keys import Ref
from orchestrator.ledger.records import Attempt, Item, Spec
from tests.ledger import deployment
from tests.workers.test_filing import Keeping
from workers import patience
from workers.archiving.archive import _decide
from workers.archiving.poster import POSTER_LIMIT, NotAPicture, kind_of, poster
from workers.archiving.reuse import reuse
from workers.identity.credentials import ApiKey
from workers.patience import Patience
from workers.sinks.directory import DirectorySink
from workers.station import Line, Station
from workers.video_api import Content, Missing, Order, RemoteStatus, connect

pytestmark = pytest.mark.asyncio

NOW = 1_790_000_000.0


def picture(kind: str = "JPEG", size: tuple[int, int] = (64, 36)) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", size, (180, 120, 60)).save(file, kind)
    return file.getvalue()


def item(content_id: str = "video_1", **fields: str) -> Item:
    spec = Spec("hero", "a boat", "sora-2", "1280x720", 4, "v1:x", {})
    made = Attempt.parse(1, {"deployment": "east", "scope": "s", "remote_id": content_id, "price": "400000"})
    facts = {"content_id": content_id, **fields}
    return Item(Ref("spring", "hero"), State.ARCHIVING, 5, spec, 1, made, None, None, "east", facts)


class Thumbnails:
    """Answers every question for a thumbnail with the same bytes, or raises; counts the questions."""

    def __init__(self, data: bytes | Exception, content_type: str = "image/jpeg", length: int | None = None) -> None:
        self.data, self.content_type, self.length, self.asked = data, content_type, length, 0
        self.stalls = False

    @asynccontextmanager
    async def thumbnail(self, content_id: str) -> AsyncIterator[Content]:
        self.asked += 1
        if isinstance(self.data, Exception):
            raise self.data
        data = self.data

        async def chunks() -> AsyncIterator[bytes]:
            for start in range(0, len(data), 65536):
                yield data[start : start + 65536]
            if self.stalls:
                await asyncio.Event().wait()

        yield Content(self.length, self.content_type, None, chunks())


async def kept(tmp_path: Path, provider: Thumbnails, **fields: str) -> str | None:
    api: Any = provider
    found = await poster(DirectorySink(tmp_path), api, item(**fields), "spring/hero.mp4", Patience())
    return found.name if found else None


@pytest.mark.parametrize(("kind", "name"), [("JPEG", "hero.jpg"), ("WEBP", "hero.webp"), ("PNG", "hero.png")])
async def test_a_poster_is_named_by_what_its_bytes_are(tmp_path: Path, kind: str, name: str) -> None:
    """And not by what the server calls them."""
    assert await kept(tmp_path, Thumbnails(picture(kind), "application/octet-stream")) == name
    assert (tmp_path / "spring" / name).read_bytes() == picture(kind)


async def test_a_poster_stands_beside_a_video_whose_name_was_taken(tmp_path: Path) -> None:
    api: Any = Thumbnails(picture())
    found = await poster(DirectorySink(tmp_path), api, item(), "spring/hero.video_1.mp4", Patience())
    assert found is not None
    assert found.name == "hero.video_1.jpg"


@pytest.mark.parametrize("noted", [True, False])
async def test_somebody_else_s_picture_stays_and_ours_stands_beside_it(tmp_path: Path, noted: bool) -> None:
    theirs = tmp_path / "spring/hero.jpg"
    theirs.parent.mkdir()
    theirs.write_bytes(b"a still from the shoot")
    if noted:
        await DirectorySink(tmp_path).probe()
    for _ in range(2):
        assert await kept(tmp_path, Thumbnails(picture())) == "hero.video_1.jpg"
    assert theirs.read_bytes() == b"a still from the shoot"


async def test_a_poster_of_an_earlier_try_is_replaced(tmp_path: Path) -> None:
    """The receipt of this try says what stands there."""
    sink: Any = DirectorySink(tmp_path)
    for data in (picture(), picture(size=(32, 18))):
        api: Any = Thumbnails(data)
        found = await poster(sink, api, item(), "spring/hero.mp4", Patience())
        assert found is not None
        assert (tmp_path / "spring" / found.name).read_bytes() == data
        assert (found.name, found.sha256) == ("hero.jpg", hashlib.sha256(data).hexdigest())


async def test_where_all_is_kept_an_earlier_try_s_other_picture_is_left_to_itself(tmp_path: Path) -> None:
    for data, name in ((picture(), "hero.jpg"), (picture(), "hero.jpg"), (picture(size=(32, 18)), "hero.video_1.jpg")):
        api: Any = Thumbnails(data)
        found = await poster(Keeping(tmp_path), api, item(), "spring/hero.mp4", Patience())
        assert found is not None
        assert (found.name, found.sha256) == (name, hashlib.sha256(data).hexdigest())


@pytest.mark.parametrize(
    "provider",
    [
        Thumbnails(Missing("no such route", status=404)),
        Thumbnails(b"ftypisom" * 4096, "video/mp4"),  # a server that passes `variant` over
        Thumbnails(b"<html>not found</html>", "image/jpeg"),
        Thumbnails(picture()[:-200], "image/jpeg"),
        Thumbnails(picture(), length=len(picture()) + 1),
        Thumbnails(b"\xff\xd8\xff" + bytes(POSTER_LIMIT), "image/jpeg"),
        Thumbnails(b""),
    ],
    ids=["absent", "the video", "a page", "cut", "short", "huge", "empty"],
)
async def test_what_is_no_picture_is_not_kept(tmp_path: Path, provider: Thumbnails) -> None:
    assert await kept(tmp_path, provider) is None
    assert not list(tmp_path.rglob("hero*"))


@pytest.mark.parametrize("fault", [RuntimeError("can't start new thread"), MemoryError(), struct.error("short")])
async def test_no_fault_that_nobody_foresaw_keeps_a_video_from_its_receipt(tmp_path: Path, fault: Exception) -> None:
    assert await kept(tmp_path, Thumbnails(fault)) is None


async def test_a_server_that_stalls_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "MOST_S", 0.05)
    provider = Thumbnails(picture())
    provider.stalls = True
    assert await kept(tmp_path, provider) is None


async def test_an_archiving_that_is_tried_again_and_again_asks_for_no_poster_any_more(tmp_path: Path) -> None:
    provider = Thumbnails(picture())
    assert await kept(tmp_path, provider, archive_tries="3") is None
    assert provider.asked == 0


async def test_a_picture_that_unfolds_to_too_much_is_refused() -> None:
    assert kind_of(picture("PNG", (3840, 2160))) == "PNG"
    with pytest.raises(NotAPicture, match="4000x2300"):
        kind_of(picture("PNG", (4000, 2300)))


async def test_pictures_are_unfolded_one_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Four at once would hold four times the memory."""
    now, most, loads = 0, 0, Image.Image.load

    def load(self: Any) -> Any:
        nonlocal now, most
        now += 1
        most = max(most, now)
        threading.Event().wait(0.02)
        now -= 1
        return loads(self)

    monkeypatch.setattr(JpegImageFile, "load", load)
    kinds = await asyncio.gather(*(asyncio.to_thread(kind_of, picture()) for _ in range(4)))
    assert (kinds, most) == (["JPEG"] * 4, 1)


@pytest.mark.parametrize(("api", "name", "kind"), [("videos", "hero.webp", "WEBP"), ("jobs", "hero.jpg", "JPEG")])
async def test_both_apis_give_a_poster_and_the_receipt_names_it(
    tmp_path: Path, sandbox: Callable[..., Awaitable[Any]], api: Any, name: str, kind: str
) -> None:
    """Sora 2 by `variant=thumbnail`, Sora 1 by its own route."""
    server = await sandbox(render_s=(0.01, 0.02))
    async with connect(api, server.url, ApiKey("k"), create_timeout_s=30, read_timeout_s=30) as client:
        model = "sora-2" if api == "videos" else "sora"
        size = "1280x720" if api == "videos" else "480x480"
        made: Any = await client.create(Order("a boat", model, size, 4), send_by=float("inf"))
        job = await client.get(made.job.remote_id)
        while job.status is not RemoteStatus.SUCCEEDED:
            job = await client.get(made.job.remote_id)
        nothing: Any = None
        line = Line(deployment(api=api), client)
        station = Station(nothing, {"east": line}, DirectorySink(tmp_path), lambda: NOW, lambda _: None, 30.0)
        decided = await _decide(station, item(job.content_ids[0]))
    assert (decided.event, decided.item["poster"]) == (Event.ARCHIVED, name)
    paper, still = json.loads((tmp_path / "spring/hero.json").read_text()), (tmp_path / "spring" / name).read_bytes()
    assert (paper["poster"], paper["poster_sha256"]) == (name, hashlib.sha256(still).hexdigest())
    assert kind_of(still) == kind


async def test_a_video_that_is_used_again_takes_its_poster_along(tmp_path: Path) -> None:
    folder = tmp_path / "winter"
    folder.mkdir()
    (folder / "boat.mp4").write_bytes(b"whole")
    paper = {"fingerprint": "v1:x", "remote_id": "video_9", "bytes": 5, "sha256": "0", "url": "file:///x",
             "mismatch": [], "video": {"duration_s": 4.0}, "archived_at": "",
             "poster": "boat.webp", "file": "boat.mp4"}  # fmt: skip
    (folder / "boat.json").write_text(json.dumps(paper))
    decided = await reuse(DirectorySink(tmp_path), item(reused="winter/boat.mp4"))
    assert decided.item["poster"] == "../winter/boat.webp"
