"""Remote jobs that nobody here knows, and the items that they may have been made for: by prompt, size, seconds, model.

Only items that were not sent as far as the ledger knows are asked; what is out already is for `reconcile`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field

from orchestrator.items.states import State
from orchestrator.ledger import views
from orchestrator.ledger.records import Item
from orchestrator.ledger.store import Store
from orchestrator.settings import Deployment
from workers.archiving.archived import ArchivedRows
from workers.reconciliation.evidence import ROUNDING_S, STEP_S
from workers.reconciliation.likeness import plain, same_shape
from workers.sinks import Sink
from workers.video_api import RemoteJob, RemoteStatus

#: Which of several jobs is taken first: one that has a video, or may have one.
_BEST = {RemoteStatus.SUCCEEDED: 0, RemoteStatus.RUNNING: 1}


@dataclass(frozen=True, slots=True)
class Match:
    """An item, where it would have been sent, and the job that may be its own. Where it is not `sure`, `reconcile` has
    to tell, and nothing is sent meanwhile: rows with other pictures have the same words, or other programs create there
    too and several jobs have them."""

    item: Item
    deployment: Deployment
    job: RemoteJob
    sure: bool


@dataclass(slots=True)
class Matches:
    """What was found. `left`: jobs that no item took; `hidden`: those that show no prompt and could be that of an item
    that waits."""

    found: list[Match] = field(default_factory=list)
    left: list[RemoteJob] = field(default_factory=list)
    hidden: list[RemoteJob] = field(default_factory=list)


async def match(
    store: Store, sink: Sink, jobs: Sequence[RemoteJob], deployments: Sequence[Deployment], *, ahead_s: float = 0.0
) -> Matches:
    """Compare unknown jobs of one scope, whose deployments these are, with all items that wait. What a person pays for
    again takes no job whose video is archived; and what was sent before none that is older than its newest intent
    (`ahead_s`: of the provider's clock before the ledger's). Raises ArchiveError."""
    table = _Table(jobs, deployments, ahead_s)
    for batch in await views.batches(store):
        if "cancel" in batch.fields or not batch.moving(State.WAITING, State.ADMITTED):
            continue
        rows = ArchivedRows(sink, batch.name, deployments)
        async for item in views.items(store, batch.name, {State.WAITING, State.ADMITTED}):
            if "cancel" not in item.fields and table.concerns(item):
                table.offer(item, await rows.remote_ids(item.spec.key) if "again" in item.fields else ())
    return table.matches()


class _Table:
    """The jobs by prompt; each goes to one item."""

    def __init__(self, jobs: Sequence[RemoteJob], deployments: Sequence[Deployment], ahead_s: float) -> None:
        self._deployments, self._ahead_s = deployments, ahead_s
        self._jobs = list(jobs)
        self._models = {name: d.model for d in deployments for name in (d.model, d.deployment)}
        self._by_prompt: dict[str, list[RemoteJob]] = defaultdict(list)
        for job in sorted(jobs, key=lambda job: (_BEST.get(job.status, 2), job.created_at or 0.0)):
            if job.prompt is not None:
                self._by_prompt[plain(job.prompt)].append(job)
        self._hidden = [job for job in jobs if job.prompt is None]
        self._could_be: dict[str, RemoteJob] = {}
        self._asking: list[tuple[Item, Deployment, list[RemoteJob]]] = []
        self._orders: dict[str, set[str]] = defaultdict(set)  # job → the fingerprints that it may be of

    def concerns(self, item: Item) -> bool:
        """Whether any job could be its own."""
        return bool(self._hidden) or plain(item.spec.prompt) in self._by_prompt

    def offer(self, item: Item, archived: Collection[str] = ()) -> None:
        """An item that waits; `archived`: jobs that are not its own."""
        jobs = self._like(item, self._by_prompt.get(plain(item.spec.prompt), ()))
        jobs = [job for job in jobs if job.remote_id not in archived]
        at = self._at(item, jobs)
        if at is None:
            return
        if jobs:
            self._asking.append((item, at, jobs))
            for job in jobs:
                self._orders[job.remote_id].add(item.spec.fingerprint)
        self._could_be |= {job.remote_id: job for job in self._like(item, self._hidden)}

    def matches(self) -> Matches:
        """What came of it."""
        found, taken = list[Match](), set[str]()
        for item, at, jobs in self._asking:
            free = [job for job in jobs if job.remote_id not in taken]
            if any(len(self._orders[job.remote_id]) > 1 for job in jobs):
                found.append(Match(item, at, jobs[0], sure=False))
            elif free:
                taken.add(free[0].remote_id)
                found.append(Match(item, at, free[0], sure=len(free) == 1 or not at.shared))
        left = [job for job in self._jobs if job.remote_id not in taken]
        return Matches(found, left, list(self._could_be.values()))

    def _like(self, item: Item, jobs: Iterable[RemoteJob]) -> list[RemoteJob]:
        return [
            job
            for job in jobs
            if same_shape(job, item.spec) and self._same_model(job, item) and self._is_later(job, item)
        ]

    def _is_later(self, job: RemoteJob, item: Item) -> bool:
        """Whether it may come of a create that follows the newest that is known of the item."""
        intent_at = item.attempt.intent_at if item.attempt else None
        if intent_at is None or job.created_at is None:
            return True
        return job.created_at >= intent_at + self._ahead_s - STEP_S - ROUNDING_S

    def _same_model(self, job: RemoteJob, item: Item) -> bool:
        return self._models.get(job.model or "", item.spec.model) == item.spec.model

    def _at(self, item: Item, jobs: Sequence[RemoteJob]) -> Deployment | None:
        """Where the item would have been sent, of these deployments: rather to the one that the job names."""
        pin = item.spec.deployment
        can = [d for d in self._deployments if d.model == item.spec.model and pin in (None, d.name)]
        named = [d for d in can if jobs and jobs[0].model == d.deployment]
        return next(iter([*named, *can]), None)


def told(jobs: Sequence[RemoteJob], most: int = 3) -> str:
    """Some of them, by id."""
    names = ", ".join(job.remote_id for job in jobs[:most])
    return f"{names} and {len(jobs) - most} more" if len(jobs) > most else names


def oldest(jobs: Sequence[RemoteJob], now: float) -> float | None:
    """When the oldest was created (Unix seconds); None of none. One that does not tell counts as of `now`."""
    return min((job.created_at or now for job in jobs), default=None)
