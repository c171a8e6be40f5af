"""In which encoding a table was saved: what it begins with tells, else whether all of it is UTF-8."""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass
from pathlib import Path

UTF_8 = "utf-8-sig"
UTF_16 = "utf-16"
WINDOWS = "cp1252"
# How messages name them.
NAMES = {UTF_8: "UTF-8", UTF_16: "UTF-16", WINDOWS: "Windows-1252"}

_CHUNK = 1 << 20
_UNDECODED = re.compile("[\udc80-\udcff]")
_BEYOND_ASCII = re.compile("[^\x00-\x7f]")


@dataclass(frozen=True, slots=True)
class Encoding:
    """`codec`: how the file is to be read. `sound`: it can be, throughout, and no line of it is very long."""

    codec: str
    sound: bool


def encoding_of(path: Path) -> Encoding:
    """In which encoding a CSV file was saved: one pass over its bytes, memory flat.

    A byte order mark decides. Without one, a file that is UTF-8 throughout is UTF-8, and any other is Windows-1252
    (cp1252), as Excel saves CSV in Western Europe and America. But where at least as many letters are good UTF-8
    as bytes are not, it is UTF-8 with a broken place: read otherwise, every accent would be paid for as two letters.
    """
    with path.open("rb") as stream:
        start = stream.read(3)
        if start[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
            return Encoding(UTF_16, sound=False)
        stream.seek(0)
        sound = True
        decoder = codecs.getincrementaldecoder("utf-8")()
        try:
            while chunk := stream.read(_CHUNK):
                decoder.decode(chunk)
                sound = sound and (len(chunk) < _CHUNK or b"\n" in chunk or b"\r" in chunk)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            windows = start != codecs.BOM_UTF8 and _mostly_not_utf_8(path)
            return Encoding(WINDOWS if windows else UTF_8, sound=False)
    return Encoding(UTF_8, sound)


def _mostly_not_utf_8(path: Path) -> bool:
    broken = letters = 0
    with path.open(encoding=UTF_8, errors="surrogateescape", newline="") as stream:
        while text := stream.read(_CHUNK):
            if not text.isascii():
                undecoded = len(_UNDECODED.findall(text))
                broken += undecoded
                letters += len(_BEYOND_ASCII.findall(text)) - undecoded
    return broken > letters
