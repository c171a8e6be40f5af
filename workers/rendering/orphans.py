"""An earlier create of an item has a job after all, which was only known too late: another would be one too many."""

from __future__ import annotations

import structlog

from orchestrator.ledger import remote_ids
from orchestrator.ledger.records import Item
from workers.station import Station

log = structlog.get_logger("workers.rendering.orphans")


async def take_own(station: Station, item: Item) -> str | None:
    """Give an item the orphan that was made of the same content: its id; None where there is none, or it is taken."""
    own = await remote_ids.orphan_of(station.store, item)
    if own is None:
        return None
    _, _, number = own.owner.rpartition("#")
    word, _ = await station.store.accept(
        item.ref, int(number), own.remote_id, how="answer", fields={}, due_in_s=0, version=item.version
    )
    log.info("orphan.went_home", remote_id=own.remote_id, word=word)
    station.wake(0)
    return own.remote_id if word == "accepted" else None
