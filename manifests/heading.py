"""The heading: what a manifest says of the whole batch, above its items."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

from manifests.key import BATCH_NAME_RULE, better_batch_name, is_batch_name, name_from_file
from manifests.readers.entry import row_of
from manifests.readers.input_file import ROW_FILES, YAML, too_large, unreadable
from manifests.readers.node import NodePlaces
from manifests.readers.reading import Reading
from manifests.readers.row import Row
from manifests.readers.yaml_reader import Header, read_header
from manifests.vocabulary.amount import usd_of
from manifests.vocabulary.fields import HEADER, unknown_header
from manifests.window import FIELDS as WINDOW_FIELDS
from manifests.window import Window, faults_of, read_window

VERSION = "1"


@dataclass(slots=True)
class Heading:
    """`name` still has its `{date}` and `{time}`. `has_items`: the file itself has items. `rows`: where others are."""

    name: str
    budget_usd: Decimal | None = None
    window: Window | None = None
    defaults: Row | None = None
    has_items: bool = True
    rows: Path | None = None
    default_columns: dict[str, None] = field(default_factory=dict)


def read_heading(path: Path, folder: Path, reading: Reading) -> Heading | None:
    """The heading of any manifest; of CSV and JSONL it is only a name, made of the file's as messages have it.

    `folder`: what paths in the manifest are relative to. None when the file cannot be read. Raises OSError.
    """
    heading = Heading(name_from_file(Path(reading.file).stem))
    if path.suffix.lower() not in YAML:
        return heading
    header = read_header(path, reading)
    if header is None:
        return None
    for name, node in header.values.items():
        if name not in HEADER:
            message, hint = unknown_header(name)
            reading.problem(node.key_line, node.key_column, name, name, message, hint)
    _check_version(header, reading)
    heading.name = _name(header, heading.name, reading)
    heading.budget_usd = _budget(header, reading)
    heading.window = _window(header, reading)
    heading.defaults = _defaults(header, heading, reading)
    heading.rows = _rows(header, folder, reading)
    heading.has_items = _has_items(header, reading)
    return heading


def _check_version(header: Header, reading: Reading) -> None:
    node = header.values.get("version")
    if node is not None and node.text != VERSION:
        message = "only version 1 of manifests is known to this program"
        reading.problem(node.line, node.column, "version", node.text, message, "write version: 1, or update dailies")


def _name(header: Header, default: str, reading: Reading) -> str:
    node = header.values.get("name")
    if node is None or node.content is None:
        return default
    name = node.text
    if is_batch_name(name):
        return name
    better = better_batch_name(name)
    hint = f"write name: {better}" if better else "write name: spring, for example"
    if "{" in name:
        hint += "; only {date} and {time} can stand in a name"
    reading.problem(node.line, node.column, "name", name, BATCH_NAME_RULE, hint)
    return default


def _budget(header: Header, reading: Reading) -> Decimal | None:
    node = header.values.get("budget_usd")
    if node is None or node.content is None:
        return None
    if (budget := usd_of(node.text)) is not None:
        return budget
    message = "must be an amount in US dollars, more than 0"
    hint = "write it plainly, with a dot and no sign: budget_usd: 120.50"
    reading.problem(node.line, node.column, "budget_usd", node.text, message, hint)
    return None


def _window(header: Header, reading: Reading) -> Window | None:
    node = header.values.get("window")
    if node is None or node.content is None:
        return None
    if not isinstance(node.content, dict):
        message = f"must be a mapping of start, end, timezone and days, and this is {node.kind}"
        hint = 'write window: {start: "22:00", end: "06:00", timezone: Europe/Stockholm}'
        reading.problem(node.line, node.column, "window", node.text, message, hint)
        return None
    values: dict[str, str | list[str]] = {
        name: [part.text for part in value.content] if isinstance(value.content, list) else value.text
        for name, value in node.content.items()
        if value.content is not None
    }
    faults = list(faults_of(values))
    for fault in faults:
        place = node.content.get(fault.field, node)
        known = fault.field in WINDOW_FIELDS
        line, column = (place.line, place.column) if known else (place.key_line, place.key_column)
        reading.problem(line, column, f"window.{fault.field}", place.text, fault.message, fault.hint)
    return None if faults else read_window(values)


def _defaults(header: Header, heading: Heading, reading: Reading) -> Row | None:
    node = header.values.get("defaults")
    if node is None or node.content is None:
        return None
    if not isinstance(node.content, dict):
        message = f"must be a mapping of fields, and this is {node.kind}"
        hint = "write defaults: {model: sora-2, seconds: 8}"
        reading.problem(node.line, node.column, "defaults", node.text, message, hint)
        return None
    own = Reading(reading.file, reading.problems, heading.default_columns)
    return row_of(node, NodePlaces(reading.file, "defaults", node, shared=True), node.line or 1, own)


def _rows(header: Header, folder: Path, reading: Reading) -> Path | None:
    node = header.values.get("items_from")
    if node is None or node.content is None:
        return None
    rows = folder / node.text
    wrong = None
    if not node.text:
        wrong = "must be the path of a file", "write items_from: rows.csv"
    elif rows.suffix.lower() not in ROW_FILES:
        wrong = (
            "must be a CSV, XLSX or JSONL file",
            f"its name must end in {', '.join(ROW_FILES[:-1])} or {ROW_FILES[-1]}",
        )
    elif why := unreadable(rows):
        wrong = why, f"the path is relative to the manifest's folder, {folder.resolve()}"
    else:
        wrong = too_large(rows.stat().st_size)
    if wrong is None:
        return rows
    reading.problem(node.line, node.column, "items_from", node.text, *wrong)
    return None


def _has_items(header: Header, reading: Reading) -> bool:
    items = header.items
    if items is None or items.content is None:
        if "items_from" not in header.values:
            hint = "write items: and below it a list, each item beginning with -"
            reading.problem(None, None, "items", "", "there are no items", hint)
        return False
    if isinstance(items.content, list):
        return True
    hint = "begin each item with - on a line of its own"
    reading.problem(items.line, items.column, "items", items.text, f"must be a list, and this is {items.kind}", hint)
    return False
