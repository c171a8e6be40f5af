"""The rows of a batch as a manifest: those that somebody wants to mend, and what they are made from."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from decimal import Decimal

from manifests.key import is_remote_id
from manifests.manifest_text import WrittenRow
from manifests.window import Window
from orchestrator.items.failures import TABLE
from orchestrator.items.states import State
from orchestrator.ledger import views
from orchestrator.ledger.records import Batch, Item
from orchestrator.ledger.store import Store
from orchestrator.video_models.prices import MICRO


@dataclass(frozen=True, slots=True)
class Mended:
    """Rows in the manifest's order. `sources`: how many of them are there only since others are made from them.
    `budget_usd` and `window` are the manifest's, which the batch was submitted with last."""

    rows: tuple[WrittenRow, ...]
    sources: int
    budget_usd: Decimal | None
    window: Window | None


async def mended(store: Store, batch: Batch, states: Collection[State]) -> Mended:
    """The rows of a batch whose wanted content is in one of these states, or all of them.

    A row that is made from another one of the batch needs that one in the manifest: it comes along, and stays as it is.
    """
    latest: dict[str, str] = {}
    items: dict[str, Item] = {}
    async for item in views.items(store, batch.name):
        if item.ref.item == item.spec.key:
            latest[item.spec.key] = item.fields.get("latest") or item.spec.key
        items[item.ref.item] = item
    current = {key: items[wanted] for key, wanted in latest.items() if wanted in items}
    chosen = {key for key, item in current.items() if not states or item.state in states}
    needed = set(chosen)
    for key in chosen:
        while (source := _source(current[key])) in current and source not in needed:
            needed.add(source)
            key = source
    rows = tuple(_row(item, is_source=key not in chosen) for key, item in current.items() if key in needed)
    budget = batch.fields.get("manifest_budget")
    window = batch.fields.get("window")
    return Mended(
        rows,
        len(needed - chosen),
        Decimal(budget) / MICRO if budget else None,
        Window.parse(window) if window else None,
    )


def _source(item: Item) -> str:
    """The key of what it is made from; empty where that is nothing of this batch."""
    of = item.spec.remix_of or ""
    return "" if is_remote_id(of) else of


def _row(item: Item, *, is_source: bool) -> WrittenRow:
    spec = item.spec
    names = ("key", "prompt", "model", "size", "seconds", "input_reference", "remix_of", "deployment")
    fields = {name: getattr(spec, name) for name in names} | {"priority": int(item.fields.get("priority") or 0)}
    return WrittenRow(fields, spec.labels, "a row below is made from it" if is_source else _note(item))


def _note(item: Item) -> str:
    if item.state is State.ARCHIVED or not item.reason:
        return str(item.state)
    known = TABLE.get(item.reason)
    why = f"{item.state}, {item.reason}" + (f": {known.meaning}" if known else "")
    said = " ".join((item.message or "").split())[:300]
    return "\n".join(line for line in (why, said, f"to do: {known.mend}" if known else "") if line)
