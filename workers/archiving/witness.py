"""What the archive itself says of a video: its receipt, and its row in `results.jsonl`."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit

from orchestrator.ledger.keys import Ref
from workers.archiving.delivery import second_name

#: The longest row of results that is one (bytes): prompts and labels are far shorter.
ROW_LIMIT = 4 * 1024 * 1024

Raw = bytes  # what is expected has a field that is called `bytes`


class NoReceipt(Exception):
    """A file is no receipt of this batch. The text says what is amiss."""


@dataclass(frozen=True, slots=True)
class Expected:
    """A video as it should stand. `receipt`, `name`, `poster` (None where there is none): relative to the batch's
    folder; `place`: its name in the archive; `md5`, `content_type` and `poster_sha256` are None where they were not
    noted."""

    receipt: str
    name: str
    place: str
    bytes: int
    sha256: str
    md5: Raw | None = None
    content_type: str | None = None
    poster: str | None = None
    poster_sha256: str | None = None


def read_receipt(name: str, data: Raw, batch: str) -> Expected:
    """The receipt of this name in a batch's folder. Raises NoReceipt."""
    try:
        paper: dict[str, Any] = json.loads(data)
        stem = name.removesuffix(".json")
        file = str(paper.get("file") or f"{stem}.mp4")
        reused = paper.get("reused")
        if not reused and f"{batch}/{stem}.mp4" not in _places(batch, file, str(paper["remote_id"])):
            raise NoReceipt(f"it is that of {file}")
        md5, poster = paper.get("md5"), paper.get("poster")
        return Expected(
            name,
            file,
            str(reused) if reused else f"{batch}/{file}",
            int(paper["bytes"]),
            str(paper["sha256"]),
            bytes.fromhex(md5) if md5 else None,
            paper.get("content_type") or None,
            # Of a video that is used again, the poster stands beside it.
            str(poster) if poster and not reused else None,
            paper.get("poster_sha256") or None,
        )
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise NoReceipt(f"{type(error).__name__}: {error}") from None


def _places(batch: str, file: str, remote_id: str) -> tuple[str, str]:
    """Beside what videos the receipt of a file may stand: itself, or, where another receipt could not be replaced, the
    name with the remote id."""
    return f"{batch}/{file}", second_name(Ref(batch, file.removesuffix(".mp4")), remote_id)


async def listed(chunks: AsyncIterator[bytes], batch: str) -> AsyncIterator[Expected]:
    """The archived videos that `results.jsonl` names, row by row. Raises ValueError where that is none."""
    rest = bytearray()
    async for chunk in chunks:
        *rows, tail = (bytes(rest) + chunk).split(b"\n")
        rest = bytearray(tail)
        if len(rest) > ROW_LIMIT:
            raise ValueError("a row has no end")
        for row in rows:
            if expected := _archived(row, batch):
                yield expected
    if expected := _archived(bytes(rest), batch):
        yield expected


def _archived(line: bytes, batch: str) -> Expected | None:
    if not line.strip():
        return None
    row = dict(json.loads(line))
    if row.get("state") != "archived" or not row.get("url"):
        return None
    # Its last two parts alone: the archive may have been copied to another place.
    folder, _, file = unquote(urlsplit(str(row["url"])).path).rpartition("/")
    folder = folder.rpartition("/")[2]
    own = folder == batch
    receipt = f"{file.removesuffix('.mp4') if own else row['key']}.json"
    name = file if own else f"../{folder}/{file}"
    return Expected(receipt, name, f"{folder}/{file}", int(row["bytes"]), str(row["sha256"]))
