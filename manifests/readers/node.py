"""A tree of values with their places, from YAML or JSON."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from manifests.problem import Spot
from manifests.readers.row import plain

UNPRINTABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")


@dataclass(slots=True)
class Node:
    """One value: text (numbers and booleans as written), None, a list or a mapping.

    `key_line`, `key_column`: where the name before a mapping's value stands. None where places are not known.
    """

    content: str | list[Node] | dict[str, Node] | None
    line: int | None = None
    column: int | None = None
    key_line: int | None = None
    key_column: int | None = None

    @property
    def kind(self) -> str:
        """What it is, for messages."""
        if isinstance(self.content, dict):
            return "a mapping"
        if isinstance(self.content, list):
            return "a list"
        return "nothing" if self.content is None else "text"

    @property
    def text(self) -> str:
        """The text without outer white space; empty for everything else."""
        return plain(self.content) if isinstance(self.content, str) else ""


@dataclass(slots=True)
class NodePlaces:
    """The places of a row that was a mapping. `paths` renames fields that stand deeper than they seem."""

    file: str
    path: str
    node: Node
    shared: bool = False
    paths: Mapping[str, str] | None = None

    def spot(self, line: int, *names: str) -> Spot:
        node, path = self.node, self.path
        for name in names:
            if not isinstance(node.content, dict) or name not in node.content:
                break
            node = node.content[name]
            known = self.paths.get(name, name) if self.paths else name
            path = f"{path}.{known}" if path else known
        return Spot(self.file, node.line or line, node.column, path, self.shared)

    def knows(self, name: str) -> bool:
        return isinstance(self.node.content, dict) and name in self.node.content
