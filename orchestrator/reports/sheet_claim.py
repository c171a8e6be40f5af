"""The claim on a running batch's contact sheet: one worker at a time writes it, at most once a minute, and only after
something moved (`lua/sheet.lua`; it becomes due in `lua/shared/moves.lua`, and is claimed in `lua/claim.lua`)."""

from __future__ import annotations

from orchestrator.ledger.store import Store

#: The page of a running batch is not written again for so long (seconds); SHEET_MS in `lua/shared/moves.lua` is it.
REST_S = 60.0
#: Nor for so many times as long as it took: a page of 100,000 items is never more than a twentieth of a slot's work.
REST_TIMES = 20


async def renew(store: Store, batch: str, version: int, due_in_s: float) -> bool:
    """Keep it for so long; 0 gives it back. False: it is another's by now, or the batch has ended."""
    return bool(await store.scripts.run("sheet", batch, version, "renew", round(due_in_s * 1000)))


async def end(store: Store, batch: str, version: int, *, took_s: float) -> None:
    """The page is out, or nothing came of it: it is due again only once something has moved since the claim."""
    rest_s = max(REST_S, REST_TIMES * took_s)
    await store.scripts.run("sheet", batch, version, "end", round(rest_s * 1000))
