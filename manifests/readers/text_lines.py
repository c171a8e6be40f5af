"""The physical lines of a text file, streaming; a byte that is no text is found where it stands."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from pathlib import Path

from manifests.readers.encoding import NAMES, UTF_8, UTF_16
from manifests.readers.reading import Reading

_LONGEST = 4 << 20
_UNDECODED = re.compile("[\udc80-\udcff]")


def _mark(error: UnicodeError) -> tuple[str, int]:
    """A lone surrogate for what is no UTF-16: it has no single bytes to point at, and U+FFFD is a character too."""
    if isinstance(error, UnicodeDecodeError):
        return "\udcff", error.end
    raise error


codecs.register_error("dailies.marked", _mark)


def lines(path: Path, reading: Reading, encoding: str = UTF_8) -> Iterator[str]:
    """Each line with its line end, a byte order mark taken off. Ends at the first line that is no text, noting it."""
    if encoding == UTF_8:
        with path.open("rb") as start:
            if start.read(2) in (b"\xff\xfe", b"\xfe\xff"):
                reading.problem(1, None, "", "", "the file is UTF-16", "save it as UTF-8; in Excel: CSV UTF-8")
                return
    errors = "dailies.marked" if encoding == UTF_16 else "surrogateescape"
    with path.open(encoding=encoding, errors=errors, newline="") as stream:
        number = 0
        while line := stream.readline(_LONGEST):
            number += 1
            if len(line) == _LONGEST:
                message = f"the line is longer than {_LONGEST:,} characters"
                reading.problem(number, None, "", line, message, "check that the file is what you think it is")
                return
            if not line.isascii() and (wrong := _undecoded(line, encoding)):
                place, message = wrong
                around = line[max(0, place - 20) : place]
                hint = "save the file as UTF-8 (in Excel: CSV UTF-8)"
                hint += f"; the place comes after {around!r}" if around else ""
                reading.problem(number, place + 1, "", "", message, hint)
                return
            yield line


def _undecoded(line: str, encoding: str) -> tuple[int, str] | None:
    """(place in the line, what is wrong there) of the first bytes that are no text."""
    found = _UNDECODED.search(line)
    if found is None:
        return None
    if encoding == UTF_16:
        return found.start(), "the bytes are not UTF-16"
    return found.start(), f"the byte 0x{ord(found[0]) - 0xDC00:02X} is not {NAMES[encoding]}"
