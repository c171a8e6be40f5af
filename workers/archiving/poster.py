"""The poster: a still picture of a video, from the provider where it has one, kept beside the video in the archive.

It is a kindness, never a condition: whatever goes wrong with it is told in the log, and the video is archived all the
same. It is asked for once the video is proven, and only so long.
"""

from __future__ import annotations

import asyncio
import io

import structlog
from PIL import Image, UnidentifiedImageError

from orchestrator.ledger.records import Item
from workers.sinks import ArchiveError, Sink, WriteRefused
from workers.video_api import ApiError, Missing, VideoApi

log = structlog.get_logger("workers.archiving.poster")

#: The longest that an archive step spends on it, all in all (seconds).
POSTER_S = 5.0
#: The largest (bytes): a 1080p still of the best quality is a tenth of it.
POSTER_LIMIT = 4 * 1024 * 1024
#: The most pixels: what a picture of a few kilobytes may claim to unfold to.
PIXEL_LIMIT = 32_000_000
#: What is taken as a poster: the word for its type, and how its name ends.
KINDS = {"JPEG": ("image/jpeg", ".jpg"), "WEBP": ("image/webp", ".webp"), "PNG": ("image/png", ".png")}
#: An archiving that was postponed so often asks for no poster any more, so that none is asked for without end.
TRIES = 3


async def poster(sink: Sink, api: VideoApi, item: Item, video: str) -> str | None:
    """Keep the poster of a video whose name in the archive is `video`; its own name beside it, None without one."""
    if int(item.fields.get("archive_tries") or 0) >= TRIES:
        return None
    try:
        async with asyncio.timeout(POSTER_S):
            picture = await _fetched(api, item.fields["content_id"])
            if picture is None:
                return None
            content_type, ending = KINDS[await asyncio.to_thread(kind_of, picture)]
            name = video.removesuffix(".mp4") + ending
            return await _kept(sink, name, picture, content_type)
    except Missing:
        log.debug("poster.is_not_offered")
    except (ApiError, ArchiveError, NotAPicture, TimeoutError) as error:
        log.info("poster.was_not_kept", error=str(error) or f"it took more than {POSTER_S:.0f} s")
    except Exception:  # a picture that no decoder foresaw costs no video that was paid for
        log.exception("poster.failed")
    return None


class NotAPicture(Exception):
    """What the provider sent for a poster is none; the text says what is wrong."""


def kind_of(data: bytes) -> str:
    """JPEG, WEBP or PNG, by the bytes themselves, which are decoded whole. Raises NotAPicture."""
    try:
        with Image.open(io.BytesIO(data), formats=tuple(KINDS)) as picture:
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


async def _kept(sink: Sink, name: str, picture: bytes, content_type: str) -> str:
    """Written beside the video. Where the archive keeps what it has, an earlier try's is as good."""
    try:
        await sink.write(name, picture, content_type)
    except WriteRefused:
        there = await sink.stat(name)
        if there is None or there.bytes != len(picture):
            raise
    return name.rsplit("/", 1)[-1]
