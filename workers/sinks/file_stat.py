"""What is known of a file of the archive: its length, and what was noted with it when it was written."""

from __future__ import annotations

import contextlib
import errno
import hashlib
from pathlib import Path

from workers.sinks.part_file import note_of
from workers.sinks.sink import Stat


def stat_of(path: Path, *, exact: bool = False) -> Stat | None:
    """None if there is no such file. `exact`: the MD5 of the bytes themselves, which costs reading them. Ours is what
    has a note that still fits its length; of what has none, that is not known here. Raises OSError."""
    try:
        length = path.stat().st_size
    except FileNotFoundError:
        return None
    if not path.is_file():
        raise IsADirectoryError(errno.EISDIR, "a folder has that name", str(path))
    note = note_of(path)
    recorded = note.get("md5") if note.get("bytes") == length else None
    metadata = note.get("metadata")
    md5: bytes | None = None
    if exact:
        with path.open("rb") as file:
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
