"""Bringing one video home: provider → hashes and box walker → archive, in one pass, proven before it has its name.

The name may be taken (promise 26): by our own bytes, and then all is done; by others, and then ours stand beside
them under a name with the remote id.
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from urllib.parse import quote

import structlog

from orchestrator.ledger.keys import Ref
from orchestrator.ledger.records import Item
from workers.archiving.mp4 import BoxWalker
from workers.archiving.proof import NotWhole, VideoFacts, is_foreign, media_type, mismatches, proven, read_back
from workers.sinks import Arrived, NameTaken, Saved, Sink, Stat
from workers.video_api import ApiError, Content, VideoApi

log = structlog.get_logger("workers.archiving.delivery")

#: What a video's metadata says for us, beside its labels.
_OURS = ("dailies_remote_id", "dailies_sha256", "dailies_md5", "dailies_bytes", "dailies_video")


@dataclass(frozen=True, slots=True)
class Delivery:
    """A video that stands whole in the archive; `mismatch` names, in words, what is not as ordered. `md5` in hex."""

    name: str
    url: str
    bytes: int
    sha256: str
    md5: str
    content_type: str
    video: VideoFacts
    mismatch: tuple[str, ...]


async def deliver(sink: Sink, api: VideoApi, item: Item, *, sent: Callable[[], None] = lambda: None) -> Delivery:
    """Copy an item's finished video into the archive. Raises ApiError, ArchiveError, NotWhole; nothing half-written
    is ever seen.

    `sent` is called once its bytes are with the archive: what follows, here and at the caller's, waits and holds none.
    """
    # At a first try the name is hardly ever taken, and the call that gives it tells where it is: nobody asks before.
    # Later the bytes of an earlier try may stand there, and need not be fetched again.
    asks = int(item.fields.get("archive_tries") or 0) > 0
    for name in _names(item):
        there = await sink.stat(name) if asks else None
        delivered = _as_stored(sink, item, name, there) if there else None
        if delivered is None and _may_be_ours(there):
            try:
                delivered = await _copy(sink, api, item, name, there, sent)
            except ApiError:  # where a worker died after it had stored the video, no provider is needed any more
                delivered = None if asks else await already_there(sink, item)
                if delivered is None:
                    raise
        if delivered is not None:
            return delivered
        log.warning("name.was_taken", name=name)
        asks = True
    raise NotWhole(f"{' and '.join(_names(item))} hold other bytes")


async def already_there(sink: Sink, item: Item) -> Delivery | None:
    """What an earlier try, killed before it could say so, has put into the archive. Its metadata was written in one
    step with its bytes, so it is as good as a receipt; bytes that are not as it says are somebody else's by now."""
    for name in _names(item):
        there = await sink.stat(name)
        ours = there and _as_stored(sink, item, name, there)
        if ours:
            return ours
    return None


def _as_stored(sink: Sink, item: Item, name: str, there: Stat) -> Delivery | None:
    """What stands under a name, if its metadata says that it is the item's video, and its bytes are as that says."""
    if there.metadata.get("dailies_remote_id") != item.remote_id:
        return None
    try:
        told = json.loads(there.metadata["dailies_video"])  # a newer release may tell more
        video = VideoFacts(**{name: told[name] for name in VideoFacts.__slots__ if name in told})
        sha256 = there.metadata["dailies_sha256"]
        sent = int(there.metadata.get("dailies_bytes") or there.bytes)
        md5 = there.metadata.get("dailies_md5") or (there.md5 or b"").hex()
        as_sent = there.bytes == sent and there.md5 in (None, bytes.fromhex(md5))
    except (KeyError, TypeError, ValueError):
        return None
    if not as_sent:
        log.error("video.is_not_as_it_was_stored", name=name)
        return None
    kind = there.content_type or video.called or "video/mp4"
    return Delivery(name, sink.url + quote(name), there.bytes, sha256, md5, kind, video, mismatches(item, video))


def _may_be_ours(there: Stat | None) -> bool:
    """Whether the name is free; or what has it may be ours, but is known by nothing but its bytes (a file system keeps
    no attributes): then they are compared."""
    return there is None or there.md5 is None


async def _copy(
    sink: Sink, api: VideoApi, item: Item, name: str, there: Stat | None, sent: Callable[[], None]
) -> Delivery | None:
    """One pass over the bytes; None when other bytes have the name. `there`: what is known to have it."""
    walker = BoxWalker()
    # Ours come first, so that neither many labels nor one of the same name pushes them out.
    metadata = {**dict.fromkeys(_OURS, ""), **item.spec.labels, "dailies_remote_id": item.remote_id or ""}
    facts: list[VideoFacts] = []
    async with api.content(item.fields["content_id"]) as content:
        if there is not None and content.length not in (None, there.bytes):
            return None

        def prove(arrived: Arrived) -> None:
            facts.append(proven(content, arrived, walker.finish()))
            metadata["dailies_sha256"] = arrived.sha256
            metadata["dailies_md5"] = arrived.md5.hex()
            metadata["dailies_bytes"] = str(arrived.bytes)
            metadata["dailies_video"] = json.dumps(_as_dict(facts[0]))

        saved = await sink.save(
            name,
            _walked(content, walker),
            content_type=media_type(content),
            metadata=metadata,
            claim=f"{item.ref}#{item.attempts}:{item.version}",
            accept=prove,
        )
    sent()
    video, kind = facts[0], media_type(content)
    if isinstance(saved, NameTaken):
        if not saved.same_bytes:  # a provider may sign its video anew each time, and an earlier try's is as good
            there = await sink.stat(name)
            return _as_stored(sink, item, name, there) if there else None
        saved = Saved(name, sink.url + quote(name), *dataclasses.astuple(saved.arrived))
    else:
        await read_back(sink, saved, kind)
    found = mismatches(item, video)
    return Delivery(name, saved.url, saved.bytes, saved.sha256, saved.md5.hex(), kind, video, found)


async def _walked(content: Content, walker: BoxWalker) -> AsyncIterator[bytes]:
    """The bytes as they come. Raises NotWhole as soon as no further bytes could make a video of them."""
    async for chunk in content.chunks:
        walker.feed(chunk)
        if walker.problem is not None and not is_foreign(content, walker.container):
            raise NotWhole(walker.problem)
        yield chunk


def _names(item: Item) -> tuple[str, str]:
    """The name of an item's video, and the one beside it."""
    return f"{item.ref.batch}/{item.ref.item}.mp4", second_name(item.ref, item.remote_id or "")


def second_name(ref: Ref, remote_id: str) -> str:
    """The name of a video in the archive where its own is taken."""
    safe = re.sub(r"[^A-Za-z0-9_-]", "_", remote_id)[:80]
    return f"{ref.batch}/{ref.item}.{safe}.mp4"


def _as_dict(video: VideoFacts) -> dict[str, object]:
    return {name: getattr(video, name) for name in VideoFacts.__slots__}
