"""By what the cells of a CSV file are parted: its header line tells."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from manifests.vocabulary.fields import SCALARS
from manifests.vocabulary.spelling import field_name

DELIMITERS = (",", ";", "\t")
_LONGEST_HEADER = 1 << 17
_SAID_BY_EXCEL = re.compile(r'"?sep=(.)"?[\s,;]*', re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Opening:
    """How a CSV file begins: `header` are the lines of its header, which follows `skipped` lines without anything."""

    delimiter: str
    header: list[str]
    skipped: int


def opening(stream: Iterator[str]) -> Opening | None:
    """Reads on to the end of the header. None when there is none. Raises csv.Error for a header that is no CSV."""
    said = ""
    for skipped, line in enumerate(stream):
        if found := _SAID_BY_EXCEL.fullmatch(line):
            said = found[1]
        elif line.count('"') % 2 or line.strip(" \xa0\t\r\n,;\"'"):
            header = _whole_record(line, stream)
            return Opening(said if said in DELIMITERS else _delimiter(header), header, skipped)
    return None


def _whole_record(line: str, stream: Iterable[str]) -> list[str]:
    """The line and those after it, while a quote is open: a cell of the header may have a line break."""
    record, quotes, length = [line], line.count('"'), len(line)
    if quotes % 2:
        for following in stream:
            record.append(following)
            quotes += following.count('"')
            length += len(following)
            if quotes % 2 == 0 or length > _LONGEST_HEADER:
                break
    return record


def _delimiter(header: list[str]) -> str:
    """The one that finds most fields, then the one that finds most columns; the comma where nothing decides."""

    def found(delimiter: str) -> tuple[int, int]:
        try:
            (cells,) = csv.reader(header, delimiter=delimiter, strict=True)
        except (csv.Error, ValueError):
            return -1, 0
        return sum(field_name(cell) in SCALARS for cell in cells), len(cells)

    return max(DELIMITERS, key=found)
