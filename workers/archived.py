"""What the archive has of a batch already: rows whose receipt stands there are not rendered again (promise 13).

The ledger may be lost, or have forgotten the batch; the archive has not.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from typing import Any

import structlog

from manifests import Item as ManifestItem
from orchestrator.admission import scope
from orchestrator.clock import unix
from orchestrator.comparison import Found
from orchestrator.prices import micro
from orchestrator.settings import Deployment
from workers.receipt import fields_of
from workers.sinks import Sink

log = structlog.get_logger("workers.archived")

#: Receipts read at once.
AT_ONCE = 16


class ArchivedRows:
    """Finds the receipts of rows in one batch's folder; the folder is listed once, when the first row asks."""

    def __init__(self, sink: Sink, batch: str, deployments: Sequence[Deployment]) -> None:
        self._sink, self._batch = sink, batch
        self._scopes = {d.name: scope(d) for d in deployments}
        self._names: frozenset[str] | None = None
        self._by_key: dict[str, list[str]] = {}
        self._at_once = asyncio.Semaphore(AT_ONCE)

    async def find(self, rows: Sequence[ManifestItem]) -> dict[str, Found]:
        """Rows whose receipt has their own fingerprint, and whose video stands beside it, by key. Raises
        ArchiveError."""
        if self._names is None:
            await self._list()
        found = await asyncio.gather(*(self._of(row) for row in rows if row.key in self._by_key))
        return {key: paper for key, paper in found if paper is not None}

    async def _list(self) -> None:
        """Only receipts count: their key is what stands before a revision (`~2`) or a remote id (`.video_…`)."""
        self._names = frozenset([name async for name in self._sink.names(self._batch)])
        for name in sorted(self._names):
            if name.endswith(".json"):
                stem = name.removesuffix(".json")
                for key in {stem, stem.partition("~")[0], stem.rpartition(".")[0].partition("~")[0]}:
                    if key:
                        self._by_key.setdefault(key, []).append(name)

    async def _of(self, row: ManifestItem) -> tuple[str, Found | None]:
        fingerprint = row.fingerprint
        for name in self._by_key[row.key]:
            async with self._at_once:
                data = await self._sink.read(f"{self._batch}/{name}")
            try:
                paper = {"file": f"{name.removesuffix('.json')}.mp4", **json.loads(data)}
                if paper["fingerprint"] == fingerprint and paper["key"] == row.key and await self._stands(paper):
                    return row.key, self._found(paper)
            except (KeyError, TypeError, ValueError) as error:
                log.warning("receipt.was_not_readable", name=f"{self._batch}/{name}", error=str(error))
        return row.key, None

    async def _stands(self, paper: Mapping[str, Any]) -> bool:
        """Whether the video is where the receipt says."""
        if paper.get("reused"):
            return await self._sink.stat(str(paper["reused"])) is not None
        return self._names is not None and paper["file"] in self._names

    def _found(self, paper: Mapping[str, Any]) -> Found:
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

