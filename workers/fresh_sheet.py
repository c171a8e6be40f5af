"""The sheet step: the contact sheet of a batch that still runs, so that its videos can be watched as they come in.

One worker writes it at a time, and the batch's report waits for it (`orchestrator/reports/sheet_claim.py`): an older
page never takes the place of a newer one.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from functools import partial

import structlog

from orchestrator.ledger import views
from orchestrator.ledger.records import Batch, Claim
from orchestrator.reports import sheet_claim
from orchestrator.reports.contact_sheet import contact_sheet
from workers.archiving.editions import SHEET, publish
from workers.renewal import ClaimLost, kept
from workers.sinks import Accept, ArchiveError
from workers.station import Station

log = structlog.get_logger("workers.fresh_sheet")


async def fresh_sheet(station: Station, claim: Claim) -> None:
    """Write `index.html` of a running batch. Raises ClaimLost when the batch has ended, or another worker has it.

    An archive that does not take it now is asked again with the next page: nothing hangs on this one.
    """
    store, name, version, began = station.store, claim.ref.batch, claim.version, time.monotonic()
    batch = await views.batch(store, name)
    if batch is None:
        return
    try:
        async with kept(partial(sheet_claim.renew, store, name, version), station.claim_s) as still_held:
            if not station.sink.keeps:  # there each page would stay for good: the report writes the one
                await write_sheet(station, batch, claim=f"{name}:sheet:{version}", accept=still_held)
    except ArchiveError as error:
        log.warning("sheet.was_not_written", batch=name, error=str(error))
    except ClaimLost:
        await sheet_claim.end(store, name, version, took_s=0)  # the report waits for nobody then
        raise
    took_s = time.monotonic() - began
    await sheet_claim.end(store, name, version, took_s=took_s)
    log.debug("sheet.was_written", batch=name, took_s=round(took_s, 3))


async def write_sheet(
    station: Station, batch: Batch, *, claim: str, accept: Accept, documents: Mapping[str, str] | None = None
) -> str:
    """Write a batch's contact sheet as the ledger has it now; the name that it stands under. `accept` is asked right
    before it takes the place of the last one; `documents`: the names that the page links. Raises ArchiveError."""
    sink, name = station.sink, batch.name
    pages = contact_sheet(
        batch,
        views.items(station.store, name),
        # Of a batch that has ended the page says the same whenever it is written: one that keeps all has it once.
        now=batch.final_at or station.clock(),
        documents=documents,
        kept=sink.keeps,
    )
    return await publish(sink, name, SHEET, pages, claim=claim, accept=accept)
