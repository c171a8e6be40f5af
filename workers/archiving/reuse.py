"""An item that is the same as one of another batch: its video is there already, and a receipt says where.

The receipt stands in the item's own batch, so that the archive still explains itself when the ledger is gone.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

import structlog

from orchestrator.items.decision import Decision
from orchestrator.items.failures import REUSE_MISSING
from orchestrator.items.states import Event
from orchestrator.ledger.records import Item
from workers.archiving.delivery import second_name
from workers.archiving.receipt import fields_of, receipt_name
from workers.sinks import Immutable, NotThere, Sink, TooLarge, WriteRefused

log = structlog.get_logger("workers.archiving.reuse")


async def reuse(sink: Sink, item: Item) -> Decision:
    """Write the receipt of an item that takes another's video, if that video stands there whole and is the same.

    Raises ArchiveError where the archive cannot tell.
    """
    video = item.reused or ""
    try:
        paper = json.loads(await sink.read(receipt_name(video)))
        there = await sink.stat(video)
        if paper["fingerprint"] != item.spec.fingerprint:
            raise ValueError("it is the receipt of another content")
        if there is None or there.bytes != paper["bytes"]:
            raise ValueError("the video does not stand beside it as it was")
        known = {**paper, **_own(item, video, paper.get("poster"))}
        fields = fields_of(known)
    except (NotThere, KeyError, TypeError, ValueError) as error:
        log.error("video.was_not_reusable", video=video, error=str(error))
        message = f"{video} was to be used again, and cannot be: {error}; retry renders a new video"
        return Decision(Event.UNLINKED, REUSE_MISSING.fields(message))
    data = (json.dumps(known, ensure_ascii=False, indent=2) + "\n").encode()
    video_names = f"{item.ref.batch}/{item.ref.item}.mp4", second_name(item.ref, str(paper["remote_id"]))
    for name in map(receipt_name, video_names):  # beside one of a video that was paid for, or somebody's file, as ever
        if await _is_anothers(sink, name, known):
            log.warning("name.was_taken", name=name)
            continue
        try:
            await sink.write(name, data, "application/json")
        except Immutable:  # an earlier try wrote it, and the archive keeps what it has
            if await _is_anothers(sink, name, known):
                raise
        return Decision(Event.ARCHIVED, fields)
    raise WriteRefused(f"{name} and the one before it are other files'.")


async def _is_anothers(sink: Sink, name: str, own: Mapping[str, object]) -> bool:
    """Whether a receipt that stands there says something that ours does not."""
    try:
        there = json.loads(await sink.read(name))
        return any(there[field] != own[field] for field in ("fingerprint", "remote_id", "reused"))
    except NotThere:
        return False
    except (TooLarge, KeyError, TypeError, ValueError):
        return True


def _own(item: Item, video: str, poster: str | None) -> dict[str, object]:
    """What the receipt says of this item, and not of the one that was paid for."""
    return {
        "batch": item.ref.batch,
        "key": item.spec.key,
        "revision": item.revision,
        "labels": dict(item.spec.labels),
        "fingerprint": item.spec.fingerprint,
        "file": f"../{video}",
        "reused": video,
        "poster": f"../{video.rpartition('/')[0]}/{poster}" if poster else None,
        "cost_usd": 0.0,
    }
