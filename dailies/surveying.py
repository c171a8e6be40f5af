"""A manifest against the ledger and the archive, row by row, with nothing changed anywhere."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice

from dailies.exits import say
from dailies.options import Choices
from manifests import Item, Manifest
from orchestrator import views
from orchestrator.comparison import Comparison, Verdict
from orchestrator.settings import Settings
from orchestrator.store import Store
from orchestrator.submission import CHUNK
from orchestrator.survey import Survey, same_rows
from workers.archived import ArchivedRows
from workers.inputs import with_images
from workers.sinks import Sink

#: After so many rows, progress is said.
SAY_EVERY = 50_000


@dataclass(frozen=True, slots=True)
class Surveyed:
    """A manifest, the hashes of its images, and what was found out about it."""

    manifest: Manifest
    hashes: Mapping[str, str]
    survey: Survey


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
    for chunk in _chunks(with_images(manifest.items(), hashes)):
        for standing in await comparison.look(chunk):
            also_in = None if earlier is None else same_rows(earlier, standing.item, name)
            found.take(standing, also_in=also_in)
        if not found.items % SAY_EVERY:
            say(f"{name}: {found.items:,} rows compared with what is there")
    batch = await views.batch(store, name) if store is not None else None
    if batch is not None:
        known = found.verdicts[Verdict.CHANGED] + found.verdicts[Verdict.UNCHANGED]
        found.removed = int(batch.fields.get("keys") or 0) - known
    return Surveyed(manifest, hashes, found)


def _chunks(items: Iterable[Item]) -> Iterator[list[Item]]:
    rows = iter(items)
    while chunk := list(islice(rows, CHUNK)):
        yield chunk
