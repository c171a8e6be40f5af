"""An archived batch read back against its receipts, in each kind of archive."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, cast

import pytest

from orchestrator.ledger.keys import Ref
from tests.workers.sinks.streams import stream
from tests.workers.test_delivery import Provider, film, finished
from workers.archiving.delivery import deliver
from workers.archiving.receipt import receipt, receipt_name
from workers.archiving.verdict import Verdict
from workers.archiving.verification import Verification
from workers.sinks import Sink
from workers.sinks.directory import DirectorySink

FILM = film()


async def archived(sink: Sink, key: str, **more: Any) -> str:
    """Archive a real film as the archive step does; its name."""
    item = finished(f"video_{key}")
    spec = dataclasses.replace(item.spec, key=key.partition("~")[0])
    item = dataclasses.replace(item, ref=Ref("spring", key), spec=spec)
    delivery = await deliver(sink, Provider(FILM), item)  # type: ignore[arg-type]
    paper = json.loads(receipt(item, delivery, 1_790_000_000.0).dump()) | more
    await sink.write(receipt_name(delivery.name), json.dumps(paper).encode(), "application/json")
    return delivery.name


async def reported(sink: Sink, *keys: str) -> None:
    """Write the documents of a batch of these rows."""
    rows = []
    for key in keys:
        paper = json.loads(await sink.read(f"spring/{key}.json"))
        rows.append({"key": key, "state": "archived", **{name: paper[name] for name in ("url", "bytes", "sha256")}})
    rows.append({"key": "lost", "state": "failed", "url": None})
    text = "".join(json.dumps(row) + "\n" for row in rows)
    await sink.write("spring/results.jsonl", text.encode(), "application/jsonl")
    await sink.write("spring/results.csv", b"key\r\n", "text/csv")
    await sink.write("spring/index.html", b"<html>", "text/html")


async def overwritten(sink: Sink, name: str, data: bytes, content_type: str = "video/mp4") -> None:
    """Write other bytes under a name, as somebody else may."""
    await sink.save(name, stream(data), content_type=content_type, metadata={}, claim="other", replace=True)


async def verdict(sink: Sink, *, quick: bool = False) -> Verdict:
    found = await Verification(sink, "spring", quick=quick, progress=lambda *_: None).run()
    assert found is not None
    return found


@pytest.mark.parametrize("quick", [False, True])
async def test_a_batch_as_it_was_archived_is_sound(sink: Sink, quick: bool) -> None:
    for key in ("hero", "hero~2", "mug-oak"):
        await archived(sink, key)
    await reported(sink, "hero", "hero~2", "mug-oak")
    found = await verdict(sink, quick=quick)
    assert found.sound, found
    assert (found.checked, found.read, found.by_length) == (3, 0 if quick else 3 * len(FILM), 0)


async def test_a_batch_that_is_not_there_is_told_from_one_that_is_empty(sink: Sink) -> None:
    assert await Verification(sink, "autumn", quick=True, progress=lambda *_: None).run() is None


async def test_one_changed_byte_is_found_by_reading_and_not_by_properties(sink: Sink) -> None:
    """A copy that was written with the old properties looks the same from outside."""
    name = await archived(sink, "hero")
    other = bytearray(FILM)
    other[-1] ^= 1
    paper = json.loads(await sink.read("spring/hero.json"))
    await overwritten(sink, name, bytes(other))
    there = await sink.stat(name)
    assert there is not None
    await sink.write("spring/hero.json", json.dumps(paper | {"md5": (there.md5 or b"").hex()}).encode(), "text/plain")
    assert (await verdict(sink, quick=True)).sound
    assert (await verdict(sink)).changed == {"hero.mp4": "its bytes have another SHA-256"}


@pytest.mark.parametrize("quick", [False, True])
async def test_what_is_missing_changed_and_extra_is_named(sink: Sink, quick: bool) -> None:
    for key in ("cut", "other", "posed", "whole"):
        await archived(sink, key)
    await archived(sink, "poster", poster="poster.webp")
    await sink.write("spring/poster.webp", b"webp", "image/webp")
    await archived(sink, "faceless", poster="faceless.jpg")
    ghost = json.loads(await sink.read("spring/whole.json")) | {"file": "ghost.mp4"}
    await sink.write("spring/ghost.json", json.dumps(ghost).encode(), "application/json")
    await overwritten(sink, "spring/cut.mp4", FILM[:-10])
    await overwritten(sink, "spring/other.mp4", FILM[::-1])
    await overwritten(sink, "spring/posed.mp4", FILM, "text/html")
    await overwritten(sink, "spring/stranger.mp4", FILM)
    await sink.write("spring/notes.json", b"[]", "application/json")
    await sink.write("spring/drafts/one.txt", b"x", "text/plain")
    found = await verdict(sink, quick=quick)
    assert sorted(found.missing) == ["faceless.jpg", "ghost.mp4"]
    assert found.changed == {
        "cut.mp4": f"it has {len(FILM) - 10} bytes instead of {len(FILM)}",
        "other.mp4": "another MD5 is recorded with it" if quick else "its bytes have another SHA-256",
        "posed.mp4": "it is served as text/html instead of video/mp4",
    }
    assert sorted(found.extra) == ["drafts/", "notes.json", "stranger.mp4"]
    assert found.checked == 7


async def test_a_video_beside_a_taken_name_and_one_of_another_batch_are_known(sink: Sink) -> None:
    await overwritten(sink, "spring/hero.mp4", b"somebody else's")
    assert await archived(sink, "hero") == "spring/hero.video_hero.mp4"
    await overwritten(sink, "winter/old.mp4", FILM)
    paper = json.loads(await sink.read("spring/hero.video_hero.json"))
    reused = paper | {"file": "../winter/old.mp4", "reused": "winter/old.mp4", "key": "again", "poster": "old.jpg"}
    await sink.write("spring/again.json", json.dumps(reused).encode(), "application/json")
    found = await verdict(sink)
    assert (found.missing, found.changed, sorted(found.extra)) == ({}, {}, ["hero.mp4"])
    await overwritten(sink, "winter/old.mp4", FILM[:-1])
    assert list((await verdict(sink)).changed) == ["../winter/old.mp4"]


async def test_what_is_gone_together_with_its_receipt_is_known_from_the_results(sink: Sink) -> None:
    for key in ("stays", "unsigned", "gone"):
        await archived(sink, key)
    await reported(sink, "stays", "unsigned", "gone")
    papers = {key: await sink.read(f"spring/{key}.json") for key in ("stays", "unsigned", "gone")}
    fresh = "summer"  # the same results, copied to where two receipts and one video did not come along
    for name in ("stays.json", "results.jsonl", "results.csv", "index.html"):
        await sink.write(f"{fresh}/{name}", await sink.read(f"spring/{name}"), "text/plain")
    for name in ("stays.mp4", "unsigned.mp4"):
        await overwritten(sink, f"{fresh}/{name}", FILM)
    text = (await sink.read(f"{fresh}/results.jsonl")).replace(b"/spring/", b"/summer/")
    await sink.write(f"{fresh}/results.jsonl", text, "application/jsonl")
    found = await Verification(sink, fresh, quick=False, progress=lambda *_: None).run()
    assert found is not None
    assert sorted(found.missing) == ["gone.json", "gone.mp4", "unsigned.json"]
    assert (found.changed, found.extra, found.checked) == ({}, {}, 3)

    forged = json.loads(papers["stays"]) | {"sha256": "0" * 64}
    await sink.write("spring/stays.json", json.dumps(forged).encode(), "application/json")
    assert sorted((await verdict(sink, quick=True)).changed) == ["stays.json"]


async def test_broken_papers_are_changed_and_documents_stand_together(sink: Sink) -> None:
    await archived(sink, "hero")
    await reported(sink, "hero")
    await sink.write("spring/hero.json", b"{}", "application/json")
    assert list((await verdict(sink)).changed) == ["hero.json"]
    await sink.write("spring/results.jsonl", b"[1]\n", "application/jsonl")
    assert sorted((await verdict(sink)).changed) == ["hero.json", "results.jsonl"]
    await sink.write("winter/results.csv", b"", "text/csv")
    found = await Verification(sink, "winter", quick=True, progress=lambda *_: None).run()
    assert found is not None
    assert sorted(found.missing) == ["index.html", "results.jsonl"]


async def test_where_nothing_is_rewritten_the_newest_edition_counts_and_receipts_may_stand_apart(sink: Sink) -> None:
    await archived(sink, "hero")
    await archived(sink, "late")
    await reported(sink, "hero")
    for number in (2, 10):
        await sink.write(f"spring/results.{number}.csv", b"", "text/csv")
        await sink.write(f"spring/index.{number}.html", b"", "text/html")
    await sink.write("spring/results.2.jsonl", b"no more", "application/jsonl")
    text = await sink.read("spring/results.jsonl")
    paper = json.loads(await sink.read("spring/late.json")) | {"key": "gone"}
    gone = {"key": "gone", "state": "archived", "url": f"{sink.url}spring/gone.mp4", "bytes": 1, "sha256": "0"}
    await sink.write("spring/results.10.jsonl", text + json.dumps(gone).encode(), "application/jsonl")
    await sink.write("spring/late.video_late.json", json.dumps(paper).encode(), "application/json")
    found = await verdict(sink)
    assert (sorted(found.missing), found.changed, found.extra) == (["gone.json", "gone.mp4"], {}, {})


class Moving:
    """An archive in which something is done right after its folder was listed for the first time."""

    def __init__(self, sink: Sink, then: Callable[[], Awaitable[None]]) -> None:
        self._sink, self._then, self._listed = sink, then, False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sink, name)

    async def names(self, folder: str = "", *, folders: bool = False) -> AsyncIterator[str]:
        async for name in self._sink.names(folder, folders=folders):
            yield name
        if not self._listed:
            self._listed = True
            await self._then()


async def test_what_a_running_batch_archives_meanwhile_is_not_missed(sink: Sink) -> None:
    """A video that came with its poster, and one that the results name by now."""
    await archived(sink, "hero")
    await reported(sink, "hero")

    async def more() -> None:
        await sink.write("spring/late.webp", b"a picture", "image/webp")
        await archived(sink, "late", poster="late.webp")
        await reported(sink, "hero", "late")

    found = await verdict(cast("Sink", Moving(sink, more)))
    assert found.sound, found
    assert found.checked == 2


async def test_an_input_image_is_checked_by_its_name(sink: Sink) -> None:
    await archived(sink, "hero")
    name = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"  # of "foo"
    await sink.write(f"spring/inputs/{name}", b"foo", "image/png")
    assert (await verdict(sink)).sound
    await sink.write(f"spring/inputs/{name}", b"bar", "image/png")
    assert list((await verdict(sink)).changed) == [f"inputs/{name}"]


@pytest.mark.parametrize("quick", [False, True])
async def test_a_poster_with_other_bytes_is_found_where_its_receipt_has_their_hash(sink: Sink, quick: bool) -> None:
    """Receipts of older releases have none: there it has to stand, and no more."""
    known = hashlib.sha256(b"still").hexdigest()
    await archived(sink, "hero", poster="hero.webp", poster_sha256=known)
    await archived(sink, "older", poster="older.webp")
    for name in ("hero", "older"):
        await sink.write(f"spring/{name}.webp", b"still", "image/webp")
    assert (await verdict(sink, quick=quick)).sound
    for name in ("hero", "older"):
        await sink.write(f"spring/{name}.webp", b"other", "image/webp")
    changed = {"hero.webp": "the poster has another SHA-256 than its receipt says"}
    assert (await verdict(sink, quick=quick)).changed == ({} if quick else changed)


async def test_somebody_s_own_files_under_our_names_are_extra(sink: Sink) -> None:
    """Ours stand beside them, and are what is verified."""
    await archived(sink, "hero")
    paper = await sink.read("spring/hero.json")
    await sink.write("spring/hero.video_hero.json", paper, "application/json")
    await sink.write("spring/hero.json", b'{"shot": 12}', "application/json")
    if isinstance(sink, DirectorySink):
        await sink.probe()
        (Path(sink.url.removeprefix("file://")) / "spring/index.html").write_text("<html>ours")
    else:
        blobs: Any = sink
        await blobs._blob("spring/index.html").upload_blob(b"<html>ours")
    found = await verdict(sink)
    assert (found.checked, found.missing, found.changed) == (1, {}, {})
    assert set(found.extra) == {"hero.json", "index.html"}
