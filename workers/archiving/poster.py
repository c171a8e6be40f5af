"""The poster: a still picture of a video, from the provider where it has one, kept beside the video in the archive.

It is a kindness, never a condition: whatever goes wrong with it is told in the log, and the video is archived all the
same. It is asked for once the video is proven, and waited for as long as the deployment's posters deserve
(`workers/patience.py`).
"""

from __future__ import annotations

import asyncio
import hashlib
import io
import threading
from collections.abc import Iterator
from dataclasses import dataclass

import structlog
from PIL import Image, UnidentifiedImageError

from orchestrator.ledger.records import Item
from workers.archiving.delivery import second_name
from workers.patience import Patience
from workers.sinks import ArchiveError, Sink, WriteRefused
from workers.video_api import ApiError, Missing, VideoApi

log = structlog.get_logger("workers.archiving.poster")

#: The largest (bytes): a 1080p still of the best quality is a tenth of it.
POSTER_LIMIT = 4 * 1024 * 1024
#: The most pixels: what a picture of a few kilobytes may claim to unfold to. A still of 4K has 8.3 million, and
#: unfolds to 33 MB, and one is unfolded at a time.
PIXEL_LIMIT = 9_000_000
_ONE_AT_A_TIME = threading.Lock()
#: What is taken as a poster: the word for its type, and how its name ends.
KINDS = {"JPEG": ("image/jpeg", ".jpg"), "WEBP": ("image/webp", ".webp"), "PNG": ("image/png", ".png")}
#: An archiving that was postponed so often asks for no poster any more, so that none is asked for without end.
TRIES = 3


@dataclass(frozen=True, slots=True)
class Poster:
    """A poster that is kept: its name beside the video, and the SHA-256 of its bytes, in hex."""

    name: str
    sha256: str


async def poster(sink: Sink, api: VideoApi, item: Item, video: str, patience: Patience) -> Poster | None:
    """Keep the poster of a video whose name in the archive is `video`. None without one."""
    if int(item.fields.get("archive_tries") or 0) >= TRIES:
        return None
    try:
        with patience.waiting() as longest_s:
            async with asyncio.timeout(longest_s):
                picture = await _fetched(api, item.fields["content_id"])
                kind = None if picture is None else await asyncio.to_thread(kind_of, picture)
        if picture is None or kind is None:
            return None
        return await _kept(sink, item, video, picture, *KINDS[kind])
    except Missing:
        log.debug("poster.is_not_offered")
    except (ApiError, ArchiveError, NotAPicture, TimeoutError) as error:
        log.info("poster.was_not_kept", error=str(error) or f"it took more than {longest_s:.1f} s")
    except Exception:  # a picture that no decoder foresaw costs no video that was paid for
        log.exception("poster.failed")
    return None


class NotAPicture(Exception):
    """What the provider sent for a poster is none; the text says what is wrong."""


def kind_of(data: bytes) -> str:
    """JPEG, WEBP or PNG, by the bytes themselves, which are decoded whole. Raises NotAPicture."""
    try:
        with _ONE_AT_A_TIME, Image.open(io.BytesIO(data), formats=tuple(KINDS)) as picture:
            kind, (width, height) = str(picture.format), picture.size
            if width * height > PIXEL_LIMIT:
                raise NotAPicture(f"a picture of {width}x{height} is no poster")
            picture.load()
    except UnidentifiedImageError:
        raise NotAPicture("what was sent is neither JPEG nor WebP nor PNG") from None
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise NotAPicture(f"the picture cannot be read: {error}") from None
    return kind


async def _fetched(api: VideoApi, content_id: str) -> bytes | None:
    """The picture's bytes; None where a server that knows no thumbnails sends the video in its place."""
    data = bytearray()
    async with api.thumbnail(content_id) as content:
        if content.content_type.startswith(("video/", "audio/")):
            return None
        async for chunk in content.chunks:
            data += chunk
            if len(data) > POSTER_LIMIT:
                raise NotAPicture(f"it is over {POSTER_LIMIT >> 20} MiB")
        if content.length is not None and len(data) != content.length:
            raise NotAPicture(f"{len(data)} of {content.length} bytes arrived")
    return bytes(data)


async def _kept(sink: Sink, item: Item, video: str, picture: bytes, content_type: str, ending: str) -> Poster:
    """Written beside the video; an earlier try's is replaced where the archive allows it. Beside somebody else's
    picture ours has the remote id in its name. Raises ArchiveError."""
    found = hashlib.sha256(picture).hexdigest()
    for name in _names(item, video, ending):
        try:
            await sink.write(name, picture, content_type, replace=False)
        except WriteRefused:
            if not await _is_in_place(sink, name, picture, content_type):
                log.warning("name.was_taken", name=name)
                continue
        return Poster(name.rpartition("/")[2], found)
    raise WriteRefused(f"{name} and the one before it are other files'.")


def _names(item: Item, video: str, ending: str) -> Iterator[str]:
    yield video.removesuffix(".mp4") + ending
    second = second_name(item.ref, item.remote_id or "")
    if second != video:
        yield second.removesuffix(".mp4") + ending


async def _is_in_place(sink: Sink, name: str, picture: bytes, content_type: str) -> bool:
    """Whether a picture that stands there is this one, or ours and could be replaced by it."""
    there = await sink.stat(name)
    if there is None:
        return False
    if there.bytes == len(picture) and await sink.read(name) == picture:
        return True
    if there.ours and not sink.keeps:
        try:
            await sink.write(name, picture, content_type)
        except WriteRefused:  # it keeps what it has, as is known by now
            return False
        return True
    return False
