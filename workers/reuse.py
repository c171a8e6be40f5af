"""An item that is the same as one of another batch: its video is there already, and a receipt says where.

The receipt stands in the item's own batch, so that the archive still explains itself when the ledger is gone.
"""

from __future__ import annotations

import json

import structlog

from orchestrator.decision import Decision
from orchestrator.records import Item
from orchestrator.states import Event
from workers.receipt import fields_of, receipt_name
from workers.sinks import NotThere, Sink

log = structlog.get_logger("workers.reuse")


async def reuse(sink: Sink, item: Item) -> Decision:
    """Write the receipt of an item that takes another's video. Raises ArchiveError, but for a receipt that is gone."""
    video = item.reused or ""
    try:
        paper = json.loads(await sink.read(receipt_name(video)))
        known = {**paper, **_own(item, video)}
        fields = fields_of(known)
    except (NotThere, KeyError, TypeError, ValueError) as error:
        log.error("receipt.was_missing", video=video, error=str(error))
        message = f"{video} was to be used again, and its receipt cannot be read: retry renders a new video"
        return Decision(Event.UNLINKED, {"reason": "reuse_missing", "message": message, "billed": "no"})
    data = (json.dumps(known, ensure_ascii=False, indent=2) + "\n").encode()
    await sink.write(receipt_name(f"{item.ref.batch}/{item.ref.item}.mp4"), data, "application/json")
    return Decision(Event.ARCHIVED, fields)


def _own(item: Item, video: str) -> dict[str, object]:
    """What the receipt says of this item, and not of the one that was paid for."""
    return {
        "batch": item.ref.batch,
        "key": item.spec.key,
        "revision": item.revision,
        "labels": dict(item.spec.labels),
        "fingerprint": item.spec.fingerprint,
        "file": f"../{video}",
        "reused": video,
        "cost_usd": 0.0,
    }
