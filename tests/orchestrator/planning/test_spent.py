"""A plan begins with what the ledger says is spent of the day and the month."""

from __future__ import annotations

import time
from decimal import Decimal

import pytest
from arq.connections import ArqRedis

from orchestrator.admission.timings import Timing
from orchestrator.ledger import views
from orchestrator.ledger.store import Store
from orchestrator.planning import forecast
from orchestrator.settings import Budgets
from tests.ledger import admit, deployment, item, submit
from tests.orchestrator.planning.nights import work

pytestmark = pytest.mark.asyncio


async def test_what_is_bound_already_is_not_spent_twice(redis: ArqRedis, namespace: str) -> None:
    store, budgets, now = Store(redis, namespace), Budgets(month_usd=Decimal(1)), time.time()
    await submit(store, [item("a"), item("b")], budgets=budgets)
    await admit(store, deployment(), budgets=budgets)
    spent = await views.spent(store, budgets, now)
    assert sum(spent.values()) == 800_000
    kinds = set(work(3).kinds)
    seen = {("east", kind.size, kind.seconds): Timing(1, 1, 1, learned=True) for kind in kinds}
    (fresh,) = forecast([work(3)], [deployment()], seen, now=now, budgets=budgets)
    (found,) = forecast([work(3)], [deployment()], seen, now=now, budgets=budgets, spent=spent)
    assert (fresh.archived_by(now + 120), found.archived_by(now + 120)) == (2, 0)
