"""The report step: a batch that became final gets its results and its contact sheet, however often workers die; and
`keep_days` later it is forgotten here, while the archive keeps it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import partial

import structlog

from orchestrator.batches.batch_lock import forget
from orchestrator.ledger import views
from orchestrator.ledger.keys import Ref
from orchestrator.ledger.records import Batch
from orchestrator.reports.contact_sheet import contact_sheet
from orchestrator.reports.results import as_csv, as_jsonl
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
        await _write(station, batch, version, still_held)
        await station.sink.tidy(name)
        if station.herald is not None:
            await station.herald.lookout.ended(batch)
    if await store.end_report(name, version, keep_s=station.keep_s):
        log.info("batch.reported", batch=name, archive=f"{station.sink.url}{name}/")


async def _write(station: Station, batch: Batch, version: int, still_held: Accept) -> None:
    store, name = station.store, batch.name
    documents = {
        "results.csv": ("text/csv; charset=utf-8", as_csv(views.items(store, name), batch.columns)),
        "results.jsonl": ("application/jsonl; charset=utf-8", as_jsonl(views.items(store, name), batch.columns)),
        "index.html": ("text/html; charset=utf-8", contact_sheet(batch, views.items(store, name), now=station.clock())),
    }
    for file, (content_type, pieces) in documents.items():
        await station.sink.save(
            f"{name}/{file}",
            _encoded(pieces),
            content_type=content_type,
            metadata={},
            claim=f"{name}:report:{version}",
            replace=True,
            accept=still_held,  # a worker that wakes late must not put older rows in the place of newer ones
        )


async def _encoded(pieces: AsyncIterator[str]) -> AsyncIterator[bytes]:
    async for piece in pieces:
        yield piece.encode()
