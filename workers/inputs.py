"""Input images: kept in the archive under their hash, so that a worker on any machine can send them.

`ARCHIVE/BATCH/inputs/SHA256`. They are put there before a row is queued, once for each content.
"""

from __future__ import annotations

import asyncio
import dataclasses
import hashlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import httpx

from manifests import Item as ManifestItem
from workers.sinks import Sink
from workers.video_api import Image

MAX_BYTES = 20 * 1024 * 1024
_KINDS = ((b"\x89PNG", "png", "image/png"), (b"\xff\xd8\xff", "jpg", "image/jpeg"), (b"RIFF", "webp", "image/webp"))


class InputUnusable(Exception):
    """An input image cannot be fetched or is no image that the API takes. The text names it and says why."""


async def store_images(references: Iterable[str], sink: Sink, batch: str) -> dict[str, str]:
    """Put every image into the archive; reference → hex SHA-256 of its bytes.

    One given by URL is fetched here, so that what is rendered is what was there at submit. Raises InputUnusable, and
    ArchiveError where the archive cannot take it.
    """
    hashes = {}
    for reference in references:
        data = await _bytes_of(reference)
        _, _, content_type = _kind(data, reference)
        hashes[reference] = hashlib.sha256(data).hexdigest()
        await sink.write(_name(batch, hashes[reference]), data, content_type)
    return hashes


async def image_hashes(references: Iterable[str]) -> dict[str, str]:
    """Reference → hex SHA-256 of its bytes, with nothing kept. Raises InputUnusable."""
    return {reference: hashlib.sha256(await _bytes_of(reference)).hexdigest() for reference in references}


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
    _, extension, content_type = _kind(data, sha256)
    return Image(f"{sha256[:16]}.{extension}", content_type, data)


def _name(batch: str, sha256: str) -> str:
    return f"{batch}/inputs/{sha256}"


def _kind(data: bytes, place: str) -> tuple[bytes, str, str]:
    for kind in _KINDS:
        if data.startswith(kind[0]):
            return kind
    raise InputUnusable(f"{place} is not a jpeg, png or webp image")


async def _bytes_of(reference: str) -> bytes:
    if not reference.startswith(("http://", "https://")):
        return await asyncio.to_thread(Path(reference).read_bytes)
    try:
        async with httpx.AsyncClient(timeout=30) as web, web.stream("GET", reference) as answer:
            answer.raise_for_status()
            data = bytearray()
            async for chunk in answer.aiter_bytes():
                data += chunk
                if len(data) > MAX_BYTES:
                    raise InputUnusable(f"{reference} is over {MAX_BYTES >> 20} MiB")
    except httpx.HTTPError as error:
        raise InputUnusable(f"{reference} cannot be fetched: {error}") from error
    return bytes(data)
