"""Reads YAML manifests: the header first, then item by item, whatever their order in the file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from manifests.node import Node, NodePlaces, row_of
from manifests.row import Reading, Row
from manifests.yaml_events import Unreadable, YamlEvents

# What libyaml says, for people who never heard of it: part of its message → (what is wrong, what to do).
_SAID = (
    ("mapping values are not allowed", "a colon stands where none can be", 'put the text in quotes: "like: this"'),
    ("cannot start any token", "this character cannot begin a value", "put the text in quotes; indent by spaces"),
    (
        "did not find expected key",
        "this does not fit what stands before it",
        'indent it like its neighbours; a text that begins with { or [ or " must be in quotes as a whole',
    ),
    (
        "did not find expected '-'",
        "this line does not fit the list above it",
        "indent it like its neighbours; each item begins with - in the same column",
    ),
    ("could not find expected ':'", "a name without a colon", "write name: value; indent a long text below its name"),
)
# The same, for what is opened and never closed: told at the place where it was opened.
_OPENED = (
    ("did not find expected ',' or", "a list or mapping in brackets is not closed", "close it with ] or }"),
    ("unexpected end of stream", "a quote is opened and never closed", "close the quote"),
)


@dataclass(slots=True)
class Header:
    """The top level of a YAML manifest. `items` says only of what kind it is and where; None when there is none."""

    values: dict[str, Node] = field(default_factory=dict)
    items: Node | None = None


def read_header(path: Path, reading: Reading) -> Header | None:
    """All of the top level but the items. None when the file cannot be read; the problem is noted then."""
    header = Header()
    with path.open("rb") as stream, closing(YamlEvents(stream, reading)) as events:
        try:
            for name, event in events.names():
                text = str(name.content)
                if text in header.values or (text == "items" and header.items):
                    events.repeated(name, "", header.values.get(text) or header.items or name)
                    events.reading = None
                    events.skip(event)
                    events.reading = reading
                    continue
                if text == "items":
                    value = header.items = events.skip(event)
                else:
                    value = header.values[text] = events.compose(event, text)
                value.key_line, value.key_column = name.line, name.column
        except (Unreadable, yaml.YAMLError) as error:
            _note(error, path, reading)
            return None
    return header


def read_items(path: Path, reading: Reading) -> Iterator[Row]:
    """The items as rows, streaming. What is wrong elsewhere in the file was told with the header."""
    with path.open("rb") as stream, closing(YamlEvents(stream, None)) as events:
        try:
            for name, event in events.names():
                if name.content != "items":
                    events.compose(event, "")
                    continue
                events.reading = reading
                for number, node in enumerate(events.entries(event, "items")):
                    line = node.line or 1
                    row = row_of(node, NodePlaces(reading.file, f"items[{number}]", node), line, reading)
                    if row is not None:
                        yield row
                return
        except (Unreadable, yaml.YAMLError) as error:
            _note(error, path, reading)


def _note(error: Unreadable | yaml.YAMLError, path: Path, reading: Reading) -> None:
    if isinstance(error, Unreadable):
        reading.problem(error.line, error.column, "", "", error.message, error.hint)
    elif isinstance(error, yaml.MarkedYAMLError):
        mark = error.problem_mark or error.context_mark
        said = f"{error.problem or error.context}"
        message, hint = said, "mend this line, or the one above it"
        for part, what, mend in _SAID:
            if part in said:
                message, hint = what, mend
        for part, what, mend in _OPENED:
            if part in said:
                message, hint, mark = what, mend, error.context_mark or mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (None, None)
        reading.problem(line, column, "", "", f"this is not YAML: {message}", hint)
    elif isinstance(error, yaml.reader.ReaderError):
        line = _line_of(error.position, path)
        reading.problem(line, None, "", "", f"this is not text: {error.reason}", "save the file as UTF-8")
    else:
        reading.problem(None, None, "", "", f"this is not YAML: {error}", "compare it with an example")


def _line_of(offset: int, path: Path) -> int:
    """The line of a byte, counted from 1."""
    line = 1
    with path.open("rb") as stream:
        while offset > 0 and (chunk := stream.read(min(offset, 1 << 16))):
            line += chunk.count(b"\n")
            offset -= len(chunk)
    return line
