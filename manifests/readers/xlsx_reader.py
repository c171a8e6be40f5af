"""Reads a sheet of an .xlsx workbook, streaming: a header row, then one row an item."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from manifests.problem import Spot
from manifests.readers.reading import Reading
from manifests.readers.row import Row
from manifests.readers.table import Table
from manifests.readers.workbook import UnusableWorkbook, read_sheet


def read_rows(path: Path, reading: Reading) -> Iterator[Row]:
    """The rows of the sheet that `reading` names, else of the first. `line` is the row's number in the sheet."""
    table: Table | None = None
    try:
        for line, (cells, texts) in enumerate(read_sheet(path, reading.sheet), 1):
            if table is not None:
                broken = _errors(cells, texts, line, table, reading)
                row = table.row(line, texts)
                if row is not None:
                    row.broken |= broken
                    yield row
            elif any(text.strip() for text in texts):
                table = Table(reading, texts, line, cell_name)
                if not table.holds():
                    return
    except UnusableWorkbook as error:
        reading.problem(None, None, "", "", error.message, error.hint)
        return
    if table is None:
        hint = "write a header row with at least the column prompt, then one row for each video"
        reading.problem(None, None, "", "", "the sheet is empty", hint)


def _errors(cells: Sequence[Any], texts: list[str], line: int, table: Table, reading: Reading) -> frozenset[str]:
    """The columns in which a formula of this row came to nothing, which is told; their texts are taken out."""
    broken = set()
    for number, cell in enumerate(cells, 1):
        if cell.value is not None and cell.data_type == "e":
            name = table.columns[number - 1] if number <= len(table.columns) else ""
            spot = table.spot(line, name) if name else Spot(table.file, line, number, "", cell=cell_name(line, number))
            hint = "mend the formula, or write the value instead"
            reading.problems.add(spot, texts[number - 1], "the formula has no result", hint)
            texts[number - 1] = ""
            broken.add(name)
    return frozenset(broken)


def cell_name(line: int, number: int) -> str:
    """What spreadsheet programs call a cell: `C7`."""
    letters = ""
    while number > 0:
        number, letter = divmod(number - 1, 26)
        letters = chr(ord("A") + letter) + letters
    return f"{letters}{line}"
