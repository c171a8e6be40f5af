"""Whose a file is that stands under a name of ours: nothing that Dailies did not write is ever replaced (promise 26,
for what stands beside the videos).

The archive tells by what it recorded with the file: metadata of a blob, the note of a file whose length still fits it.
Where nothing was recorded (an older release's blobs, a file system without attributes), the content tells.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from contextlib import aclosing

from workers.sinks import Sink, Stat

#: As much of a file as its beginning is looked at for (bytes).
HEAD = 64 * 1024
#: What each release has written for every item.
_COLUMNS = {"key", "state", "reason", "billed", "cost_usd", "url", "sha256", "deployment", "remote_id", "attempts"}
_IDENTITY = ("batch", "key", "fingerprint", "remote_id", "sha256", "bytes")


async def is_ours(sink: Sink, name: str, there: Stat) -> bool:
    """Whether Dailies wrote what stands under the name of one of a batch's documents. Raises ArchiveError."""
    if there.ours is not None or not there.bytes:
        return there.ours is not False
    beginning = bytearray()
    async with aclosing(sink.chunks(name, 0, min(HEAD, there.bytes))) as chunks:
        async for chunk in chunks:
            beginning += chunk
    return _LOOKS[name.rpartition(".")[2]](bytes(beginning).decode("utf-8", "replace"))


def is_receipt(data: bytes, batch: str) -> bool:
    """Whether a file is a receipt of this batch, of whichever video."""
    try:
        paper = json.loads(data)
        return all(field in paper for field in _IDENTITY) and paper["batch"] == batch
    except (TypeError, ValueError):
        return False


def _is_page(text: str) -> bool:
    return text.startswith("<!doctype html>") and " · dailies</title>" in text[:4096]


def _is_table(text: str) -> bool:
    return set(next(csv.reader([text.split("\r\n")[0]]), [])) >= _COLUMNS


def _is_rows(text: str) -> bool:
    try:
        # A row that is cut by the end of what was read shows what it is by its names.
        first, whole, _ = text.partition("\n")
        return set(json.loads(first)) >= _COLUMNS if whole else all(f'"{name}": ' in first for name in _COLUMNS)
    except (TypeError, ValueError):
        return False


_LOOKS: dict[str, Callable[[str], bool]] = {"html": _is_page, "csv": _is_table, "jsonl": _is_rows}
