"""Reads CSV as spreadsheet programs save it: their encodings, commas, semicolons or tabs, any line ends."""

from __future__ import annotations

import csv
import itertools
from collections.abc import Iterator
from pathlib import Path

from manifests.readers.delimiter import opening
from manifests.readers.encoding import encoding_of
from manifests.readers.reading import Reading
from manifests.readers.row import Row
from manifests.readers.table import Table
from manifests.readers.text_lines import lines


def read_rows(path: Path, reading: Reading) -> Iterator[Row]:
    """The rows, streaming. `line` is where a row begins, also when its cells hold line breaks."""
    encoding = encoding_of(path)
    if not encoding.sound:
        yield from _rows(lines(path, reading, encoding.codec), reading)
        return
    with path.open(encoding=encoding.codec, newline="") as stream:  # several times faster than line by line
        try:
            yield from _rows(stream, reading)
        except UnicodeDecodeError:
            reading.problem(None, None, "", "", "the file changed while it was read", "run the command again")


def _rows(stream: Iterator[str], reading: Reading) -> Iterator[Row]:
    before = reading.problems.count
    start = opening(stream)
    if start is None:
        if reading.problems.count == before:
            hint = "write a header line with at least the column prompt, then one row for each video"
            reading.problem(None, None, "", "", "the file is empty", hint)
        return
    skipped = start.skipped
    reader = csv.reader(itertools.chain(start.header, stream), delimiter=start.delimiter, strict=True)
    begins = skipped + 1
    try:
        table = Table(reading, next(reader), begins)
        if not table.holds():
            return
        begins = skipped + reader.line_num + 1
        for cells in reader:
            row = table.row(begins, cells)
            if row is not None:
                yield row
            begins = skipped + reader.line_num + 1
    except csv.Error as error:
        message, hint = _broken(str(error))
        reading.problem(begins, None, "", "", message, hint)


def _broken(said: str) -> tuple[str, str]:
    """(message, hint) for what the csv module says."""
    if "unexpected end of data" in said:
        return "a quote that is opened in this row is never closed", 'close it; inside quotes, write " as ""'
    if "field limit" in said:
        return f"a cell is longer than {csv.field_size_limit():,} characters", "a quote may be open: close it"
    if "expected after" in said:
        return "text follows a closed quote", 'inside quotes, write " as ""'
    return f"this is not CSV: {said}", "save the file anew as CSV UTF-8"
