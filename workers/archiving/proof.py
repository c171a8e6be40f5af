"""The proof of a video: whole by its length and its boxes before it gets its name, and read back once it stands there.

Whole is proven, as ordered is reported (promise 25): a whole video that is not as ordered is kept, and the difference
named.
"""

from __future__ import annotations

from dataclasses import dataclass

from orchestrator.ledger.records import Item
from workers.archiving.mp4 import Mp4
from workers.sinks import Arrived, Saved, Sink
from workers.video_api import Content

#: How far a video's duration may be from what was ordered before it counts as a mismatch (seconds).
DURATION_S = 0.5
#: Containers other than MP4 whose wholeness only their length proves; they are kept, and reported.
OTHER_CONTAINERS = ("avi", "webm")
#: What servers call an MP4, or a file whose kind they do not know.
_MP4_TYPES = ("", "video/mp4", "application/mp4", "application/octet-stream", "binary/octet-stream")


class NotWhole(Exception):
    """The video did not arrive whole; the text says how."""


@dataclass(frozen=True, slots=True)
class VideoFacts:
    """What the file says of itself. None is what could not be read; `called`: the media type that its server gave it,
    empty for none."""

    duration_s: float | None
    width: int | None
    height: int | None
    has_audio: bool
    container: str
    c2pa: bool | None = None
    called: str = ""


def proven(content: Content, arrived: Arrived, video: Mp4) -> VideoFacts:
    """What arrived is whole: as long as announced, and complete by its boxes. Raises NotWhole."""
    if content.length is not None and arrived.bytes != content.length:
        raise NotWhole(f"{arrived.bytes} of {content.length} bytes arrived")
    if not video.complete and not is_foreign(content, video.container):
        raise NotWhole(video.problem or "the MP4 file is not complete")
    return VideoFacts(
        video.duration_s,
        video.width,
        video.height,
        video.has_audio,
        video.container,
        video.c2pa,
        content.content_type,
    )


def is_foreign(content: Content, container: str) -> bool:
    """Whether it is of a kind whose wholeness its length alone can prove, and has one."""
    return container in OTHER_CONTAINERS and content.length is not None


def media_type(content: Content) -> str:
    """As what a video is stored: what its server calls it, where that is a video; a player is given nothing else."""
    return content.content_type if content.content_type.startswith("video/") else "video/mp4"


async def read_back(sink: Sink, saved: Saved, content_type: str) -> None:
    """What the archive says of the object that was just committed: length, MD5 and media type are those that were sent,
    as far as it keeps them. Raises NotWhole, ArchiveError."""
    there = await sink.stat(saved.name)
    if there is None:
        raise NotWhole(f"{saved.name} was stored, and the archive has no such object")
    if there.bytes != saved.bytes:
        raise NotWhole(f"{saved.name} has {there.bytes} bytes in the archive, and {saved.bytes} were sent")
    if there.md5 not in (None, saved.md5):
        raise NotWhole(f"{saved.name} has another MD5 in the archive than what was sent")
    if there.content_type not in (None, content_type):
        raise NotWhole(f"{saved.name} is {there.content_type} in the archive, and was sent as {content_type}")


def mismatches(item: Item, video: VideoFacts) -> tuple[str, ...]:
    """What of a whole video is not as ordered, in words. A remix has its source's size and duration."""
    spec, found = item.spec, []
    if video.container != "mp4":
        found.append(f"container {video.container} instead of mp4")
    elif video.called not in _MP4_TYPES:
        found.append(f"content type {video.called} instead of video/mp4")
    if spec.remix_of:
        return tuple(found)
    if video.duration_s is not None and abs(video.duration_s - spec.seconds) > DURATION_S:
        found.append(f"duration {video.duration_s:.1f} s instead of {spec.seconds} s")
    if spec.model.startswith("sora-2") and not video.has_audio:
        found.append("no sound")
    if video.width and f"{video.width}x{video.height}" != spec.size:
        found.append(f"size {video.width}x{video.height} instead of {spec.size}")
    return tuple(found)
