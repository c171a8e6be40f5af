"""A reading: one pass over one file of a manifest."""

from __future__ import annotations

from dataclasses import dataclass, field

from manifests.problem import Problems, Spot
from manifests.readers.renaming import Renaming


@dataclass(slots=True)
class Reading:
    """One reading of one file: where its problems go and what it shows about the whole.

    `file` is the name that messages use. `columns` gathers the manifest's own columns in order. `given`: the
    fields that are given otherwise, which a row may therefore leave out. `sheet`: the one to read of a workbook, None
    for its first. `renaming`: which columns are fields under another name, None where none is.
    """

    file: str
    problems: Problems
    columns: dict[str, None] = field(default_factory=dict)
    given: frozenset[str] = frozenset()
    sheet: str | None = None
    renaming: Renaming | None = None

    def problem(self, line: int | None, column: int | None, path: str, value: str, message: str, hint: str) -> None:
        self.problems.add(Spot(self.file, line, column, path), value, message, hint)
