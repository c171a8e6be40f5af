"""A batch's documents and their editions: `index.html`, `index.2.html`.

A document takes the place of its last edition. It gets the next name where that is impossible: in an archive that
keeps what it has, and where somebody else's file has the name. The highest number of ours is the newest.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

import structlog

from workers.archiving.ours import is_ours
from workers.sinks import Accept, Arrived, NameTaken, Sink, WriteRefused

log = structlog.get_logger("workers.archiving.editions")

SHEET = "index.html"
#: What a batch's folder has besides videos, receipts and posters, with the media type of each.
DOCUMENTS = {
    "results.csv": "text/csv; charset=utf-8",
    "results.jsonl": "application/jsonl; charset=utf-8",
    SHEET: "text/html; charset=utf-8",
}
_EDITION = re.compile(r"(results|index)(?:\.(\d+))?\.(csv|jsonl|html)")


def edition(name: str) -> tuple[str, int] | None:
    """Which document of a batch a file is by its name, and its edition; None where it is none."""
    found = _EDITION.fullmatch(name)
    document = f"{found[1]}.{found[3]}" if found else ""
    return (document, int(found[2] or 1)) if found and document in DOCUMENTS else None


def named(document: str, number: int) -> str:
    """The name of an edition."""
    stem, _, ending = document.rpartition(".")
    return document if number == 1 else f"{stem}.{number}.{ending}"


async def newest(sink: Sink, batch: str, document: str) -> str | None:
    """The newest edition, by its name in the batch's folder; None where there is none. Raises ArchiveError."""
    return (await _editions(sink, batch, document))[0]


async def publish(
    sink: Sink, batch: str, document: str, pieces: AsyncIterator[str], *, claim: str, accept: Accept
) -> str:
    """Write an edition; its name. `accept` is asked right before it takes the place of the last one. An archive that
    keeps all it has gets none that says the same as the last. Raises ArchiveError; WriteRefused where somebody has
    taken the name in this very moment."""
    last, free = await _editions(sink, batch, document)
    name = free if sink.keeps or last is None else last
    if last is None and name != document:
        log.warning("name.was_taken", name=f"{batch}/{document}")
    kept = await sink.stat(f"{batch}/{last}") if sink.keeps and last else None

    def judge(arrived: Arrived) -> None:
        if kept is not None and (kept.bytes, kept.md5) == (arrived.bytes, arrived.md5):
            raise _Unchanged
        accept(arrived)

    try:
        saved = await sink.save(
            f"{batch}/{name}",
            _encoded(pieces),
            content_type=DOCUMENTS[document],
            metadata={"dailies_wrote": document},
            claim=claim,
            replace=sink.keeps or name == last,
            accept=judge,
        )
    except _Unchanged:
        return last or name
    if isinstance(saved, NameTaken):
        raise WriteRefused(f"{batch}/{name} was taken by another file; the next try writes beside it.")
    return saved.name.rpartition("/")[2]


class _Unchanged(Exception):
    """An edition says what the last one says."""


async def _editions(sink: Sink, batch: str, document: str) -> tuple[str | None, str]:
    """The newest of ours; and the name behind the last that anything stands under."""
    last: str | None = None
    number, missing, end = 0, 0, 1
    while missing < 2:  # the second may stand there without the first, which somebody has taken away
        number += 1
        name = named(document, number)
        there = await sink.stat(f"{batch}/{name}")
        if there is None:
            missing += 1
            continue
        end = number + 1
        if await is_ours(sink, f"{batch}/{name}", there):
            last = name
    return last, named(document, end)


async def _encoded(pieces: AsyncIterator[str]) -> AsyncIterator[bytes]:
    async for piece in pieces:
        yield piece.encode()
