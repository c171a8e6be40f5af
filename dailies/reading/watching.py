"""`dailies status --watch`: batches while they run elsewhere, until they are final."""

from __future__ import annotations

import asyncio

from redis.exceptions import RedisError
from rich.console import Console

from dailies.reading.rows import no_such
from dailies.session import open_store
from dailies.terminal.exits import Exit, UsageError, say
from dailies.terminal.panel import Panel
from orchestrator.items.states import BatchState
from orchestrator.ledger import views
from orchestrator.ledger.records import Batch
from orchestrator.ledger.store import Store
from orchestrator.logs.redaction import redact
from orchestrator.reasons.stoppage import stoppage
from orchestrator.settings import Settings

#: Between two looks (seconds).
EVERY_S = 2.0


async def watch(settings: Settings, name: str, console: Console, *, every_s: float = EVERY_S) -> int:
    """Show how far a batch is, or all of those that run now, until they are final or forgotten. Raises UsageError where
    there is nothing to watch."""
    async with open_store(settings) as session:
        store, names = session.store, [name] if name else await _running(session.store)
        if name and await views.batch(store, name) is None:
            raise no_such(name)
        if not names:
            raise UsageError("nothing runs: dailies status shows what has ended")
        away = False
        with Panel(settings.deployments, console) as panel:
            while True:
                try:
                    batches = [b for each in names if (b := await views.batch(store, each))]
                    panel.update(batches, await _stopped(store, settings, batches))
                    away = False
                except (RedisError, OSError) as error:  # it may be starting again: watching changes nothing
                    if not away:
                        say(f"Redis cannot be reached for now: {redact(str(error))}")
                    away, batches = True, []
                if not away and all(batch.state is BatchState.FINAL for batch in batches):
                    return Exit.DONE
                await asyncio.sleep(every_s)


async def _running(store: Store) -> list[str]:
    return [batch.name for batch in await views.batches(store) if batch.state is not BatchState.FINAL]


async def _stopped(store: Store, settings: Settings, batches: list[Batch]) -> str:
    """What only a person can move on, in words."""
    words = []
    for batch in batches:
        why = await stoppage(store, batch, settings.deployments, budgets=settings.budgets)
        if why is not None:
            words.append(f"{batch.name}: somebody ({why.reason.replace('_', ' ')}: {why.resume})")
    return "; ".join(words)
