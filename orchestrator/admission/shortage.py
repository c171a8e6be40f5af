"""What keeps a batch's next item for want of money, told as its admission reckons it: one script has the arithmetic."""

from __future__ import annotations

import time
from collections.abc import Collection
from dataclasses import dataclass

from orchestrator.clock import rfc3339
from orchestrator.ledger.periods import limits
from orchestrator.ledger.records import Batch
from orchestrator.ledger.store import Store
from orchestrator.settings import Budgets, Deployment
from orchestrator.video_models.prices import MICRO, micro, usd


@dataclass(frozen=True, slots=True)
class Stoppage:
    """Why nothing of a batch can move without a person, since when (Unix seconds), and what that person can do."""

    reason: str
    resume: str
    since: float


async def shortage(
    store: Store, batch: Batch, lane: str, deployments: Collection[Deployment], budgets: Budgets, since: float
) -> Stoppage | None:
    """Why no deployment may take the first item of a lane; None when one may, or when nothing waits there.

    The reason is budget, budget_day, budget_month, price_unknown, window_over or clock.
    """
    prices = ["" if d.price_per_second_usd is None else micro(d.price_per_second_usd) for d in deployments]
    request = {"prices": prices, "budgets": limits(budgets, time.time())}
    over, *short = await store.scripts.run("shortage", batch.name, lane, request) or (0, [])
    if over:
        resume = "submit its manifest again: the hours of its window are reckoned for a year from then on"
        return Stoppage("window_over", resume, since)
    if not all(short):
        return None
    name, price, spent, limit, ends_at = short[0]
    return short_of(batch, name.decode(), price, spent, limit, ends_at, since)


def short_of(batch: Batch, budget: str, price: int, spent: int, limit: int, ends_at: float, since: float) -> Stoppage:
    """What a batch lacks whose next video would break a budget: of the batch, the day or the month. A price below 0 is
    not known; a limit below 0 neither. Micro-dollars; `ends_at`: when the day or month ends, in ms."""
    if price < 0:
        resume = "nobody knows the price of its next video: set price_per_second_usd on the model's deployment"
        return Stoppage("price_unknown", resume, since)
    if limit < 0:
        resume = "set the clocks: Redis's is days away from this machine's, so that no budget is known to hold now"
        return Stoppage("clock", resume, since)
    costs = f"the next video costs ${usd(price):,.2f}"
    spent_of = f"${usd(spent):,.2f} of ${usd(limit):,.2f} are spent or bound, and {costs}"
    if budget == "batch":
        enough = -(-max(batch.estimated, spent + price) // MICRO)
        return Stoppage("budget", f"{spent_of}: dailies set {batch.name} --budget-usd {enough}", since)
    resume = (
        f"{spent_of}: raise budgets.{budget}_usd in dailies.yaml and start again; or it goes on by itself at "
        f"{rfc3339(ends_at / 1000)}, while a worker runs"
    )
    return Stoppage(f"budget_{budget}", resume, since)
