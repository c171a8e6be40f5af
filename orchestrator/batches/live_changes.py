"""What a person may change of a batch while it runs: its budget, its priority among batches, and its weight."""

from __future__ import annotations

from decimal import Decimal

from orchestrator.items.states import BatchState
from orchestrator.ledger.store import Store, log
from orchestrator.video_models.prices import micro

#: Together with an item's own, of at most a million, it must stay below 2^20 (`URGENCY_STEP` of the ledger).
HIGHEST_PRIORITY = 10_000
#: How many items a batch may have admitted for one of a batch of weight 1.
HIGHEST_WEIGHT = 100


class BadChange(ValueError):
    """A batch cannot be changed so. `.option` names what is wrong; the text says what it must be."""

    def __init__(self, option: str, message: str) -> None:
        super().__init__(f"{option} {message}")
        self.option = option


async def change(
    store: Store,
    batch: str,
    *,
    budget_usd: Decimal | None = None,
    priority: int | None = None,
    weight: int | None = None,
) -> BatchState | None:
    """Change a batch, at once for every worker; what is None stays. None where there is no such batch.

    `priority`: larger goes first, before items' own. `weight`: how many turns it has for each of a batch of weight 1.
    A budget that is set holds until the manifest's own is changed. Raises BadChange before anything is written.
    """
    if budget_usd is not None and not (budget_usd.is_finite() and 0 < budget_usd < 1_000_000_000):
        raise BadChange("budget_usd", "must be an amount in US dollars, more than 0")
    if priority is not None and abs(priority) > HIGHEST_PRIORITY:
        raise BadChange("priority", f"must be a whole number from -{HIGHEST_PRIORITY} to {HIGHEST_PRIORITY}")
    if weight is not None and not 1 <= weight <= HIGHEST_WEIGHT:
        raise BadChange("weight", f"must be a whole number from 1 to {HIGHEST_WEIGHT}")
    budget = None if budget_usd is None else str(micro(budget_usd))
    wanted = {"budget": budget, "priority": priority, "weight": weight}
    changes = {name: value for name, value in wanted.items() if value is not None}
    if not changes:
        raise BadChange("budget_usd, priority or weight", "must be given: nothing else can be changed")
    state = await store.scripts.run("set_batch", batch, changes)
    if state is None:
        return None
    log.info("batch.changed", batch=batch, **changes)
    return BatchState(state.decode())
