"""Input images: kept in the archive under their hash, so that a worker on any machine can send them.

`ARCHIVE/BATCH/inputs/SHA256`. They are put there before a row is queued, once for each content.
"""

from __future__ import annotations

import asyncio
import dataclasses
import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from manifests import Item as ManifestItem
from manifests.checking.image import LARGEST
from manifests.checking.picture import what_is_wrong
from workers.reach import Reach
from workers.rendering.fetching import Fetcher, Unfetchable, shown
from workers.sinks import Sink, WriteRefused
from workers.video_api import Image


class InputUnusable(Exception):
    """An input image cannot be fetched or is no image that the API takes. The text names it and says why."""


async def store_images(
    references: Iterable[str], sink: Sink, batch: str, *, allow: Sequence[str] = ()
) -> dict[str, str]:
    """Put every image into the archive; reference → hex SHA-256 of its bytes.

    One given by URL is fetched here, so that what is rendered is what was there at submit. `allow`: what may be fetched
    from besides public addresses (`workers.reach`). Raises InputUnusable, and ArchiveError where the archive cannot
    take it.
    """
    hashes = {}
    async with Fetcher(Reach(allow), most=LARGEST) as fetcher:
        for reference in references:
            data = await _bytes_of(reference, fetcher)
            _, content_type = _kind(data, shown(reference))
            hashes[reference] = hashlib.sha256(data).hexdigest()
            await _store(sink, _name(batch, hashes[reference]), data, content_type)
    return hashes


async def _store(sink: Sink, name: str, data: bytes, content_type: str) -> None:
    """One that stands there already is as good: an archive may keep what it has, or an answer was lost."""
    try:
        await sink.write(name, data, content_type, replace=False)
    except WriteRefused:
        there = await sink.stat(name)
        if there is None or there.md5 != hashlib.md5(data, usedforsecurity=False).digest():
            await sink.write(name, data, content_type)


async def image_hashes(references: Iterable[str], *, allow: Sequence[str] = ()) -> dict[str, str]:
    """Reference → hex SHA-256 of its bytes, with nothing kept. Raises InputUnusable."""
    async with Fetcher(Reach(allow), most=LARGEST) as fetcher:
        return {each: hashlib.sha256(await _bytes_of(each, fetcher)).hexdigest() for each in references}


def with_images(items: Iterable[ManifestItem], hashes: Mapping[str, str]) -> Iterator[ManifestItem]:
    """The items as they come, each naming the image that was stored for it."""
    for item in items:
        if item.input_reference is None:
            yield item
        else:
            yield dataclasses.replace(item, image_sha256=hashes[item.input_reference])


async def stored_image(sink: Sink, batch: str, sha256: str) -> Image:
    """The image as it was stored at submit. Raises ArchiveError when it cannot be read."""
    data = await sink.read(_name(batch, sha256))
    extension, content_type = _kind(data, sha256)
    return Image(f"{sha256[:16]}.{extension}", content_type, data)


def _name(batch: str, sha256: str) -> str:
    return f"{batch}/inputs/{sha256}"


def _kind(data: bytes, place: str) -> tuple[str, str]:
    """(extension, media type) by the first bytes."""
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "png", "image/png"
    if data.startswith(b"\xff\xd8\xff"):
        return "jpg", "image/jpeg"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "webp", "image/webp"
    raise InputUnusable(f"{place} is not a jpeg, png or webp image")


async def _bytes_of(reference: str, fetcher: Fetcher) -> bytes:
    """A local image was looked at as the manifest was read; one from elsewhere is looked at here."""
    if not reference.lower().startswith(("http://", "https://")):
        return await asyncio.to_thread(_read, Path(reference))
    try:
        data = await fetcher.fetch(reference)
    except Unfetchable as error:
        raise InputUnusable(f"{shown(reference)} cannot be fetched: {error}") from None
    wrong = await asyncio.to_thread(what_is_wrong, data)
    if wrong is not None:
        raise InputUnusable(f"{shown(reference)} {wrong}")
    return data


def _read(path: Path) -> bytes:
    """A file that may have changed since it was looked at."""
    with path.open("rb") as stream:
        data = stream.read(LARGEST + 1)
    if len(data) > LARGEST:
        raise InputUnusable(f"{path} is over {LARGEST >> 20} MiB")
    return data
