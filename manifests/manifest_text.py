"""Rows written back as a manifest, to be mended and submitted again: what is not changed keeps its fingerprint.

What was filled in and expanded is written out: each row is one video, with every value of its own.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import yaml

from manifests.draft import TEMPLATES
from manifests.key import safe
from manifests.readers.table import column_problem
from manifests.results_sheet import guarded
from manifests.window import DAYS, EVERY_DAY, Window

#: Fields as they are written, in this order.
_FIELDS = ("key", "prompt", "model", "size", "seconds", "input_reference", "remix_of", "deployment", "priority")


class NoColumn(Exception):
    """A label cannot be a column of a table. `.label` names it, the text says why."""

    def __init__(self, label: str, why: str) -> None:
        super().__init__(f"the label {label!r} cannot be a column: {why}")
        self.label = label


@dataclass(frozen=True, slots=True)
class WrittenRow:
    """One row. `fields` holds values as they are meant, `note` what a person should know of it (in YAML alone)."""

    fields: Mapping[str, str | int | None]
    labels: Mapping[str, str]
    note: str = ""

    def plain(self) -> tuple[dict[str, str | int], dict[str, str]]:
        """Its fields as they are written, without what is absent, and its labels: braces are doubled, and a key stands
        as it was written first, which the label `key` remembers and no manifest may say (a second take loses it)."""
        labels, values = dict(self.labels), dict(self.fields)
        first = labels.pop("key", "")
        if safe(first) == values["key"]:
            values["key"] = first
        kept = {name: values[name] for name in _FIELDS if values.get(name) not in (None, "")}
        if not kept.get("priority"):
            kept.pop("priority", None)
        return {name: _escaped(name, value) for name, value in kept.items() if value is not None}, labels


def as_yaml(
    rows: Iterable[WrittenRow], *, name: str, budget_usd: Decimal | None = None, window: Window | None = None
) -> Iterator[str]:
    """A YAML manifest of the batch `name`, piece by piece."""
    heading: dict[str, Any] = {"version": 1, "name": name}
    if budget_usd is not None:
        heading["budget_usd"] = int(budget_usd) if budget_usd == int(budget_usd) else float(budget_usd)
    if window is not None:
        days = {} if window.days == EVERY_DAY else {"days": [DAYS[day] for day in sorted(window.days)]}
        hours = {"start": f"{window.start:%H:%M}", "end": f"{window.end:%H:%M}", "timezone": window.timezone}
        heading["window"] = hours | days
    yield _dumped(heading)
    yield "items:\n"
    for row in rows:
        fields, labels = row.plain()
        for line in row.note.splitlines():
            yield f"# {''.join(filter(str.isprintable, line))}\n"
        yield _dumped([fields | ({"labels": labels} if labels else {})])


def as_jsonl(rows: Iterable[WrittenRow]) -> Iterator[str]:
    """JSON, one row a line."""
    for row in rows:
        fields, labels = row.plain()
        yield json.dumps(fields | ({"labels": labels} if labels else {}), ensure_ascii=False) + "\n"


def as_csv(rows: Sequence[WrittenRow]) -> Iterator[str]:
    """CSV, a label a column. Raises NoColumn before anything is written."""
    plain = [row.plain() for row in rows]
    fields = [name for name in _FIELDS if any(name in each for each, _ in plain)]
    labels = list(dict.fromkeys(label for _, each in plain for label in each))
    for label in labels:
        if (wrong := column_problem(label)) or label in _FIELDS:
            raise NoColumn(label, wrong[0] if wrong else "a field has that name")
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\r\n")
    writer.writerow([*fields, *labels])
    for own, tags in plain:
        writer.writerow([own.get(name, "") for name in fields] + [tags.get(label, "") for label in labels])
        yield buffer.getvalue()
        buffer.seek(0)
        buffer.truncate()


def formulas(rows: Iterable[WrittenRow]) -> int:
    """How many rows have a cell that a spreadsheet program would take for a formula. In a manifest it stands as it is
    meant: a table of results alone has it in quotes."""
    return sum(any(guarded(str(cell)) != str(cell) for part in row.plain() for cell in part.values()) for row in rows)


def _escaped(name: str, value: str | int) -> str | int:
    return value.replace("{", "{{").replace("}", "}}") if isinstance(value, str) and name in TEMPLATES else value


def _dumped(value: object) -> str:
    return yaml.safe_dump(value, allow_unicode=True, sort_keys=False, width=1_000_000, default_flow_style=False)
