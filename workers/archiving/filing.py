"""A receipt is put beside its video once, also where nothing that was written can be written again; and in the place of
nobody's file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import structlog

from orchestrator.ledger.keys import Ref
from workers.archiving.delivery import second_name
from workers.archiving.ours import is_receipt
from workers.archiving.receipt import Receipt, fields_of, receipt_name
from workers.sinks import Immutable, NotThere, Sink, TooLarge, WriteRefused

log = structlog.get_logger("workers.archiving.filing")

_SAME = ("remote_id", "sha256", "bytes", "fingerprint")


async def filed(sink: Sink, ref: Ref, video: str, paper: Receipt) -> Mapping[str, object]:
    """Writes the receipt of an item's video of that name; what the ledger keeps of it. Raises ArchiveError.

    An earlier receipt of the same video is replaced; where the archive keeps what it has, it is as good, and is what
    counts. Beside somebody else's file of that name ours stands under the name with the remote id.
    """
    name, data = receipt_name(video), paper.dump()
    try:
        await sink.write(name, data, "application/json", replace=False)
        return paper.fields()
    except WriteRefused as refused:
        there = await _there(sink, name, ref.batch)
        # One of ours whose video is gone (it had the name that this one has now) speaks of nothing any more.
        if there is not None and there.get("file", paper.file) == paper.file and not sink.keeps:
            try:
                await sink.write(name, data, "application/json")
                return paper.fields()
            except Immutable:  # it keeps what it has, as is known by now
                pass
        if there is not None and all(there.get(field) == getattr(paper, field) for field in _SAME):
            return fields_of(there)
        second = second_name(ref, paper.remote_id)
        if second == video:
            raise refused from None
        log.warning("name.was_taken", name=name)
        return await filed(sink, ref, second, paper)


async def _there(sink: Sink, name: str, batch: str) -> dict[str, Any] | None:
    """What stands there, if it is a receipt of this batch; else None."""
    try:
        data = await sink.read(name)
        return json.loads(data) if is_receipt(data, batch) else None
    except (NotThere, TooLarge):
        return None
