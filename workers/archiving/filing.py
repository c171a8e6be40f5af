"""A receipt is put beside its video once, also where nothing that was written can be written again."""

from __future__ import annotations

import json
from collections.abc import Mapping

from orchestrator.ledger.keys import Ref
from workers.archiving.delivery import second_name
from workers.archiving.receipt import Receipt, fields_of, receipt_name
from workers.sinks import Immutable, NotThere, Sink, TooLarge


async def filed(sink: Sink, ref: Ref, video: str, paper: Receipt) -> Mapping[str, object]:
    """Writes the receipt of an item's video of that name; what the ledger keeps of it. Raises ArchiveError.

    Where the archive keeps what it has, an earlier try's receipt of the same bytes is as good, and is what counts;
    beside somebody else's, ours stands under the name with the remote id.
    """
    name = receipt_name(video)
    try:
        await sink.write(name, paper.dump(), "application/json")
    except Immutable:
        there = await _same(sink, name, paper)
        if there is not None:
            return there
        second = second_name(ref, paper.remote_id)
        if second == video:
            raise
        return await filed(sink, ref, second, paper)
    return paper.fields()


async def _same(sink: Sink, name: str, paper: Receipt) -> Mapping[str, object] | None:
    """What the ledger keeps of the receipt that stands there, if it is of the same video; else None."""
    try:
        there = json.loads(await sink.read(name))
        if any(there[field] != getattr(paper, field) for field in ("remote_id", "sha256", "bytes", "fingerprint")):
            return None
        return fields_of(there)
    except (NotThere, TooLarge, KeyError, TypeError, ValueError):
        return None
