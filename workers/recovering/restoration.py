"""What the archive tells a ledger that was lost, or is older than what happened since: its receipts.

A receipt beside its video says that a row is made, paid for and kept. Nothing is downloaded, and nothing in the archive
is changed.
"""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import structlog

from orchestrator.batches.batch_lock import alone
from orchestrator.items.states import State
from orchestrator.ledger import recovery, views
from orchestrator.ledger.periods import paid_from
from orchestrator.ledger.records import Item, Spec
from orchestrator.ledger.store import Store
from orchestrator.settings import NO_BUDGETS, Budgets, Deployment
from workers.archiving.archived import ArchivedRows
from workers.archiving.editions import DOCUMENTS, newest
from workers.sinks import Sink
from workers.station import Station

log = structlog.get_logger("workers.recovering.restoration")

#: Rows written by one script.
CHUNK = 500
#: What may have been archived since an older ledger was written.
_BEFORE = set(State) - {State.ARCHIVED}
_OWN_COLUMNS = ("prompt", "model", "size", "seconds")


@dataclass(slots=True)
class Restored:
    """One batch: how many receipts stand in its folder, how many rows came back by them, how many were known; and
    receipts that cannot be read or whose video is missing. `busy`: somebody submits or drops it, so it was left."""

    batch: str
    receipts: int = 0
    restored: int = 0
    known: int = 0
    unusable: tuple[str, ...] = ()
    busy: bool = False


async def take_receipts(station: Station) -> int:
    """Archive what an older ledger takes for unfinished, though its receipt stands in the archive; how many items. Once
    in each life of Redis. Raises ArchiveError."""
    store = station.store
    if await recovery.receipts_taken(store):
        return 0
    taken = 0
    deployments = [line.deployment for line in station.lines.values()]
    for batch in await views.batches(store):
        if batch.moving(*_BEFORE):
            rows = ArchivedRows(station.sink, batch.name, deployments)
            taken += await _take(store, rows, batch.name, station.budgets)
    await recovery.note_receipts_taken(store)
    if taken:
        log.warning("items.were_archived_before", items=taken)
    return taken


async def restore(
    store: Store,
    sink: Sink,
    batch: str,
    deployments: Sequence[Deployment],
    *,
    keep_s: float,
    budgets: Budgets = NO_BUDGETS,
) -> Restored:
    """Bring back what a batch's folder tells of it. Rows that are known stay as they are, but for those that are not
    archived though their receipt stands there. Raises ArchiveError.

    `keep_s`: for how long a batch whose results stand in the archive is kept here. `budgets`: those of the day and the
    month that it is now are told what the receipts of rows that come back say was paid.
    """
    rows, done, columns = ArchivedRows(sink, batch, deployments), Restored(batch), list(_OWN_COLUMNS)
    if not any(name.endswith(".json") for name in await rows.names()):
        return done
    async with alone(store, batch) as lock:
        if lock is None:
            return Restored(batch, busy=True)
        before, taken = await views.batch(store, batch), 0
        if before is not None:
            taken = await _take(store, rows, batch, budgets)
        else:
            await _open(store, batch, columns)
        place = 0
        async for papers in _chunks(rows, done):
            await lock.reacquire()
            written = [_row(rows, paper, place + n, budgets) for n, paper in enumerate(papers)]
            place += len(papers)
            for label in (label for paper in papers for label in paper["labels"]):
                if label not in columns:
                    columns.append(label)
            added, known = await store.scripts.run("restore", batch, *written)
            done.restored, done.known = done.restored + int(added), done.known + int(known)
        if before is None:
            await _open(store, batch, columns)
            await store.scripts.run("seal_batch", batch)
            found = {each: name for each in DOCUMENTS if (name := await newest(sink, batch, each))}
            if "results.csv" in found:  # it was final, and they tell of rows that have no receipt, too
                await store.end_report(batch, 0, keep_s=keep_s, documents=found)
    done.restored, done.known = done.restored + taken, done.known - taken
    log.info("batch.restored", batch=batch, receipts=done.receipts, restored=done.restored)
    return done


async def _open(store: Store, batch: str, columns: Sequence[str]) -> None:
    settings = {"columns": json.dumps(list(columns)), "template": batch, "budget": "", "window": ""}
    await store.scripts.run("open_batch", batch, settings, [])


async def _chunks(rows: ArchivedRows, done: Restored) -> AsyncIterator[list[dict[str, Any]]]:
    """The receipts that can be used, some at once; all of them are counted."""
    papers: list[dict[str, Any]] = []
    async for name, paper in rows.papers():
        done.receipts += 1
        if paper is None or not _is_named_for(name, str(paper["key"])):
            done.unusable = (*done.unusable, name)
            continue
        papers.append(paper)
        if len(papers) == CHUNK:
            yield papers
            papers = []
    if papers:
        yield papers


def _is_named_for(name: str, key: str) -> bool:
    """Whether a receipt lies where this program puts that of a key, of one of its revisions, or of a second video."""
    stem = name.removesuffix(".json")
    return stem == key or stem.startswith((f"{key}~", f"{key}."))


def _row(rows: ArchivedRows, paper: Mapping[str, Any], place: int, budgets: Budgets) -> dict[str, object]:
    """As `lua/restore.lua` takes it."""
    spec = Spec(
        key=paper["key"],
        prompt=paper["prompt"],
        model=paper["model"],
        size=paper["size"],
        seconds=int(paper["seconds"]),
        fingerprint=paper["fingerprint"],
        labels=dict(paper["labels"]),
    )
    found = rows.found(paper)
    return {
        "key": spec.key,
        "fingerprint": spec.fingerprint,
        "spec": spec.dump(),
        "model": spec.model,
        "seconds": spec.seconds,
        "place": place,
        "found": found,
        "periods": paid_from(budgets, found["attempt"].get("created_at"), time.time()),
    }


async def _take(store: Store, rows: ArchivedRows, batch: str, budgets: Budgets) -> int:
    """Archive the batch's items whose receipts stand there; how many."""
    taken, some = 0, list[Item]()

    async def write() -> int:
        found = {id(spec): paper for spec, paper in await rows.find_each([item.spec for item in some])}
        told = [
            {
                "id": item.ref.item,
                "fingerprint": item.spec.fingerprint,
                "found": paper,
                "periods": paid_from(budgets, paper["attempt"].get("created_at"), time.time()),
            }
            for item in some
            if (paper := found.get(id(item.spec))) is not None
        ]
        some.clear()
        return int(await store.scripts.run("take_receipts", batch, *told)) if told else 0

    async for item in views.items(store, batch, _BEFORE):
        if "again" in item.fields:  # a person pays for it again
            continue
        some.append(item)
        if len(some) == CHUNK:
            taken += await write()
    return taken + await write()
