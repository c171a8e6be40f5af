"""Submitting: a loaded manifest becomes a batch in the store, in chunks, as often as one likes.

Rows that are there already stay as they are; new ones are added; a row whose rendered content changed replaces a
waiting one in place and is added as `KEY~2` beside one that was already admitted. Admission sees the batch only
once all of it is in.
"""

from __future__ import annotations

import datetime as dt
import json
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import islice

from redis.asyncio.lock import Lock

from manifests import Item as ManifestItem
from manifests.key import is_remote_id
from manifests.manifest import Kind
from manifests.window import Window
from orchestrator.batches.batch_lock import alone, end_dropping
from orchestrator.batches.comparison import Comparison, Standing
from orchestrator.batches.sweeping import sweep
from orchestrator.ledger.periods import paid_from, year_of_hours
from orchestrator.ledger.records import Spec
from orchestrator.ledger.store import Store, log
from orchestrator.settings import NO_BUDGETS, Budgets, Deployment
from orchestrator.video_models.prices import dearest, micro

CHUNK = 500  # rows a round trip: about 300 kB


class AlreadySubmitting(Exception):
    """Another submit of this batch is under way. `.batch` names it."""

    def __init__(self, batch: str) -> None:
        super().__init__(f"another submit of the batch {batch} is under way: wait for it, then submit again")
        self.batch = batch


class CancelledMeanwhile(Exception):
    """A person cancelled the batch while it was submitted. `.batch` names it."""

    def __init__(self, batch: str) -> None:
        super().__init__(
            f"the batch {batch} was cancelled while it was submitted: not all of its rows are in; submit it again to "
            "queue the rest"
        )
        self.batch = batch


class UnknownPrice(Exception):
    """Under a budget there are items whose price nobody knows. `.model` and `.size` say which."""

    def __init__(self, model: str, size: str) -> None:
        super().__init__(
            f"the price of {model} at {size} is not known, so a budget cannot be kept: "
            "set price_per_second_usd on its deployment, or leave budget_usd (or budgets of the settings) out"
        )
        self.model, self.size = model, size


@dataclass(frozen=True, slots=True)
class Submitted:
    """What a submit did: rows by what became of them. `updated`: only labels, priority or deployment changed."""

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
        self,
        store: Store,
        name: str,
        *,
        deployments: Sequence[Deployment],
        progress: Callable[[int], None],
        budgets: Budgets = NO_BUDGETS,
    ) -> None:
        """`progress` is told how many rows are in so far."""
        self._store, self._name, self._progress = store, name, progress
        self._deployments, self._budgets = deployments, budgets

    async def submit(
        self,
        items: Iterable[ManifestItem],
        *,
        kinds: Iterable[Kind],
        columns: Sequence[str],
        budget_usd: Decimal | None,
        template: str,
        window: Window | None = None,
        comparison: Comparison | None = None,
        reuse: bool = False,
        again: bool = False,
    ) -> Submitted:
        """Queue the items; `kinds` are the models, sizes, seconds and pins among them; in `window` creates may start.

        With a `comparison`, rows whose receipt it finds are archived at once; with `reuse` too, those that another
        batch has take its video. `again`: a person pays again, whatever receipts and lists of jobs tell of them.

        What a person paused stays paused, and what was cancelled stays so. Raises UnknownPrice and AlreadySubmitting
        before anything is written, CancelledMeanwhile in the middle.
        """
        if budget_usd is not None or self._budgets:
            for kind in sorted(kinds):
                if dearest(self._deployments, *kind) is None:
                    raise UnknownPrice(kind[0], kind[1])
        settings: dict[str, object] = {
            "columns": json.dumps(list(columns)),
            "template": template,
            "budget": "" if budget_usd is None else str(micro(budget_usd)),
            "window": "" if window is None else window.dump(),
        }
        hours = [] if window is None else year_of_hours(window, time.time())
        async with alone(self._store, self._name) as lock:
            if lock is None:
                raise AlreadySubmitting(self._name)
            await end_dropping(self._store, self._name, lock)
            await sweep(self._store, self._name)  # what was asked before is asked of the rows that were there before
            await self._store.scripts.run("open_batch", self._name, settings, hours)
            counts = await self._write(items, lock, comparison, reuse=reuse, again=again)
        done = Submitted(self._name, *counts)
        log.info("batch.submitted", batch=self._name, new=done.new, changed=done.changed, unchanged=done.unchanged)
        return done

    async def _write(
        self,
        items: Iterable[ManifestItem],
        lock: Lock,
        comparison: Comparison | None,
        *,
        reuse: bool,
        again: bool,
    ) -> list[int]:
        lanes = {d.model for d in self._deployments} | {f"@{d.name}" for d in self._deployments}
        counts = [0, 0, 0, 0]
        rows = enumerate(items)
        while places := list(islice(rows, CHUNK)):
            await lock.reacquire()
            chunk = [self._row(place, item) for place, item in places]
            if comparison is not None:
                standings = await comparison.look([item for _, item in places])
                for row, standing in zip(chunk, standings, strict=True):
                    row.update(_made_already(standing, self._budgets, reuse=reuse))
            for row in chunk if again else ():
                row["again"] = 1
            lanes.update(f"@{row['pin']}" if row["pin"] else str(row["model"]) for row in chunk)
            added = await self._store.scripts.run("submit", self._name, *chunk)
            if added is None:
                raise CancelledMeanwhile(self._name)
            counts = [before + int(more) for before, more in zip(counts, added, strict=True)]
            self._progress(sum(counts))
        await self._store.scripts.run("seal_batch", self._name, *sorted(lanes))
        return counts

    def _row(self, place: int, item: ManifestItem) -> dict[str, object]:
        fingerprint = item.fingerprint
        cost = dearest(self._deployments, item.model, item.size, item.seconds, item.deployment)
        spec = Spec(
            key=item.key,
            prompt=item.prompt,
            model=item.model,
            size=item.size,
            seconds=item.seconds,
            fingerprint=fingerprint,
            labels=dict(item.labels),
            input_reference=item.input_reference,
            image_sha256=item.image_sha256,
            remix_of=item.remix_of,
            deployment=item.deployment,
        )
        return {
            "key": item.key,
            "fingerprint": fingerprint,
            "spec": spec.dump(),
            "model": item.model,
            "pin": item.deployment or "",
            "priority": item.priority,
            "place": place,
            "seconds": item.seconds,
            "price": "" if cost is None else cost,
            "source": item.remix_of if item.remix_of and not is_remote_id(item.remix_of) else "",
        }


def _made_already(standing: Standing, budgets: Budgets, *, reuse: bool) -> dict[str, object]:
    """What a row takes instead of being rendered; empty when it is to be rendered."""
    if standing.found is not None:
        created_at = standing.found["attempt"].get("created_at")
        return {"found": standing.found, "periods": paid_from(budgets, created_at, time.time())}
    return {"twin": str(standing.twin)} if reuse and standing.twin is not None else {}
