"""`dailies submit`: queue manifests for workers elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.console import Console

from dailies.options import Choices
from dailies.ordering.planning import show_plans
from dailies.ordering.submitting import submit_all, survey_all
from dailies.reading.documents import batch_document
from dailies.session import open_archive
from dailies.terminal.asking import confirm
from manifests import Manifest
from orchestrator.ledger import views
from orchestrator.ledger.replacements import replacements
from orchestrator.settings import Settings


async def submit(
    settings: Settings, manifests: Sequence[Manifest], choices: Choices, console: Console
) -> list[dict[str, Any]]:
    """Queue manifests; the batches as `status --json` shows them, with what was new."""
    documents = []
    async with open_archive(settings) as session:
        surveyed = await survey_all(session, manifests, choices)
        await show_plans(session, surveyed, console)
        confirm([each.survey for each in surveyed], over_usd=settings.confirm_over_usd, yes=choices.yes)
        for done in await submit_all(session, surveyed, choices):
            batch = await views.batch(session.store, done.batch)
            if batch is None:
                continue
            replaced = await replacements(session.store, batch.name)
            document = batch_document(batch, replaced, None, session.archive().url)
            changes = {"new": done.new, "changed": done.changed, "unchanged": done.unchanged + done.updated}
            documents.append(document | changes)
    return documents
