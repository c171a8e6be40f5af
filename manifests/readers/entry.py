"""An entry of a tree: how a mapping becomes a row."""

from __future__ import annotations

import re

from manifests.problem import Spot, excerpt
from manifests.readers.node import UNPRINTABLE, Node, NodePlaces
from manifests.readers.reading import Reading
from manifests.readers.row import Row
from manifests.vocabulary.fields import SCALARS, unknown_field

_STEERING = frozenset({"variants", "priority"})  # they say how to make items, and are no columns of a result
_CLOSE = re.compile(r"(\w+):\S")


def row_of(node: Node, places: NodePlaces, line: int, reading: Reading) -> Row | None:
    """The mapping as a row; problems of its shape are noted, and what is sound of it is kept."""
    if reading.renaming is not None:
        node = reading.renaming.of_item(node, places)
    if not isinstance(node.content, dict):
        hint = "write at least prompt: and what shall be seen" if node.line else 'write at least {"prompt": "…"}'
        if node.line and (found := _CLOSE.match(node.text)) and found[1] in SCALARS:
            hint = f"write a space after each colon, as in {found[1]}: …"
        message = f"an item must be a mapping of fields, and this is {node.kind}"
        reading.problems.add(places.spot(line), node.text, message, hint)
        return None
    row = Row(line, places)
    for name, value in node.content.items():
        if name in SCALARS:
            if (text := _text(value, row.spot(name), reading)) is not None:
                row.fields[name] = text
                if name not in _STEERING:
                    reading.columns.setdefault(name)
            elif isinstance(value.content, (dict, list)):
                row.broken |= {name}
        elif name == "labels":
            _labels(value, row, reading)
        elif name == "matrix":
            _matrix(value, row, reading)
        else:
            message, hint = unknown_field(name)
            spot = row.spot(name)._replace(line=value.key_line or line, column=value.key_column)
            reading.problems.add(spot, name, message, hint)
    return row


def _text(value: Node, spot: Spot, reading: Reading) -> str | None:
    """The text of a value that must be one, None when it is absent or wrong."""
    if isinstance(value.content, (dict, list)):
        hint = "write one text or number"
        if isinstance(value.content, dict) and value.line:
            hint += '; a text that begins with { must stand in quotes: "{product} on a table"'
        reading.problems.add(spot, "", f"must be a text or a number, and this is {value.kind}", hint)
    return value.text or None


def _labels(value: Node, row: Row, reading: Reading) -> None:
    for name, label in _mapping(value, row, "labels", "market: SE", reading).items():
        spot = row.spot("labels", name)
        if name == "key" or UNPRINTABLE.search(name) or not name.strip():
            why = ": it keeps the key as it was written" if name == "key" else ""
            reading.problems.add(spot, name, f"cannot be the name of a label{why}", "give the label another name")
        elif (text := _text(label, spot, reading)) is not None:
            row.labels[name] = text
            reading.columns.setdefault(name)


def _matrix(value: Node, row: Row, reading: Reading) -> None:
    for axis, values in _mapping(value, row, "matrix", "product: [mug, lamp]", reading).items():
        spot = row.spot("matrix", axis)
        if not isinstance(values.content, list) or not values.content:
            message = f"an axis must be a list with at least one value, and this is {_described(values)}"
            reading.problems.add(spot, values.text, message, f"write {axis}: [one, two]")
            row.matrix[axis] = []
            continue
        texts = [_axis_value(n, part, spot, reading) for n, part in enumerate(values.content)]
        seen: set[str] = set()
        for text in filter(None, texts):
            if text in seen:
                reading.problems.add(spot, text, f"{excerpt(text)} stands twice in the axis", "take one of them out")
            seen.add(text)
        row.matrix[axis] = texts
        reading.columns.setdefault(axis)


def _axis_value(n: int, part: Node, spot: Spot, reading: Reading) -> str:
    place = spot._replace(line=part.line or spot.line, column=part.column, path=f"{spot.path}[{n}]")
    text = _text(part, place, reading)
    if text is None and not isinstance(part.content, (dict, list)):
        reading.problems.add(place, "", "a value of an axis is empty", "write a value, or take it out")
    return text or ""


def _mapping(value: Node, row: Row, name: str, example: str, reading: Reading) -> dict[str, Node]:
    if isinstance(value.content, dict):
        return value.content
    if value.content is not None:
        message = f"must be a mapping of names to values, and this is {value.kind}"
        reading.problems.add(row.spot(name), value.text, message, f"write {name}: {{{example}}}")
    return {}


def _described(value: Node) -> str:
    return "an empty list" if isinstance(value.content, list) else value.kind
