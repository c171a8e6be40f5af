"""The report step: a batch that became final gets its results and its contact sheet, however often workers die; and
`keep_days` later it is forgotten here, while the archive keeps it."""

from __future__ import annotations

import dataclasses
import json
from functools import partial

import structlog

from orchestrator.batches.batch_lock import forget
from orchestrator.ledger import views
from orchestrator.ledger.keys import Ref
from orchestrator.ledger.records import Batch
from orchestrator.reports.results import as_csv, as_jsonl
from workers.archiving.editions import SHEET, publish
from workers.fresh_sheet import write_sheet
from workers.renewal import kept
from workers.sinks import Accept
from workers.station import Station

#: Until a batch that could not be forgotten is tried again (seconds).
FORGET_AGAIN_S = 3600.0

log = structlog.get_logger("workers.report")


async def report(station: Station, name: str, version: int) -> None:
    """Write `results.csv`, `results.jsonl` and `index.html` of a final batch, then say that they are out; or forget a
    batch that was reported long ago.

    Raises ArchiveError, and ClaimLost when another worker has the report by now; it then stays due.
    """
    store = station.store
    batch = await views.batch(store, name)
    if batch is None:
        return
    async with kept(partial(store.renew, Ref(name, ""), version), station.claim_s) as still_held:
        kept_long = batch.reported_at is not None and station.clock() >= batch.reported_at + station.keep_s
        if kept_long or "forgetting" in batch.fields:  # begun by a person, it is ended: half of it is gone
            if not await forget(store, name):  # it is submitted just now, or its orphans are still of use
                await store.renew(Ref(name, ""), version, FORGET_AGAIN_S)
            return
        names = await _write(station, batch, version, still_held)
        await station.sink.tidy(name)
        if station.herald is not None:
            told = {**batch.fields, "documents": json.dumps(names)}
            await station.herald.lookout.ended(dataclasses.replace(batch, fields=told))
    if await store.end_report(name, version, keep_s=station.keep_s, documents=names):
        log.info("batch.reported", batch=name, archive=f"{station.sink.url}{name}/")


async def _write(station: Station, batch: Batch, version: int, still_held: Accept) -> dict[str, str]:
    """The batch's documents, each with the name that it stands under now. The page comes last, and links the others."""
    store, sink, name, columns = station.store, station.sink, batch.name, batch.columns
    names: dict[str, str] = {}
    for document, as_rows in (("results.csv", as_csv), ("results.jsonl", as_jsonl)):
        names[document] = await publish(
            sink, name, document, as_rows(views.items(store, name), columns),
            claim=f"{name}:report:{version}",
            accept=still_held,  # a worker that wakes late must not put older rows in the place of newer ones
        )  # fmt: skip
    names[SHEET] = await write_sheet(
        station, batch, claim=f"{name}:report:{version}", accept=still_held, documents=names
    )
    return names
