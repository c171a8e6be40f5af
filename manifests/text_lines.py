"""The physical lines of a UTF-8 text file, streaming; a byte that is no UTF-8 is found where it stands."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from manifests.row import Reading

_LONGEST = 4 << 20
_UNDECODED = re.compile("[\ud800-\udfff]")


def lines(path: Path, reading: Reading) -> Iterator[str]:
    """Each line with its line end, a byte order mark taken off. Ends at the first line that is no text, noting it."""
    with path.open("rb") as start:
        if start.read(2) in (b"\xff\xfe", b"\xfe\xff"):
            reading.problem(1, None, "", "", "the file is UTF-16", "save it as UTF-8; in Excel: CSV UTF-8")
            return
    with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as stream:
        number = 0
        while line := stream.readline(_LONGEST):
            number += 1
            if len(line) == _LONGEST:
                message = f"the line is longer than {_LONGEST:,} characters"
                reading.problem(number, None, "", line, message, "check that the file is what you think it is")
                return
            if not line.isascii() and (found := _UNDECODED.search(line)):
                byte = ord(found[0]) - 0xDC00
                message = f"the byte 0x{byte:02X} is not UTF-8"
                around = line[max(0, found.start() - 20) : found.start()]
                hint = f"save the file as UTF-8 (in Excel: CSV UTF-8); the byte comes after {around!r}"
                reading.problem(number, found.start() + 1, "", "", message, hint)
                return
            yield line
