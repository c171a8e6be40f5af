"""The lookout: sees that a batch stopped, or that a finished video nears its expiry, and leaves notices of it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from orchestrator.expiry import THRESHOLDS_S, standing
from orchestrator.items.states import BatchState
from orchestrator.ledger import views
from orchestrator.ledger.records import Batch
from orchestrator.ledger.store import Store
from orchestrator.reasons.stoppage import Stoppage, stoppage
from orchestrator.reports.notices import announce, batch_facts, expiry_facts
from orchestrator.settings import NO_BUDGETS, Budgets, Deployment
from orchestrator.settings.notify import Occasion

#: Which webhooks want to know of what.
Subscribers = Mapping[Occasion, Collection[str]]


@dataclass(slots=True)
class Lookout:
    """Looks when it is asked to. `batches`: the only ones that are looked at; `archive`: its root's URL.

    A stoppage counts once two looks in a row saw it: a moment between two states is none.
    """

    store: Store
    deployments: Sequence[Deployment]
    subscribers: Subscribers
    archive: str
    batches: Collection[str] | None = None
    budgets: Budgets = NO_BUDGETS
    _seen: dict[str, str] = field(default_factory=dict)

    async def look(self) -> None:
        """Look once; what is new is noted."""
        if self.subscribers.get("expiry"):
            await self._expiry()
        if self.subscribers.get("stopped"):
            await self._stoppages()

    async def ended(self, batch: Batch) -> None:
        """A batch is final, and its documents are out."""
        channels = self.subscribers.get("ended")
        if channels:
            facts = await batch_facts(self.store, batch, self.archive)
            await announce(self.store, batch.name, "ended", str(round((batch.final_at or 0) * 1000)), facts, channels)

    async def stopped(self, batch: Batch, why: Stoppage) -> None:
        """A batch cannot move without a person. It is told again only after something of it moved."""
        channels = self.subscribers.get("stopped")
        mark = _mark(batch, why)
        if channels and batch.fields.get("told:stopped") != mark:
            facts = await batch_facts(self.store, batch, self.archive, why)
            await announce(self.store, batch.name, "stopped", mark, facts, channels)

    async def _stoppages(self) -> None:
        seen: dict[str, str] = {}
        for batch in await self._moving():
            why = await stoppage(self.store, batch, self.deployments, admitted=self.batches, budgets=self.budgets)
            if why is None:
                continue
            seen[batch.name] = _mark(batch, why)
            if self._seen.get(batch.name) == seen[batch.name]:
                await self.stopped(batch, why)
        self._seen = seen

    async def _moving(self) -> list[Batch]:
        if self.batches is None:
            found = await views.batches(self.store)
        else:
            found = [b for name in self.batches if (b := await views.batch(self.store, name))]
        return [batch for batch in found if batch.state in (BatchState.RUNNING, BatchState.PAUSED)]

    async def _expiry(self) -> None:
        now = await standing(self.store)
        under = [limit for limit in THRESHOLDS_S if now.least_left_s is not None and now.least_left_s < limit]
        told = int((await self.store.read(self.store.keys.meta)).get("told:expiry") or 0)
        if len(under) == told:
            return
        # What recovered is told again when it is so again.
        channels = self.subscribers["expiry"] if len(under) > told else ()
        facts = expiry_facts(now, under[-1]) if under else {}
        await announce(self.store, "", "expiry", str(len(under)), facts, channels)


def _mark(batch: Batch, why: Stoppage) -> str:
    return f"{why.reason} {batch.fields.get('moved_at') or round(batch.created_at * 1000)}"
