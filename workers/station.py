"""What every step works with: the store, the deployments with their clients, the archive, and a way to say
that a slot came free."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

import structlog

from orchestrator.admission.timings import RenderTimes
from orchestrator.ledger.records import Item
from orchestrator.ledger.store import Store
from orchestrator.settings import NO_BUDGETS, Budgets, Deployment
from workers.patience import Patience
from workers.sinks import Sink
from workers.telling.herald import Herald
from workers.video_api import VideoApi


@dataclass(frozen=True, slots=True)
class Line:
    """A deployment as configured, the client that speaks to it, and the patience with its posters."""

    deployment: Deployment
    api: VideoApi
    patience: Patience = field(default_factory=Patience, compare=False)


@dataclass(frozen=True, slots=True)
class Station:
    """One worker's equipment.

    clock     Unix seconds; decides when to look at a job again and whether a video is past its time
    wake      begins a round of the dispatcher in so many seconds (0: at once, since a slot came free)
    delete_remote  delete the remote video once its archive is proven
    keep_s    for how long a batch is kept in the ledger after its report
    herald    tells people by webhook; None where nobody wants to know
    budgets   of day and month, which a ledger that was lost is told of again
    renders   what was learned of render times
    """

    store: Store
    lines: Mapping[str, Line]
    sink: Sink
    clock: Callable[[], float]
    wake: Callable[[float], None]
    claim_s: float
    delete_remote: bool = False
    keep_s: float = 30 * 86_400.0
    herald: Herald | None = None
    budgets: Budgets = NO_BUDGETS
    renders: RenderTimes = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "renders", RenderTimes(self.store))

    def bound(self, item: Item) -> AbstractContextManager[None]:
        """Log lines of this block carry the item, its deployment, its remote id and its attempt."""
        return structlog.contextvars.bound_contextvars(
            batch=item.ref.batch,
            key=item.ref.item,
            deployment=item.deployment,
            remote_id=item.remote_id,
            attempt=item.attempts,
        )

    def serves(self, item: Item) -> bool:
        """Whether the deployment that the item's newest attempt went to is known here: a worker of an older
        configuration does not know a new one."""
        return item.attempt is None or item.attempt.deployment in self.lines

    def line(self, item: Item) -> Line:
        """The line that the item's newest attempt went to: polls and downloads always go there."""
        if item.attempt is None:
            raise ValueError(f"{item.ref} was never admitted")
        return self.lines[item.attempt.deployment]
