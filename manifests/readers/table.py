"""A table: a header, then one row an item. Columns named as fields are fields, the others are labels."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from manifests.problem import Spot, excerpt
from manifests.readers.node import UNPRINTABLE
from manifests.readers.reading import Reading
from manifests.readers.row import Row, plain
from manifests.results_sheet import is_results, unguarded
from manifests.vocabulary.fields import SCALARS, UNABLE, likely_prompts, near_field
from manifests.vocabulary.spelling import field_name, tidy

# What programs write into a cell whose formula came to nothing.
NO_RESULT = frozenset(
    ["#NAME?", "#REF!", "#N/A", "#VALUE!", "#DIV/0!", "#NUM!", "#NULL!", "#SPILL!", "#ERROR!", "#CALC!"]
)
_SOUND: frozenset[str] = frozenset()

NameCell = Callable[[int, int], str]  # line, number of the column → what a person calls the cell; empty: nothing


def no_name(_line: int, _number: int) -> str:
    """The cells of a text file have no names."""
    return ""


class Table:
    """The columns of a table and the places of its rows: a row's line, and the number of the cell in it.

    `columns`: by the names that rows use, `Input Reference` as `input_reference`; empty for a column without a name.
    Messages name a column as it is written.
    """

    def __init__(self, reading: Reading, header: Sequence[str], line: int, name_cell: NameCell = no_name) -> None:
        self.file = reading.file
        self._guarded = is_results(header)
        header = [unguarded(cell) for cell in header] if self._guarded else header
        self._reading, self._line, self._name_cell = reading, line, name_cell
        self._written = [tidy(cell) for cell in header]
        self._renamed = reading.renaming.of_header(self._written) if reading.renaming is not None else {}
        self.columns = [self._renamed.get(at) or _resolved(cell) for at, cell in enumerate(header)]
        places = list(enumerate(self.columns))
        self._fields = [(at, name) for at, name in places if name in SCALARS]
        self._labels = [(at, name) for at, name in places if name and name not in SCALARS]
        self._nameless = [at for at, name in places if not name]
        self._heading = next((self._written[at] for at, name in places if name == "prompt"), "")
        self._cells: dict[str, int] = {}
        for number, column in enumerate(self.columns, 1):
            if column:
                self._cells.setdefault(column, number)

    def spot(self, line: int, *names: str) -> Spot:
        number = self._cells.get(names[-1]) if names else None
        if number is None:
            return Spot(self.file, line, None, "")
        return Spot(self.file, line, number, self._written[number - 1], cell=self._name_cell(line, number))

    def knows(self, name: str) -> bool:
        return name in self._cells

    def holds(self) -> bool:
        """Whether rows can be read under this header; what is wrong with single columns is noted besides."""
        for number, column in enumerate(self.columns, 1):
            if not column:
                continue
            first = self._cells[column]
            if first != number:
                self._repeated(first, number)
            if wrong := column_problem(column):
                self._wrong_column(number, *wrong)
        self._reading.columns.update(dict.fromkeys(self._cells))
        if "prompt" in self._cells or "prompt" in self._reading.given:
            return True
        if any(near_field(column) == "prompt" for column in self._cells):
            return False  # said above, and nothing can be told of rows without their prompts
        if self._reading.renaming is not None and self._reading.renaming.waits_for("prompt"):
            return False  # to be said of that column
        names = [excerpt(self._written[number - 1]) for number in self._cells.values()]
        likely = likely_prompts(names)
        hint = f"name the column with the prompts prompt, or say --map prompt=COLUMN; there are {', '.join(names)}"
        if likely:
            hint = f'rename {" or ".join(likely)} to prompt, or say --map prompt="{likely[0]}"'
        self._reading.problem(self._line, None, "prompt", "", "there is no column prompt", hint)
        return False

    def row(self, line: int, cells: Sequence[str]) -> Row | None:
        """One row; None when nothing stands in it."""
        if self._guarded:
            cells = [unguarded(cell) for cell in cells]
        if len(cells) < len(self.columns):
            cells = [*cells, *[""] * (len(self.columns) - len(cells))]
        fields: dict[str, str] = {}
        labels: dict[str, str] = {}
        broken = _SOUND
        for at, name in self._fields:
            if text := cells[at].strip():
                if text[0] == "#" and text in NO_RESULT:
                    hint = "mend the formula, or write the value instead"
                    self._wrong_cell(line, at + 1, text, "the formula has no result", hint)
                    broken |= {name}
                    continue
                fields[name] = plain(text) if "\r" in text else text
        for at, name in self._labels:
            if text := cells[at].strip():
                labels[name] = plain(text) if "\r" in text else text
        for at in self._nameless:
            if text := cells[at].strip():
                message = "the cell stands in a column without a name"
                self._wrong_cell(line, at + 1, text, message, "name the column in the header line")
        if len(cells) > len(self.columns):
            self._check_beyond(line, cells)
        if fields.get("prompt") == self._heading and self._is_header(fields, labels):
            return None  # sheets that were pasted together have the header once more
        return Row(line, self, fields, labels, broken=broken) if fields or labels or broken else None

    def _is_header(self, fields: dict[str, str], labels: dict[str, str]) -> bool:
        """Whether a row says in each of its cells what the header says there."""
        row = fields | labels
        return all(tidy(text) == self._written[self._cells[name] - 1] for name, text in row.items())

    def _check_beyond(self, line: int, cells: Sequence[str]) -> None:
        width = len(self.columns)
        for number, cell in enumerate(cells[width:], width + 1):
            if cell.strip():
                message = f"the row has a cell {number}, and the header names {width} columns"
                hint = "put a text that has a comma in quotes, or name the column in the header line"
                if self._name_cell(line, number):
                    message = "the cell stands in a column without a name"
                    hint = "name the column in the header line"
                self._wrong_cell(line, number, cell.strip(), message, hint)
                break

    def _repeated(self, first: int, number: int) -> None:
        column = self.columns[first - 1]
        written, again = self._written[first - 1], self._written[number - 1]
        places = [self._name_cell(self._line, n) or f"cell {n}" for n in (first, number)]
        hint = "rename one of them, or take it out"
        renamed = [at in self._renamed for at in (first - 1, number - 1)]
        if self._reading.renaming is not None and any(renamed) and not all(renamed):
            self._reading.renaming.doubled(column, *((written, again) if renamed[0] else (again, written)))
        elif written == again:
            self._wrong_column(number, f"the column stands twice, in {places[0]} and in {places[1]}", hint)
        else:
            both = f"{excerpt(written)} in {places[0]} and {excerpt(again)} in {places[1]}"
            self._wrong_column(number, f"the columns {both} are both {column}", hint)

    def _wrong_column(self, number: int, message: str, hint: str) -> None:
        name = self._written[number - 1]
        spot = Spot(self.file, self._line, number, name, cell=self._name_cell(self._line, number))
        self._reading.problems.add(spot, name, message, hint)

    def _wrong_cell(self, line: int, number: int, text: str, message: str, hint: str) -> None:
        spot = Spot(self.file, line, number, "", cell=self._name_cell(line, number))
        self._reading.problems.add(spot, text, message, hint)


def _resolved(written: str) -> str:
    """The name that rows use for a column."""
    field = field_name(written)
    return field if field in SCALARS else tidy(written)


def column_problem(column: str) -> tuple[str, str] | None:
    """(message, hint) for a column that can be neither a field nor a label."""
    if column in SCALARS:
        return None
    plainly = field_name(column)
    if plainly == "labels":
        return "labels cannot be a column", "give each label a column of its own, named as the label"
    if plainly == "matrix":
        return "matrix cannot be a column", "write a row for each video, or use a YAML manifest"
    if plainly in ("seed", "fps", "negative_prompt"):
        hint = f"{UNABLE[plainly]}; rename the column to keep it as a label"
        return f"{plainly} is not a field of this version", hint
    if UNPRINTABLE.search(column):
        return "the name of the column has an unprintable character", "type the name anew"
    if field := near_field(column):
        return f"the column is nearly the field {field}", f"write {field}, or give a label a name less like it"
    return None
