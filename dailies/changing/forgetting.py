"""`dailies forget`: drop a final batch from Redis, while the archive keeps it."""

from __future__ import annotations

from typing import Any

from dailies.session import archive_url, open_store
from dailies.terminal.asking import agree, on_terminal
from dailies.terminal.exits import UsageError, counted
from orchestrator.batches.batch_lock import drop
from orchestrator.items.states import State
from orchestrator.ledger import views
from orchestrator.settings import Settings

#: Why nothing was dropped, and what to do.
_REFUSED = {
    "busy": "it is being submitted, or dropped, just now: try again later",
    "not_final": "it is not final: items of it still move. dailies cancel {0} ends it, dailies status {0} shows it",
    "unreported": "its results and its contact sheet are still to be written: a worker does that (dailies worker, or "
    "dailies run with its manifest); then forget it",
    "orphans": "remote jobs of its items are listed that no item could take, and may have videos that were paid: "
    "dailies reconcile --audit shows them. Two days after they were made, it can be forgotten all the same",
}


async def forget(settings: Settings, name: str, *, yes: bool) -> dict[str, Any]:
    """Drop it; what was dropped. Raises UsageError, and nothing is dropped."""
    async with open_store(settings) as session:
        batch = await views.batch(session.store, name)
        if batch is None:
            raise UsageError(f"there is no batch {name}: dailies status lists them (--sandbox: those of the sandbox)")
        held = batch.counts[State.HELD]
        if held and not yes and not on_terminal():
            raise UsageError(
                f"{name} has {counted(held, 'held item')}: once it is forgotten, nobody will know what came of them. "
                "Look first (dailies reconcile), or say --yes"
            )
        doubt = f" ({counted(held, 'item')} held: nobody will know what came of them)" if held else ""
        agree(
            f"Forget {name}, {counted(batch.total, 'item')}{doubt}? The archive keeps it.",
            nobody=f"nobody can be asked whether to forget {name}, since standard input is no terminal: say --yes",
            no="nothing was forgotten",
            yes=yes,
        )
        word = await drop(session.store, name, reported=True)
        if word != "gone":
            raise UsageError(f"{name} is not forgotten: {_REFUSED[word].format(name)}")
        return {"batch": name, "items": batch.total, "held": held, "archive": f"{archive_url(settings)}{name}/"}


def words(document: dict[str, Any]) -> str:
    """The same for people."""
    return (
        f"{document['batch']}: forgotten, {counted(document['items'], 'item')}; its videos, receipts and results stay "
        f"in {document['archive']}"
    )
