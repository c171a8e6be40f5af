"""A row: one entry of a manifest as it was read, before expansion. Every reader yields rows, each with its places."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from manifests.problem import Spot


class Places(Protocol):
    """Knows where the values of a row stand, and is asked only when there is a problem. `file`: as messages name it."""

    file: str

    def spot(self, line: int, *names: str) -> Spot:
        """The place of a value by its names (`size`, or `labels`, `market`); of the row itself without names."""

    def knows(self, name: str) -> bool:
        """Whether rows have a value of that name at all, even if this one leaves it empty."""


def plain(text: str) -> str:
    """A text as every format yields it: no outer white space, and the same line ends whatever program saved it.

    Else saving a sheet in another program would change what is rendered, and order it all again.
    """
    text = text.strip()
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text


@dataclass(slots=True)
class Row:
    """One entry as written: text without outer white space; what is empty or null is absent.

    `broken`: fields that are given, but are no text, which is told already. `verbatim`: braces in its texts are just
    braces (the OpenAI Batch form has no placeholders).
    """

    line: int
    places: Places
    fields: dict[str, str] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    matrix: dict[str, list[str]] = field(default_factory=dict)
    broken: frozenset[str] = frozenset()
    verbatim: bool = False

    def spot(self, *names: str) -> Spot:
        return self.places.spot(self.line, *names)
