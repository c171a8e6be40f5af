"""A problem of a manifest, the error that carries all of them, and the list in which they gather."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

KEPT = 100
_LONGEST_VALUE = 80
_LONGEST_TEXT = 1_000
_REMEMBERED = 10_000


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing to mend, as `validate --json` prints it.

    `line` and `column` count from 1 (in CSV, `column` is the cell's); None where there is no such place. `path` is
    `items[3].size` (counted from 0), or the column's name. `value` is what stands there, cut when it is long.
    """

    file: str
    line: int | None
    column: int | None
    path: str
    value: str
    message: str
    hint: str

    def __str__(self) -> str:
        place = ":".join(str(part) for part in (self.file, self.line, self.column) if part is not None)
        path = f" {self.path}:" if self.path else ""
        return f"{place}:{path} {self.message}" + (f" ({self.hint})" if self.hint else "")


class ManifestError(Exception):
    """A manifest has problems: none of it may be queued.

    `problems` are sorted by place, the manifest before the file of its rows; at most 100 of them are kept.
    `problem_count` counts them all.
    """

    def __init__(self, problems: Sequence[Problem], problem_count: int | None = None) -> None:
        self.problems = list(problems)
        self.problem_count = len(self.problems) if problem_count is None else problem_count
        count = "1 problem" if self.problem_count == 1 else f"{self.problem_count} problems"
        super().__init__("\n".join([f"{count} in the manifest", *map(str, self.problems)]))

    def __reduce__(self) -> tuple[type[ManifestError], tuple[list[Problem], int]]:
        return type(self), (self.problems, self.problem_count)


class Spot(NamedTuple):
    """Where something stands.

    `shared`: in a part that many rows look at (defaults), so it is reported once. `cell`: what a spreadsheet calls
    it, like `C7`; the hint ends with it.
    """

    file: str
    line: int | None
    column: int | None
    path: str
    shared: bool = False
    cell: str = ""


class Problems:
    """Gathers problems: all are counted, the first 100 by place are kept, so memory stays flat."""

    def __init__(self) -> None:
        self.count = 0
        self._kept: list[tuple[int, int, int, int, Problem]] = []
        self._files: dict[str, int] = {}
        self._of_row: set[tuple[Spot, str]] = set()
        self._shared: set[tuple[Spot, str]] = set()
        self._held: list[tuple[Spot, str, str, str]] | None = None

    def begin_file(self, file: str) -> None:
        """Files are sorted as they were begun."""
        self._files.setdefault(file, len(self._files))

    def begin_row(self) -> None:
        """What one row says several times, once for each of its takes, counts once."""
        self._of_row.clear()

    def add(self, spot: Spot, value: str, message: str, hint: str) -> None:
        """One more problem. `value` is cut to a readable length."""
        if self._held is not None:
            self.count += 1
            self._held.append((spot, value, message, hint))
            return
        seen = self._shared if spot.shared else self._of_row
        if (spot, message) in seen:
            return
        if len(seen) < _REMEMBERED:
            seen.add((spot, message))
        self.count += 1
        hint += f"; cell {spot.cell}" if spot.cell else ""
        file, path, message, hint = map(_printable, (spot.file, spot.path, message, hint))
        problem = Problem(file, spot.line, spot.column, path, excerpt(value), message, hint)
        rank = self._files.setdefault(spot.file, len(self._files))
        self._kept.append((rank, spot.line or 0, spot.column or 0, self.count, problem))
        if len(self._kept) >= 4 * KEPT:
            self._kept = sorted(self._kept)[:KEPT]

    def hold(self) -> None:
        """From now on problems are only kept in mind, until it is settled whether they count."""
        self._held = []

    def settle(self, left_out: int | None) -> None:
        """Those that were kept in mind count, but for those from line `left_out` on; None: all of them."""
        held, self._held = self._held or [], None
        self.count -= len(held)
        for spot, value, message, hint in held:
            if left_out is None or spot.line is None or spot.line < left_out:
                self.add(spot, value, message, hint)

    def raise_if_any(self) -> None:
        """Raises ManifestError when there is a problem."""
        if self.count:
            raise self.error()

    def error(self) -> ManifestError:
        """All of them as one error."""
        return ManifestError([entry[-1] for entry in sorted(self._kept)[:KEPT]], self.count)


def excerpt(value: str) -> str:
    """A value as it may stand in a message: not long, and printable anywhere."""
    short = value if len(value) <= _LONGEST_VALUE else value[: _LONGEST_VALUE - 1] + "…"
    return short.encode("utf-8", "backslashreplace").decode()


def _printable(text: str) -> str:
    """A text that may quote the file, so that nothing in it can upset a terminal or a log."""
    text = text[:_LONGEST_TEXT]
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
