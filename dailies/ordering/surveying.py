"""A manifest against the ledger and the archive, row by row, with nothing changed anywhere."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from itertools import islice

from dailies.options import Choices
from dailies.terminal.exits import counted, say
from manifests import Item, Manifest
from orchestrator.batches.comparison import Comparison, Verdict
from orchestrator.batches.submission import CHUNK
from orchestrator.batches.survey import Survey, same_rows
from orchestrator.ledger import views
from orchestrator.ledger.records import Batch
from orchestrator.ledger.requests import pause_of
from orchestrator.ledger.store import Store
from orchestrator.planning import Workload
from orchestrator.settings import Settings
from orchestrator.video_models.prices import MICRO, micro
from workers.archiving.archived import ArchivedRows
from workers.rendering.inputs import with_images
from workers.sinks import Sink

#: After so many rows, progress is said.
SAY_EVERY = 50_000


@dataclass(frozen=True, slots=True)
class Surveyed:
    """A manifest, the hashes of its images, what was found out about it, and what is to be rendered of it."""

    manifest: Manifest
    hashes: Mapping[str, str]
    survey: Survey
    workload: Workload


async def survey(
    settings: Settings,
    store: Store | None,
    sink: Sink | None,
    manifest: Manifest,
    name: str,
    hashes: Mapping[str, str],
    choices: Choices,
    earlier: dict[str, str] | None,
) -> Surveyed:
    """Look at every row. `store` None: nothing was ever submitted; `sink` None: the archive cannot be read.

    `earlier`: the rows of the same command's other manifests. Raises ArchiveError.
    """
    rows = ArchivedRows(sink, name, settings.deployments) if sink is not None and not choices.again else None
    comparison = Comparison(store, name, find_receipts=rows.find if rows else None)
    found = Survey(name, settings.deployments, reuse=choices.reuse, again=choices.again)
    batch = await views.batch(store, name) if store is not None else None
    workload = _workload(manifest, name, batch)
    for chunk in _chunks(with_images(manifest.items(), hashes)):
        for standing in await comparison.look(chunk):
            also_in = None if earlier is None else same_rows(earlier, standing.item, name)
            if found.take(standing, also_in=also_in):
                workload.add(standing.item)
        if not found.items % SAY_EVERY:
            say(f"{name}: {found.items:,} rows compared with what is there")
    if batch is not None:
        known = found.verdicts[Verdict.CHANGED] + found.verdicts[Verdict.UNCHANGED]
        found.removed = int(batch.fields.get("keys") or 0) - known
        found.held_up = _held_up(batch)
    return Surveyed(manifest, hashes, found, workload)


def _held_up(batch: Batch) -> list[str]:
    paused, items = pause_of(batch.fields), int(batch.fields.get("paused_items") or 0)
    told = [f"the batch is paused {paused}: dailies resume {batch.name}"] if paused else []
    if items:
        are = "is" if items == 1 else "are"
        told.append(f"{counted(items, 'item')} of it {are} paused: dailies resume {batch.name} --state waiting")
    return told


def _workload(manifest: Manifest, name: str, batch: Batch | None) -> Workload:
    """Empty yet; with the batch's money, priority and weight as they are in the ledger."""
    if batch is None:
        return Workload(name, budget_usd=manifest.budget_usd, window=manifest.window)
    spent = Decimal(batch.confirmed + batch.unknown + batch.reserved) / MICRO
    set_to = None if batch.budget is None else Decimal(batch.budget) / MICRO
    asked = "" if manifest.budget_usd is None else str(micro(manifest.budget_usd))
    same = (batch.fields.get("manifest_budget") or "") == asked  # what was set by hand stays, as open_batch.lua has it
    return Workload(
        name,
        budget_usd=set_to if same else manifest.budget_usd,
        spent_usd=spent,
        window=manifest.window,
        priority=int(batch.fields.get("priority") or 0),
        weight=int(batch.fields.get("weight") or 1),
    )


def _chunks(items: Iterable[Item]) -> Iterator[list[Item]]:
    rows = iter(items)
    while chunk := list(islice(rows, CHUNK)):
        yield chunk
