"""Input images: kept in the archive under their hash, so that a worker on any machine can send them.

`ARCHIVE/BATCH/inputs/SHA256.png`. They are put there before a row is queued, once for each content.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import AsyncIterator, Iterable
from pathlib import Path

import httpx

from manifests import Item as ManifestItem
from workers.sinks import Sink
from workers.video_api import Image

MAX_BYTES = 20 * 1024 * 1024
_KINDS = ((b"\x89PNG", "png", "image/png"), (b"\xff\xd8\xff", "jpg", "image/jpeg"), (b"RIFF", "webp", "image/webp"))


class InputUnusable(Exception):
    """An input image cannot be fetched or is no image that the API takes. The text names it and says why."""


async def stored(items: Iterable[ManifestItem], sink: Sink, batch: str) -> AsyncIterator[ManifestItem]:
    """The items as they come, each image put into the archive before its item is handed on.

    An image given by URL is fetched here, so that what is rendered is what was there at submit; its hash becomes
    part of the item. Raises InputUnusable, and ArchiveError where the archive cannot take it.
    """
    there: dict[str, str] = {}
    for item in items:
        if item.input_reference is None:
            yield item
            continue
        sha256 = there.get(item.input_reference)
        if sha256 is None:
            data = await _bytes_of(item)
            _, _, content_type = _kind(data, item.input_reference)
            sha256 = hashlib.sha256(data).hexdigest()
            await sink.write(_name(batch, sha256), data, content_type)
            there[item.input_reference] = sha256
        yield dataclasses.replace(item, image_sha256=sha256)


async def stored_image(sink: Sink, batch: str, sha256: str) -> Image:
    """The image as it was stored at submit. Raises ArchiveError when it cannot be read."""
    data = await sink.read(_name(batch, sha256))
    _, extension, content_type = _kind(data, sha256)
    return Image(f"{sha256[:16]}.{extension}", content_type, data)


def _name(batch: str, sha256: str) -> str:
    return f"{batch}/inputs/{sha256}"


def _kind(data: bytes, place: str) -> tuple[bytes, str, str]:
    for kind in _KINDS:
        if data.startswith(kind[0]):
            return kind
    raise InputUnusable(f"{place} is not a jpeg, png or webp image")


async def _bytes_of(item: ManifestItem) -> bytes:
    place = str(item.input_reference)
    if not place.startswith(("http://", "https://")):
        return Path(place).read_bytes()  # noqa: ASYNC240 - at submit, nothing else runs in this loop
    try:
        async with httpx.AsyncClient(timeout=30) as web, web.stream("GET", place) as answer:
            answer.raise_for_status()
            data = bytearray()
            async for chunk in answer.aiter_bytes():
                data += chunk
                if len(data) > MAX_BYTES:
                    raise InputUnusable(f"item {item.key}: {place} is over {MAX_BYTES >> 20} MiB")
    except httpx.HTTPError as error:
        raise InputUnusable(f"item {item.key}: {place} cannot be fetched: {error}") from error
    return bytes(data)
