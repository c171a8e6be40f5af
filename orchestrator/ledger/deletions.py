"""Remote videos that are to be deleted, since they are proven in the archive: kept in the ledger until that is done,
or not worth trying any more. An attempt comes here in the same write that makes its item archived."""

from __future__ import annotations

from orchestrator.ledger.keys import Ref
from orchestrator.ledger.store import Store

#: For how long a worker has what it claimed to itself (seconds).
CLAIM_S = 300.0


async def claim(store: Store, most: int) -> list[tuple[Ref, int]]:
    """At most so many that are due: items, and the attempts whose videos are meant."""
    rows = await store.scripts.run("claim_deletions", round(CLAIM_S * 1000), most)
    return [(Ref(batch.decode(), item.decode()), int(number)) for batch, item, number in rows]


async def over(store: Store, ref: Ref, attempt: int) -> None:
    """It is deleted, gone by itself, or given up."""
    await store.scripts.run("settle_deletion", ref.batch, ref.item, attempt, "", "")


async def again(store: Store, ref: Ref, attempt: int, *, in_s: float, failed: bool) -> None:
    """Not now. `failed`: it was asked for and refused, which counts as a try."""
    await store.scripts.run("settle_deletion", ref.batch, ref.item, attempt, round(in_s * 1000), "1" if failed else "")
