"""Reads YAML manifests: the header first, then item by item, whatever their order in the file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from manifests.readers.entry import row_of
from manifests.readers.node import Node, NodePlaces
from manifests.readers.reading import Reading
from manifests.readers.row import Row
from manifests.readers.yaml_events import YamlEvents
from manifests.readers.yaml_fault import fault_of
from manifests.readers.yaml_source import Unreadable


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
        fault = fault_of(error, path)
        reading.problem(fault.line, fault.column, "", "", f"this is not YAML: {fault.message}", fault.hint)
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
