"""Submitting: a loaded manifest becomes a batch in the store, in chunks, as often as one likes.

Rows that are there already stay as they are; new ones are added; a row whose rendered content changed replaces a
waiting one in place and is added as `KEY~2` beside one that was already admitted. Admission sees the batch only
once all of it is in.
"""

from __future__ import annotations

import datetime as dt
import json
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal

from manifests import Item as ManifestItem
from orchestrator.prices import micro, price
from orchestrator.records import Spec
from orchestrator.settings import Deployment
from orchestrator.store import Store, log

CHUNK = 500  # rows a round trip: about 300 kB
LOCK_S = 60.0


class AlreadySubmitting(Exception):
    """Another submit of this batch is under way. `.batch` names it."""

    def __init__(self, batch: str) -> None:
        super().__init__(f"another submit of the batch {batch} is under way: wait for it, then submit again")
        self.batch = batch


class UnknownPrice(Exception):
    """A batch with a budget has items whose price nobody knows. `.model` and `.size` say which."""

    def __init__(self, model: str, size: str) -> None:
        super().__init__(
            f"the price of {model} at {size} is not known, so a budget cannot be kept: "
            "set price_per_second_usd on its deployment, or leave budget_usd out"
        )


@dataclass(frozen=True, slots=True)
class Submitted:
    """What a submit did: rows by what became of them. `updated`: only labels or priority changed."""

    batch: str
    new: int
    changed: int
    unchanged: int
    updated: int


def batch_name(template: str, now: dt.datetime) -> str:
    """`{date}` and `{time}` in a batch's name, filled in."""
    return template.replace("{date}", f"{now:%Y-%m-%d}").replace("{time}", f"{now:%H%M}")


class Submission:
    """One batch to be submitted: its name, its settings, and how its rows are priced."""

    def __init__(
        self, store: Store, name: str, *, deployments: Sequence[Deployment], progress: Callable[[int], None]
    ) -> None:
        """`progress` is told how many rows are in so far."""
        self._store, self._name, self._progress = store, name, progress
        self._deployments = deployments
        # The dearest deployment of a model: an estimate may come out lower, never higher.
        self._overrides: dict[str, Decimal] = {}
        for d in deployments:
            if d.price_per_second_usd is not None:
                self._overrides[d.model] = max(d.price_per_second_usd, self._overrides.get(d.model, Decimal(0)))

    async def submit(
        self, items: AsyncIterator[ManifestItem], *, columns: Sequence[str], budget_usd: Decimal | None, template: str
    ) -> Submitted:
        """Queue the items. Raises AlreadySubmitting, UnknownPrice (before anything is queued to run)."""
        async with self._alone() as prolong:
            settings: dict[str, object] = {"columns": json.dumps(list(columns)), "template": template}
            if budget_usd is not None:
                settings["budget"] = micro(budget_usd)
            await self._store.scripts.run("open_batch", self._name, settings)
            counts = [0, 0, 0, 0]
            lanes = {d.model for d in self._deployments} | {f"@{d.name}" for d in self._deployments}
            chunk: list[dict[str, object]] = []
            place = 0
            async for item in items:
                chunk.append(self._row(place, item, lanes, budget_usd))
                place += 1
                if len(chunk) == CHUNK:
                    await prolong()
                    counts = await self._add(chunk, counts)
                    chunk = []
            counts = await self._add(chunk, counts)
            await self._store.scripts.run("seal_batch", self._name, *sorted(lanes))
        done = Submitted(self._name, *counts)
        log.info("batch.submitted", batch=self._name, new=done.new, changed=done.changed, unchanged=done.unchanged)
        return done

    async def _add(self, chunk: Sequence[dict[str, object]], counts: list[int]) -> list[int]:
        added = await self._store.scripts.run("submit", self._name, *chunk)
        total = [before + int(more) for before, more in zip(counts, added, strict=True)]
        self._progress(sum(total))
        return total

    def _row(self, place: int, item: ManifestItem, lanes: set[str], budget: Decimal | None) -> dict[str, object]:
        cost = price(item.model, item.size, item.seconds, self._overrides.get(item.model))
        if cost is None and budget is not None:
            raise UnknownPrice(item.model, item.size)
        lanes.add(item.model)
        spec = Spec(
            key=item.key,
            prompt=item.prompt,
            model=item.model,
            size=item.size,
            seconds=item.seconds,
            fingerprint=item.fingerprint,
            labels=dict(item.labels),
            input_reference=item.input_reference,
            image_sha256=item.image_sha256,
            remix_of=item.remix_of,
        )
        return {
            "key": item.key,
            "fingerprint": item.fingerprint,
            "spec": spec.dump(),
            "model": item.model,
            "priority": item.priority,
            "place": place,
            "seconds": item.seconds,
            "price": "" if cost is None else cost,
            "source": item.remix_of if item.remix_of and not is_remote_id(item.remix_of) else "",
        }

    @asynccontextmanager
    async def _alone(self) -> AsyncIterator[Callable[[], Awaitable[object]]]:
        """One submit of a name at a time; a submit that died lets the next one in after a minute."""
        key, token = self._store.keys.submit_lock(self._name), secrets.token_hex(8)
        lock = self._store.redis.lock(key, timeout=LOCK_S, blocking=False, thread_local=False)
        if not await lock.acquire(token=token):
            raise AlreadySubmitting(self._name)
        try:
            yield lock.reacquire
        finally:
            await lock.release()


def is_remote_id(source: str) -> bool:
    """Whether `remix_of` names a provider's video rather than a key of the batch."""
    return source.startswith(("video_", "task_"))


