"""`dailies submit` and `dailies worker`: the two halves of a run, on different machines."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dailies.crew import Interrupts, crew
from dailies.documents import batch_document
from dailies.exits import Exit, UsageError
from dailies.probes import probe_stopped
from dailies.session import open_all, open_archive
from dailies.submitting import load_all, submit_all
from orchestrator import views
from orchestrator.settings import Settings
from workers.worker import STEPS


async def submit(settings: Settings, paths: Sequence[Path], *, new: bool) -> list[dict[str, Any]]:
    """Queue manifests; the batches as `status --json` shows them, with what was new."""
    manifests = load_all(paths, settings)
    if not settings.deployments:
        raise UsageError("no deployment is configured: write dailies.yaml or set AZURE_OPENAI_ENDPOINT")
    documents = []
    async with open_archive(settings) as session:
        for done in await submit_all(session, manifests, new=new):
            batch = await views.batch(session.store, done.batch)
            if batch is None:
                continue
            document = batch_document(batch, None, session.archive().url)
            changes = {"new": done.new, "changed": done.changed, "unchanged": done.unchanged + done.updated}
            documents.append(document | changes)
    return documents


async def work(settings: Settings, only: str) -> int:
    """A worker until SIGTERM or SIGINT, which drain it: exit 0."""
    steps = [step.strip() for step in only.split(",") if step.strip()]
    if unknown := [step for step in steps if step not in STEPS]:
        raise UsageError(f"there is no step {unknown[0]}: choose from {', '.join(STEPS)}")
    if not settings.deployments:
        raise UsageError("no deployment is configured: write dailies.yaml or set AZURE_OPENAI_ENDPOINT")
    interrupts = Interrupts()
    async with open_all(settings) as session:
        await probe_stopped(session)
        worker = crew(session, steps=steps)
        interrupts.drain(worker)
        await worker.run()
    return Exit.DONE
