"""Bringing one video home: provider → hashes and box walker → archive, in one pass, proven before it has its name.

The name may be taken (promise 26): by our own bytes, and then all is done; by others, and then ours stand beside
them under a name with the remote id.
"""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from urllib.parse import quote

import structlog

from orchestrator.keys import Ref
from orchestrator.records import Item
from workers.mp4 import BoxWalker, Mp4
from workers.sinks import Arrived, NameTaken, Saved, Sink
from workers.video_api import Content, VideoApi

log = structlog.get_logger("workers.delivery")

#: How far a video's duration may be from what was ordered before it counts as a mismatch (seconds).
DURATION_S = 0.5
#: Containers other than MP4 whose wholeness only their length proves; they are kept, and reported.
OTHER_CONTAINERS = ("avi", "webm")
#: What a video's metadata says for us, beside its labels.
_OURS = ("dailies_remote_id", "dailies_sha256", "dailies_video")


class NotWhole(Exception):
    """The video did not arrive whole; the text says how."""


@dataclass(frozen=True, slots=True)
class VideoFacts:
    """What the file says of itself. None is what could not be read."""

    duration_s: float | None
    width: int | None
    height: int | None
    has_audio: bool
    container: str


@dataclass(frozen=True, slots=True)
class Delivery:
    """A video that stands whole in the archive; `mismatch` names, in words, what is not as ordered."""

    name: str
    url: str
    bytes: int
    sha256: str
    video: VideoFacts
    mismatch: tuple[str, ...]


async def deliver(sink: Sink, api: VideoApi, item: Item) -> Delivery:
    """Copy an item's finished video into the archive. Raises ApiError, ArchiveError, NotWhole; nothing half-written
    is ever seen."""
    there = await already_there(sink, item)
    if there is not None:
        return there
    name, second = _name(item), second_name(item.ref, item.remote_id or "")
    if await sink.stat(name) is not None:
        log.warning("name.was_taken", name=name)
        name = second
    delivered = await _copy(sink, api, item, name)
    if delivered is None:  # taken in the very moment
        log.warning("name.was_taken", name=name)
        delivered = await _copy(sink, api, item, second)
    if delivered is None:
        raise NotWhole(f"both {name} and {second} hold other bytes")
    return delivered


async def already_there(sink: Sink, item: Item) -> Delivery | None:
    """What an earlier try, killed before it could say so, has put into the archive. Its metadata was written in one
    step with its bytes, so it is as good as a receipt."""
    for name in (_name(item), second_name(item.ref, item.remote_id or "")):
        there = await sink.stat(name)
        if there is None or there.metadata.get("dailies_remote_id") != item.remote_id:
            continue
        try:
            video = VideoFacts(**json.loads(there.metadata["dailies_video"]))
            sha256 = there.metadata["dailies_sha256"]
        except (KeyError, TypeError, ValueError):
            continue
        return Delivery(name, sink.url + quote(name), there.bytes, sha256, video, mismatches(item, video))
    return None


async def _copy(sink: Sink, api: VideoApi, item: Item, name: str) -> Delivery | None:
    """One pass over the bytes; None when other bytes have the name."""
    walker = BoxWalker()
    # Ours come first, so that neither many labels nor one of the same name pushes them out.
    metadata = {**dict.fromkeys(_OURS, ""), **item.spec.labels, "dailies_remote_id": item.remote_id or ""}
    facts: list[VideoFacts] = []
    async with api.content(item.fields["content_id"]) as content:

        def prove(arrived: Arrived) -> None:
            facts.append(proven(content, arrived, walker.finish()))
            metadata["dailies_sha256"] = arrived.sha256
            metadata["dailies_video"] = json.dumps(_as_dict(facts[0]))

        saved = await sink.save(
            name,
            _walked(content, walker),
            content_type=content.content_type or "video/mp4",
            metadata=metadata,
            claim=f"{item.ref}#{item.attempts}:{item.version}",
            accept=prove,
        )
    video = facts[0]
    if isinstance(saved, Saved):
        return Delivery(name, saved.url, saved.bytes, saved.sha256, video, mismatches(item, video))
    return _taken_by_us(sink, item, name, saved, video)


def _taken_by_us(sink: Sink, item: Item, name: str, taken: NameTaken, video: VideoFacts) -> Delivery | None:
    if not taken.same_bytes:
        return None
    arrived = taken.arrived
    return Delivery(name, sink.url + quote(name), arrived.bytes, arrived.sha256, video, mismatches(item, video))


def proven(content: Content, arrived: Arrived, video: Mp4) -> VideoFacts:
    """What arrived is whole: as long as announced, and complete by its boxes. Raises NotWhole."""
    if content.length is not None and arrived.bytes != content.length:
        raise NotWhole(f"{arrived.bytes} of {content.length} bytes arrived")
    if not video.complete and not _is_foreign(content, video.container):
        raise NotWhole(video.problem or "the MP4 file is not complete")
    return VideoFacts(video.duration_s, video.width, video.height, video.has_audio, video.container)


def mismatches(item: Item, video: VideoFacts) -> tuple[str, ...]:
    """What of a whole video is not as ordered, in words. A remix has its source's size and duration."""
    spec, found = item.spec, []
    if video.container != "mp4":
        found.append(f"container {video.container} instead of mp4")
    if spec.remix_of:
        return tuple(found)
    if video.duration_s is not None and abs(video.duration_s - spec.seconds) > DURATION_S:
        found.append(f"duration {video.duration_s:.1f} s instead of {spec.seconds} s")
    if spec.model.startswith("sora-2") and not video.has_audio:
        found.append("no sound")
    if video.width and f"{video.width}x{video.height}" != spec.size:
        found.append(f"size {video.width}x{video.height} instead of {spec.size}")
    return tuple(found)


async def _walked(content: Content, walker: BoxWalker) -> AsyncIterator[bytes]:
    """The bytes as they come. Raises NotWhole as soon as no further bytes could make a video of them."""
    async for chunk in content.chunks:
        walker.feed(chunk)
        if walker.problem is not None and not _is_foreign(content, walker.container):
            raise NotWhole(walker.problem)
        yield chunk


def _is_foreign(content: Content, container: str) -> bool:
    """Whether it is of a kind whose wholeness its length alone can prove, and has one."""
    return container in OTHER_CONTAINERS and content.length is not None


def _name(item: Item) -> str:
    return f"{item.ref.batch}/{item.ref.item}.mp4"


def second_name(ref: Ref, remote_id: str) -> str:
    """The name of a video in the archive where its own is taken."""
    safe = re.sub(r"[^A-Za-z0-9_-]", "_", remote_id)[:80]
    return f"{ref.batch}/{ref.item}.{safe}.mp4"


def _as_dict(video: VideoFacts) -> dict[str, object]:
    return {name: getattr(video, name) for name in VideoFacts.__slots__}
