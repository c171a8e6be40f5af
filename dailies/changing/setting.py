"""`set`: a running batch's budget, priority and weight."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from dailies.reading.documents import batch_document
from dailies.session import archive_url, open_store
from dailies.terminal.exits import UsageError
from orchestrator.batches.live_changes import BadChange, change
from orchestrator.ledger import views
from orchestrator.ledger.replacements import replacements
from orchestrator.reasons.stoppage import stoppage
from orchestrator.settings import Settings


async def set_batch(
    settings: Settings,
    name: str,
    *,
    budget_usd: Decimal | None = None,
    priority: int | None = None,
    weight: int | None = None,
) -> dict[str, Any]:
    """Change a batch; its document, as `status` prints it, with what it is set to. A batch that was stopped for its
    budget goes on by itself, where a worker runs.

    Raises UsageError.
    """
    async with open_store(settings) as session:
        try:
            state = await change(session.store, name, budget_usd=budget_usd, priority=priority, weight=weight)
        except BadChange as bad:
            option = bad.option.replace(" ", " --").replace("_", "-").replace("--or ", "or ")
            raise UsageError(f"--{option}: {str(bad).removeprefix(f'{bad.option} ')}") from bad
        batch = None if state is None else await views.batch(session.store, name)
        if batch is None:
            raise UsageError(f"there is no batch {name}: dailies status lists them")
        stopped = await stoppage(session.store, batch, settings.deployments, budgets=settings.budgets)
        replaced = await replacements(session.store, name)
        return batch_document(batch, replaced, stopped, archive_url(settings))
