"""YAML as a stream of values with their places: composed piece by piece, so a long list is never held whole.

Events come from libyaml. Only plain values are made: no tag can name a Python object. An alias shares what it names
instead of copying it, and aliases, anchors, nesting and the length of a text have an end, so that no document can grow
in memory, or take more time than its size is worth.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, BinaryIO

import yaml

from manifests.problem import excerpt
from manifests.readers.node import Node
from manifests.readers.reading import Reading
from manifests.readers.yaml_source import Unreadable, YamlSource

_DEEPEST = 32
_MOST_KEPT = 1_000_000  # values with an anchor, and in them: they are kept to the end
# Values that aliases may repeat: so many, and for each value that is written out so many more.
_MOST_REPEATED, _REPEATED_EACH = 1_000_000, 20
_CORE = "tag:yaml.org,2002:"
_TAGS = frozenset({None, "!", *(_CORE + kind for kind in ("str", "int", "float", "bool", "null", "seq", "map"))})
_NULLS = frozenset({"", "~", "null", "Null", "NULL"})


class YamlEvents:
    """One pass over a YAML document. Without a `reading` it is silent about what another pass has told already."""

    def __init__(self, stream: BinaryIO, reading: Reading | None) -> None:
        self.reading = reading
        self._source = YamlSource(stream)
        self._loader = yaml.CSafeLoader(self._source)
        self._anchors: dict[str, tuple[Node, int]] = {}  # with how many values each is
        self._composed = self._repeated = self._kept = self._inside = 0

    def close(self) -> None:
        self._loader.dispose()

    def next(self) -> Any:
        """The next event of libyaml. Raises yaml.YAMLError."""
        event = self._source.event = self._loader.get_event()
        return event

    def names(self) -> Iterator[tuple[Node, Any]]:
        """The top level's names, each with the event that begins its value: the caller takes the value first.

        Raises Unreadable where the document is empty, is no mapping, or is followed by another one.
        """
        self.next()
        if isinstance(self.next(), yaml.StreamEndEvent):
            raise Unreadable(None, "the file is empty", "write at least items: with one item")
        top = self.next()
        if not isinstance(top, yaml.MappingStartEvent):
            table = "begin with items:; if it is a table, let the file's name end in .csv"
            hint = "put items: above the list" if isinstance(top, yaml.SequenceStartEvent) else table
            raise Unreadable(top.start_mark, "a manifest must be a mapping of names to values", hint)
        while not isinstance(event := self.next(), yaml.MappingEndEvent):
            name = self._name(event, "")
            text = str(name.content)
            if text.startswith("-"):
                raise Unreadable(event.start_mark, "a space is missing after the -", f"write - {text[1:]}:")
            if text[:1].isspace():
                message = "what stands before this looks like a space, and is another character"
                raise Unreadable(event.start_mark, message, "type plain spaces there; word processors have others")
            yield name, self.next()
        self.next()
        if not isinstance(event := self.next(), yaml.StreamEndEvent):
            raise Unreadable(event.start_mark, "a second document begins here", "write one manifest a file")

    def skip(self, event: Any) -> Node:
        """Passes over the value that begins with `event`; the node says only of what kind it is, and where."""
        if isinstance(event, (yaml.ScalarEvent, yaml.AliasEvent)) or event.anchor:
            return self.compose(event, "items", 1)
        mark = event.start_mark
        node = Node([] if isinstance(event, yaml.SequenceStartEvent) else {}, mark.line + 1, mark.column + 1)
        depth = 1
        while depth:
            event = self.next()
            if isinstance(event, yaml.CollectionEndEvent):
                depth -= 1
            elif isinstance(event, yaml.NodeEvent) and event.anchor and not isinstance(event, yaml.AliasEvent):
                self.compose(event, "items", 2)
            elif isinstance(event, yaml.CollectionStartEvent):
                depth += 1
                self._check_depth(event, depth - 1)
        return node

    def entries(self, event: Any, path: str) -> Iterator[Node]:
        """The entries of the list that begins with `event`, one after the other."""
        if isinstance(event, yaml.SequenceStartEvent) and not event.anchor:
            count = 0
            while not isinstance(event := self.next(), yaml.SequenceEndEvent):
                yield self.compose(event, f"{path}[{count}]", 1)
                count += 1
        elif isinstance(content := self.compose(event, path, 1).content, list):
            yield from content

    def compose(self, event: Any, path: str, depth: int = 0) -> Node:
        """The whole value that begins with `event`. Raises Unreadable, yaml.YAMLError."""
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event)
        self._check_depth(event, depth)
        mark, before = event.start_mark, self._composed + self._repeated
        node = Node(None, mark.line + 1, mark.column + 1)
        self._composed += 1
        if event.anchor or self._inside:
            self._keep(mark)
        if event.tag not in _TAGS:
            tag = event.tag.replace(_CORE, "!!")
            hint = "take the tag out, and put the text in quotes if it begins with !"
            self._problem(node, path, tag, f"the tag {excerpt(tag)} is not allowed here", hint)
        self._inside += bool(event.anchor)
        if isinstance(event, yaml.ScalarEvent):
            null = (event.implicit[0] and event.value in _NULLS) or event.tag == f"{_CORE}null"
            node.content = None if null else event.value
        elif isinstance(event, yaml.SequenceStartEvent):
            entries: list[Node] = []
            while not isinstance(inner := self.next(), yaml.SequenceEndEvent):
                entries.append(self.compose(inner, f"{path}[{len(entries)}]", depth + 1))
            node.content = entries
        else:
            node.content = self._mapping(path, depth)
        if event.anchor:
            self._inside -= 1
            self._anchors[event.anchor] = node, self._composed + self._repeated - before
        return node

    def _alias(self, event: Any) -> Node:
        mark = event.start_mark
        if event.anchor not in self._anchors:
            hint = f"put the text in quotes if it begins with *; else write &{event.anchor} before what is meant"
            raise Unreadable(mark, f"*{event.anchor} names nothing above it", hint)
        node, values = self._anchors[event.anchor]
        self._repeated += values
        if self._repeated > _MOST_REPEATED + _REPEATED_EACH * self._composed:
            message = f"*{event.anchor} and what stands above it repeat values more than {_MOST_REPEATED:,} times"
            raise Unreadable(mark, message, "write what is the same for all items once, under defaults:")
        return replace(node, line=mark.line + 1, column=mark.column + 1)

    def _keep(self, mark: Any) -> None:
        self._kept += 1
        if self._kept > _MOST_KEPT:
            message = f"more than {_MOST_KEPT:,} values are named by & to be repeated"
            raise Unreadable(mark, message, "take the & and the name after it out where nothing repeats it")

    def _check_depth(self, event: Any, depth: int) -> None:
        if depth > _DEEPEST:
            message = "values are nested too deeply"
            raise Unreadable(event.start_mark, message, "a manifest needs no more than four levels")

    def _mapping(self, path: str, depth: int) -> dict[str, Node]:
        content: dict[str, Node] = {}
        merged: list[Node] = []
        while not isinstance(event := self.next(), yaml.MappingEndEvent):
            name = self._name(event, path)
            text = str(name.content)
            value = self.compose(self.next(), f"{path}.{text}" if path else text, depth + 1)
            value.key_line, value.key_column = name.line, name.column
            if text == "<<" and event.implicit[0]:
                merged += value.content if isinstance(value.content, list) else [value]
            elif text in content:
                self.repeated(name, path, content[text])
            else:
                content[text] = value
        for source in merged:
            if not isinstance(source.content, dict):
                self._problem(source, f"{path}.<<", "", "only a mapping can be merged", "write <<: *name of a mapping")
                continue
            for text, value in source.content.items():
                content.setdefault(text, value)
        return content

    def repeated(self, name: Node, path: str, first: Node) -> None:
        """A name that stands twice in one mapping is a problem: one of the two would be lost."""
        text = str(name.content)
        message = f"{excerpt(text)} stands twice: it is on line {first.key_line} already"
        self._problem(name, f"{path}.{text}" if path else text, text, message, "take one of them out")

    def _name(self, event: Any, path: str) -> Node:
        mark = event.start_mark
        if not isinstance(event, yaml.ScalarEvent):
            hint = "write a plain name and a colon; a text that begins with { or [ must stand in quotes"
            raise Unreadable(mark, f"a name{f' in {path}' if path else ''} must be a plain text", hint)
        return Node(event.value, mark.line + 1, mark.column + 1)

    def _problem(self, node: Node, path: str, value: str, message: str, hint: str) -> None:
        if self.reading is not None:
            self.reading.problem(node.line, node.column, path, value, message, hint)
