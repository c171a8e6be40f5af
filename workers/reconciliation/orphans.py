"""An earlier create of an item has a job after all, which was only known too late: another would be one too many."""

from __future__ import annotations

import structlog

from orchestrator import remote_ids
from orchestrator.records import Item
from workers.reconciliation.evidence import Adopt
from workers.station import Station

log = structlog.get_logger("workers.reconciliation.orphans")


async def take_own(station: Station, item: Item) -> Adopt | None:
    """Give an item the orphan that was made of the same content; None where there is none, or it is taken by now."""
    own = await remote_ids.orphan_of(station.store, item)
    if own is None:
        return None
    _, _, number = own.owner.rpartition("#")
    word, _ = await station.store.accept(
        item.ref, int(number), own.remote_id, how="answer", fields={}, due_in_s=0, version=item.version
    )
    log.info("orphan.went_home", remote_id=own.remote_id, word=word)
    station.wake(0)
    return Adopt(own.remote_id, "answer") if word == "accepted" else None
