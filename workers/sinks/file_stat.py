"""What is known of a file of the archive: its length, and what was noted with it when it was written."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import stat
from pathlib import Path

from workers.sinks.part_file import note_of
from workers.sinks.sink import Stat


def stat_of(path: Path, *, exact: bool = False) -> Stat | None:
    """None if there is no such file. `exact`: the MD5 of the bytes themselves, which costs reading them. Ours is what
    has a note that still fits its length; of what has none, that is not known here. All is told of one file: where
    another takes its place meanwhile, of that one. Raises OSError."""
    there = _there(path)
    while there is not None:
        found, before = _look(path, there.st_size, exact=exact), there
        there = _there(path)
        if there is not None and _signs(there) == _signs(before):
            return found
    return None


def _there(path: Path) -> os.stat_result | None:
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(found.st_mode):
        raise IsADirectoryError(errno.EISDIR, "a folder has that name", str(path))
    return found


def _signs(found: os.stat_result) -> tuple[int, ...]:
    return found.st_dev, found.st_ino, found.st_mtime_ns, found.st_size


def _look(path: Path, length: int, *, exact: bool) -> Stat:
    note = note_of(path)
    recorded = note.get("md5") if note.get("bytes") == length else None
    metadata = note.get("metadata")
    md5: bytes | None = None
    if exact:
        with contextlib.suppress(FileNotFoundError), path.open("rb") as file:
            md5 = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).digest()
    elif isinstance(recorded, str):
        with contextlib.suppress(ValueError):
            md5 = bytes.fromhex(recorded)
    known = isinstance(recorded, str)
    kind = note.get("content_type") if known else None
    return Stat(
        length,
        md5,
        metadata if isinstance(metadata, dict) else {},
        kind if isinstance(kind, str) else None,
        True if known else False if note else None,
    )
