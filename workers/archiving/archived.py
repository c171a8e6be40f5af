"""What the archive has of a batch: rows whose receipt stands there are not rendered again (promise 13).

The ledger may be lost, or have forgotten the batch; the archive has not.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Protocol, TypeVar

import structlog

from orchestrator.admission.controller import scope
from orchestrator.batches.comparison import Found
from orchestrator.clock import unix
from orchestrator.settings import Deployment
from orchestrator.video_models.prices import micro
from workers.archiving.receipt import fields_of
from workers.sinks import Sink

log = structlog.get_logger("workers.archiving.archived")

#: Receipts read at once, and held at once.
AT_ONCE, PAGE = 16, 500


class Row(Protocol):
    """What a row is known by: of a manifest, or of the ledger."""

    @property
    def key(self) -> str: ...

    @property
    def fingerprint(self) -> str: ...


R = TypeVar("R", bound=Row)


class ArchivedRows:
    """Finds the receipts of rows in one batch's folder; the folder is listed once, when the first row asks."""

    def __init__(self, sink: Sink, batch: str, deployments: Sequence[Deployment]) -> None:
        self._sink, self._batch = sink, batch
        self._scopes = {d.name: scope(d) for d in deployments}
        self._names: frozenset[str] | None = None
        self._by_key: dict[str, list[str]] = {}
        self._at_once = asyncio.Semaphore(AT_ONCE)

    async def find(self, rows: Sequence[Row]) -> dict[str, Found]:
        """Rows whose receipt has their own fingerprint, and whose video stands beside it, by key. Raises
        ArchiveError."""
        return {row.key: paper for row, paper in await self.find_each(rows)}

    async def find_each(self, rows: Sequence[R]) -> list[tuple[R, Found]]:
        """The same for rows of which several may have one key."""
        names = await self.names()
        asked = [row for row in rows if row.key in self._by_key]
        found = await asyncio.gather(*(self._of(row, names) for row in asked))
        return [(row, paper) for row, paper in zip(asked, found, strict=True) if paper is not None]

    async def remote_ids(self, key: str) -> set[str]:
        """The remote jobs whose videos stand there as a row's."""
        await self.names()
        papers = await asyncio.gather(*map(self._read, self._by_key.get(key, ())))
        return {str(paper["remote_id"]) for paper in papers if paper is not None}

    async def names(self) -> frozenset[str]:
        """All names in the folder."""
        if self._names is None:
            await self._list()
        return self._names or frozenset()

    async def papers(self) -> AsyncIterator[tuple[str, dict[str, Any] | None]]:
        """Every receipt of the folder, as (name, what it says); None where it cannot be read, or where its video does
        not stand there."""
        names = await self.names()
        receipts = sorted((name for name in names if name.endswith(".json")), key=_by_revision)
        for start in range(0, len(receipts), PAGE):
            some = receipts[start : start + PAGE]
            for name, paper in zip(some, await asyncio.gather(*map(self._read, some)), strict=True):
                yield name, paper if paper is not None and await self._stands(paper, names) else None

    async def _list(self) -> None:
        """Only receipts count: their key is what stands before a revision (`~2`) or a remote id (`.video_…`)."""
        self._names = frozenset([name async for name in self._sink.names(self._batch)])
        for name in sorted(self._names):
            if name.endswith(".json"):
                stem = name.removesuffix(".json")
                for key in {stem, stem.partition("~")[0], stem.rpartition(".")[0].partition("~")[0]}:
                    if key:
                        self._by_key.setdefault(key, []).append(name)

    async def _of(self, row: Row, names: frozenset[str]) -> Found | None:
        fingerprint = row.fingerprint
        for name in self._by_key[row.key]:
            paper = await self._read(name)
            if paper is None or (paper["fingerprint"], paper["key"]) != (fingerprint, row.key):
                continue
            if await self._stands(paper, names):
                return self.found(paper)
        return None

    async def _read(self, name: str) -> dict[str, Any] | None:
        """A receipt; None where that is none."""
        async with self._at_once:
            data = await self._sink.read(f"{self._batch}/{name}")
        try:
            paper = {"file": f"{name.removesuffix('.json')}.mp4", **json.loads(data)}
            self.found(paper)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            log.warning("receipt.was_not_readable", name=f"{self._batch}/{name}", error=str(error))
            return None
        return paper

    async def _stands(self, paper: Mapping[str, Any], names: frozenset[str]) -> bool:
        """Whether the video is where the receipt says."""
        if paper.get("reused"):
            return await self._sink.stat(str(paper["reused"])) is not None
        return paper["file"] in names

    def found(self, paper: Mapping[str, Any]) -> Found:
        """What a receipt says of its item and its attempt. Raises KeyError, TypeError, ValueError where it is none."""
        cost = paper["cost_usd"]
        attempt: dict[str, object] = {
            "deployment": paper["deployment"],
            # The remote id of a video that is used again is that of another item.
            "scope": "" if paper.get("reused") else self._scopes.get(paper["deployment"], ""),
            "remote_id": paper["remote_id"],
            "adopted": paper["adopted"],
            "outcome": "archived",
            "request_id": ", ".join(paper["request_ids"]),
            "price": "" if cost is None else micro(str(cost)),
            "created_at": unix(paper["created_at"]) if paper["created_at"] else "",
            "completed_at": unix(paper["completed_at"]) * 1000 if paper["completed_at"] else "",
        }
        return {"item": fields_of(paper), "attempt": attempt}


def _by_revision(name: str) -> tuple[str, int, str]:
    """`hero.json` before `hero~2.json` before `hero~10.json`."""
    key, _, revision = name.removesuffix(".json").partition("~")
    number = revision.partition(".")[0]
    return key, int(number) if number.isdecimal() else 0, name
