"""Reads CSV: a header line, then one row an item. Columns named as fields are fields, the others are labels."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

from manifests.fields import SCALARS, UNABLE, likely_prompts, near_field
from manifests.node import UNPRINTABLE
from manifests.problem import Spot
from manifests.row import Reading, Row, plain
from manifests.text_lines import lines


class CsvPlaces:
    """The places of all rows of a CSV file: a row's line, and the number of the cell in it."""

    def __init__(self, file: str, columns: list[str]) -> None:
        self.file = file
        self._cells = {column: number for number, column in enumerate(columns, 1)}

    def spot(self, line: int, *names: str) -> Spot:
        name = names[-1] if names else ""
        return Spot(self.file, line, self._cells.get(name), name if name in self._cells else "")

    def knows(self, name: str) -> bool:
        return name in self._cells


def read_rows(path: Path, reading: Reading) -> Iterator[Row]:
    """The rows, streaming. `line` is where a row begins, also when its cells hold line breaks."""
    reader = csv.reader(lines(path, reading), strict=True)
    begins, before = 1, reading.problems.count
    try:
        for header in reader:
            if any(cell.strip() for cell in header):
                break
            begins = reader.line_num + 1
        else:
            if reading.problems.count == before:
                hint = "write a header line with at least the column prompt, then one row for each video"
                reading.problem(None, None, "", "", "the file is empty", hint)
            return
        columns = [column.strip() for column in header]
        if not _header_holds(columns, begins, reading):
            return
        reading.columns.update(dict.fromkeys(filter(None, columns)))
        places = CsvPlaces(reading.file, columns)
        begins = reader.line_num + 1
        for cells in reader:
            if cells:
                row = _row(cells, columns, Row(begins, places), reading)
                if row.fields or row.labels:
                    yield row
            begins = reader.line_num + 1
    except csv.Error as error:
        message, hint = _broken(str(error))
        reading.problem(begins, None, "", "", message, hint)


def _row(cells: list[str], columns: list[str], row: Row, reading: Reading) -> Row:
    fields, labels = row.fields, row.labels
    for column, cell in zip(columns, cells, strict=False):
        text = plain(cell)
        if not text:
            continue
        if column in SCALARS:
            fields[column] = text
        elif column:
            labels[column] = text
        else:
            number = next(n for n, name in enumerate(columns, 1) if not name and cells[n - 1].strip())
            message = "the cell stands in a column without a name"
            reading.problem(row.line, number, "", text, message, "name the column in the header line")
    for number, cell in enumerate(cells[len(columns) :], len(columns) + 1):
        if cell.strip():
            message = f"the row has a cell {number}, and the header names {len(columns)} columns"
            hint = "put a text that has a comma in quotes, or name the column in the header line"
            reading.problem(row.line, number, "", cell.strip(), message, hint)
            break
    return row


def _header_holds(columns: list[str], line: int, reading: Reading) -> bool:
    """Whether rows can be read under this header; what is wrong with single columns is noted besides."""
    seen: dict[str, int] = {}
    for number, column in enumerate(columns, 1):
        if not column:
            continue
        if column in seen:
            message = f"the column stands twice: cell {seen[column]} names it already"
            reading.problem(line, number, column, column, message, "rename one of them, or take it out")
        seen.setdefault(column, number)
        if wrong := _column_problem(column):
            reading.problem(line, number, column, column, *wrong)
    if "prompt" in seen or "prompt" in reading.given:
        return True
    if any(near_field(column) == "prompt" for column in seen):
        return False  # said above, and nothing can be told of rows without their prompts
    single = next((mark for mark in (";", "\t") if len(seen) == 1 and mark in columns[0]), None)
    likely = likely_prompts(seen)
    if single:
        hint = f"the columns are parted by {'semicolons' if single == ';' else 'tabs'}: save the file with commas"
    elif likely:
        hint = f"rename {' or '.join(likely)} to prompt"
    else:
        hint = f"name the column with the prompts prompt; the columns are {', '.join(seen)}"
    reading.problem(line, None, "prompt", "", "there is no column prompt", hint)
    return False


def _column_problem(column: str) -> tuple[str, str] | None:
    """(message, hint) for a column that can be neither a field nor a label."""
    if column in SCALARS:
        return None
    if column == "labels":
        return "labels cannot be a column", "give each label a column of its own, named as the label"
    if column == "matrix":
        return "matrix cannot be a column", "write a row for each video, or use a YAML manifest"
    if column == "deployment":
        return "deployment is not a field of this version", f"{UNABLE[column]}; rename the column to keep it as a label"
    if UNPRINTABLE.search(column):
        return "the name of the column has an unprintable character", "type the name anew"
    if field := near_field(column):
        return f"the column is nearly the field {field}", f"write {field}, or give a label a name less like it"
    return None


def _broken(said: str) -> tuple[str, str]:
    """(message, hint) for what the csv module says."""
    if "unexpected end of data" in said:
        return "a quote that is opened in this row is never closed", 'close it; inside quotes, write " as ""'
    if "field limit" in said:
        return f"a cell is longer than {csv.field_size_limit():,} characters", "a quote may be open: close it"
    if "expected after" in said:
        return "text follows a closed quote", 'inside quotes, write " as ""'
    return f"this is not CSV: {said}", "save the file anew as CSV UTF-8"
