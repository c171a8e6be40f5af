"""The batch's results as rows: `results.csv`, `results.jsonl`, and what `dailies results` prints.

The manifest's own columns come first, in their order; what became of each item follows.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import AsyncIterator, Iterable, Sequence

from manifests.results_sheet import guarded
from orchestrator.clock import rfc3339
from orchestrator.items.states import State
from orchestrator.ledger.records import Item
from orchestrator.ledger.replacements import SUPERSEDED
from orchestrator.video_models.prices import usd

OUTCOME_COLUMNS = (
    "key",
    "state",
    "reason",
    "billed",
    "cost_usd",
    "url",
    "duration_s",
    "bytes",
    "sha256",
    "deployment",
    "remote_id",
    "attempts",
    "created_at",
    "archived_at",
    "estimated_usd",
    "confirmed_usd",
    "unknown_usd",
    "replaced_by",
)
_SPEC_COLUMNS = ("prompt", "model", "size", "seconds", "input_reference", "remix_of")


def header(columns: Iterable[str]) -> list[str]:
    """The manifest's columns in their order, then the outcome's. One that is named as an outcome keeps its values, as
    they were written, under another heading: so the sheet can be joined with the one it came from."""
    return [_heading(c) for c in columns] + list(OUTCOME_COLUMNS)


def _heading(column: str) -> str:
    return f"{column} (manifest)" if column.strip().lower() in OUTCOME_COLUMNS else column


def row(item: Item, columns: Sequence[str]) -> dict[str, object]:
    """One item's row: column → value, None where there is nothing to say. `item` as `views.items` reads it."""
    spec, fields, attempt = item.spec, item.fields, item.attempt
    money = attempt.money if attempt else "none"
    billed = {"confirmed": "yes", "unknown": "unknown", "reserved": "no", "none": "no"}[money]
    own: dict[str, object] = {}
    for column in columns:
        named = column.strip().lower()
        if named == "priority":
            own[column] = int(fields["priority"])
        elif named in _SPEC_COLUMNS:
            own[column] = getattr(spec, named)
        else:
            asked = {"key": spec.labels.get("key", spec.key), "deployment": spec.deployment}
            own[_heading(column)] = spec.labels.get(column, asked.get(named))
    archived = item.state is State.ARCHIVED
    return own | {
        "key": item.ref.item,
        "state": SUPERSEDED if item.replaced_by else str(item.state),
        "reason": item.reason,
        "billed": billed,
        "cost_usd": usd(attempt.price) if attempt and attempt.price is not None and money != "none" else None,
        "url": fields.get("url"),
        "duration_s": float(fields["duration_s"]) if fields.get("duration_s") else None,
        "bytes": int(fields["bytes"]) if archived else None,
        "sha256": fields.get("sha256"),
        "deployment": item.deployment,
        "remote_id": item.remote_id,
        "attempts": item.calls,
        "created_at": rfc3339(_created_at(item)) or None,
        "archived_at": fields.get("archived_at"),
        # Of all its attempts: the most that they cost, what is known to be paid, and what may be.
        "estimated_usd": None if (most := _estimated(item)) is None else usd(most),
        "confirmed_usd": usd(int(fields.get("confirmed") or 0)),
        "unknown_usd": usd(int(fields.get("unknown") or 0)),
        "replaced_by": item.replaced_by,
    }


def _estimated(item: Item) -> int | None:
    """The most that all its attempts cost, with the one that it waits for (micro-dollars); None where nobody knows."""
    if not item.fields.get("price"):
        return None
    price = int(item.fields["price"])
    paid = sum(int(item.fields.get(name) or 0) for name in ("confirmed", "unknown"))
    return paid + price if item.state in (State.WAITING, State.ADMITTED) else max(price, paid)


async def as_csv(items: AsyncIterator[Item], columns: Sequence[str]) -> AsyncIterator[str]:
    """CSV, line by line: the header first. A spreadsheet program calculates nothing of it (manifests.results_sheet)."""
    names = header(columns)
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\r\n")
    writer.writerow(map(guarded, names))
    async for item in items:
        yield _drained(buffer)
        found = row(item, columns)
        writer.writerow(guarded(value) if isinstance(value, str) else value for value in map(found.get, names))
    yield _drained(buffer)


async def as_jsonl(items: AsyncIterator[Item], columns: Sequence[str]) -> AsyncIterator[str]:
    """JSON, one line an item."""
    async for item in items:
        yield json.dumps(row(item, columns), ensure_ascii=False) + "\n"


def _created_at(item: Item) -> float | None:
    created = item.attempt.fields.get("created_at") if item.attempt else None
    return float(created) if created else None


def _drained(buffer: io.StringIO) -> str:
    text = buffer.getvalue()
    buffer.seek(0)
    buffer.truncate()
    return text
