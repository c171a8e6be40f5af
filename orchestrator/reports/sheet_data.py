"""What the contact sheet's script works with: a batch and its items as one JSON document, written as they are read.

`items` is a list of objects with one letter a field, and what is absent left out; what many items share (states,
orders, labels, reasons) is said once, in tables behind the list, and named by its number there:

k key · p prompt · s state · o order · l label names and values in turn · c cost (dollars) · d duration (s) · b bytes ·
a archived at · r reason · m the provider's words · n key of what took its place, whose state is `superseded` then ·
x not as ordered · f file, where it is not KEY.mp4 · i picture · z 1 where a text is shortened
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import AsyncIterator, Hashable
from typing import Any

from orchestrator.clock import rfc3339
from orchestrator.items.failures import TABLE
from orchestrator.items.states import BatchState, State
from orchestrator.ledger.records import Batch, Item
from orchestrator.ledger.replacements import SUPERSEDED
from orchestrator.video_models.prices import usd

#: Characters of prompts, labels and messages in one page, about, whatever the batch: beyond, each item's are shortened
#: to its share, but to no less than the least. A page of 5,000 items has room for 4,000 characters of each.
TEXT_LIMIT, LEAST_TEXT, MOST_TEXT = 20_000_000, 200, 32_000
#: Items written at once.
CHUNK = 200
#: What must not stand in an HTML script element, or in a line of one.
_ESCAPES = {ord(c): f"\\u{ord(c):04x}" for c in "<>&\u2028\u2029"}


class Table:
    """Values that many items share, each with a number."""

    def __init__(self) -> None:
        self._numbers: dict[Hashable, int] = {}

    def number(self, value: Hashable) -> int:
        return self._numbers.setdefault(value, len(self._numbers))

    def __iter__(self) -> Any:
        return iter(self._numbers)


async def sheet_data(batch: Batch, items: AsyncIterator[Item], *, now: float) -> AsyncIterator[str]:
    """The document in pieces; none of them could end the script element in which it stands. `now`: Unix seconds."""
    rows, room = _Rows(), max(LEAST_TEXT, min(MOST_TEXT, TEXT_LIMIT // max(batch.total, 1)))
    yield '{"items":['
    chunk: list[str] = []
    first = True
    async for item in items:
        chunk.append(_json(rows.row(item, room)))
        if len(chunk) >= CHUNK:
            yield ("" if first else ",\n") + ",\n".join(chunk)
            chunk, first = [], False
    if chunk:
        yield ("" if first else ",\n") + ",\n".join(chunk)
    yield "],\n" + _json({**rows.tables(), **_facts(batch, rows, now)})[1:]


class _Rows:
    """Turns items into rows, and counts what the page tells of all."""

    def __init__(self) -> None:
        self._states, self._orders, self._labels, self._reasons = Table(), Table(), Table(), Table()
        self.counts: Counter[str] = Counter()
        self.film_s = 0.0

    def row(self, item: Item, room: int) -> dict[str, object]:
        """One item; its texts take so many characters, about."""
        spec, fields, attempt = item.spec, item.fields, item.attempt
        state, half = SUPERSEDED if item.replaced_by else str(item.state), room // 2
        labels, used = self._labelled(item, half)
        message = _clipped(item.message or "", half // 2)
        prompt = _clipped(spec.prompt, room - used - len(message))
        found: dict[str, object] = {
            "k": item.ref.item,
            "p": prompt,
            "s": self._states.number(state),
            "o": self._orders.number((spec.model, spec.size, spec.seconds)),
            "l": labels,
            "r": self._reasons.number(item.reason) if item.reason and item.state is not State.ARCHIVED else None,
            "m": message if item.state is not State.ARCHIVED else None,
            "n": item.replaced_by,
            "z": 1 if prompt != spec.prompt or len(labels) < 2 * len(spec.labels) else None,
        }
        if attempt and attempt.price is not None and attempt.money != "none":
            found["c"] = usd(attempt.price)
        if item.state is State.ARCHIVED:
            file, duration = fields["file"], float(fields.get("duration_s") or 0)
            found |= {
                "d": round(duration, 2) or None,
                "b": int(fields["bytes"]) if fields.get("bytes") else None,
                "a": fields.get("archived_at"),
                "x": _clipped(fields.get("mismatch") or "", 300),
                "f": file if file != f"{item.ref.item}.mp4" else None,
                "i": fields.get("poster"),
            }
            self.film_s += duration
        self.counts[state] += 1
        return {name: value for name, value in found.items() if value not in (None, "", [])}

    def _labelled(self, item: Item, room: int) -> tuple[list[int], int]:
        """Names and values as numbers, as many as there is room for; and how much they take."""
        found: list[int] = []
        used = 0
        for name, value in item.spec.labels.items():
            used += len(name) + len(value)
            if used > room:
                break
            found += (self._labels.number(name), self._labels.number(value))
        return found, min(used, room)

    def tables(self) -> dict[str, object]:
        """What the numbers stand for. A reason is its code, what it means, and what to do."""
        known = ((code, TABLE.get(code)) for code in self._reasons)
        return {
            "states": list(self._states),
            "orders": list(self._orders),
            "labels": list(self._labels),
            "reasons": [[code, f.meaning, f.mend] if f else [code, code, ""] for code, f in known],
        }


def _facts(batch: Batch, rows: _Rows, now: float) -> dict[str, object]:
    """What the page says of the batch. Instants are RFC 3339, money is in dollars."""
    return {
        "batch": batch.name,
        "running": batch.state is not BatchState.FINAL,
        "paused": batch.state is BatchState.PAUSED,
        "written": rfc3339(now),
        "counts": dict(rows.counts),
        "film_s": round(rows.film_s, 2),
        "elapsed_s": round(max(0.0, (batch.final_at or now) - batch.started_at)) if batch.started_at else None,
        "confirmed_usd": usd(batch.confirmed),
        "unknown_usd": usd(batch.unknown),
    }


def _clipped(text: str, most: int) -> str:
    return text if len(text) <= most else text[: max(most - 1, 0)] + "…"


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).translate(_ESCAPES)
