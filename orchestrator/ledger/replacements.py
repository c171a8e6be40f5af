"""Rows that were mended: what came to nothing, and the item that is wanted in its place.

One rule for whoever counts or shows items (`status`, results, the contact sheet, notices, a run's exit code): what is
replaced is `superseded`, and no failure any more.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from orchestrator.items.states import State
from orchestrator.ledger.keys import Ref
from orchestrator.ledger.records import Batch
from orchestrator.ledger.store import Store

#: What people read in the place of such an item's state.
SUPERSEDED = "superseded"
PAGE = 500
#: Over without a video. What is held may still cost, and waits for a person, whatever became of its row since.
_UNMADE = frozenset((State.FAILED, State.EXPIRED, State.CANCELLED))


@dataclass(frozen=True, slots=True)
class Replacements:
    """`by`: item → the one that is wanted in its place; `ended`: how many of them are in which state."""

    by: Mapping[str, str]
    ended: Mapping[State, int]

    def counts(self, batch: Batch) -> dict[str, int]:
        """How many items of the batch are what, for people: each is counted once, so that they add up to `total`.
        `superseded` is among them only where there are such."""
        gone = {state: min(self.ended.get(state, 0), batch.counts[state]) for state in State}
        states = {str(state): batch.counts[state] - gone[state] for state in State}
        superseded = sum(gone.values())
        return {"total": batch.total, **states, **({SUPERSEDED: superseded} if superseded else {})}


async def replacements(store: Store, name: str) -> Replacements:
    """What is replaced in a batch. Where no row of it ever changed, that costs one look at the batch."""
    batch = await store.read(store.keys.batch(name))
    if int(batch.get("total", 0)) <= int(batch.get("keys", 0)):
        return Replacements({}, {})
    revised = {raw.decode() async for raw, _ in store.redis.zscan_iter(store.keys.order(name), "*~*", count=PAGE)}
    rows = sorted({each.rpartition("~")[0] for each in revised})
    by: dict[str, str] = {}
    ended: Counter[State] = Counter()
    for start in range(0, len(rows), PAGE):
        for each, (state, wanted) in (await _unwanted(store, name, rows[start : start + PAGE])).items():
            if state in _UNMADE:
                by[each] = wanted
                ended[state] += 1
    return Replacements(by, ended)


async def _unwanted(store: Store, name: str, rows: list[str]) -> dict[str, tuple[State, str]]:
    """All contents of these rows that are not wanted any more: their states, and what is wanted."""
    pipe = store.redis.pipeline(transaction=False)
    for key in rows:
        pipe.hmget(store.keys.item(Ref(name, key)), ["latest", "revisions"])
    wanted: dict[str, str] = {}
    for key, (latest, revisions) in zip(rows, await pipe.execute(), strict=True):
        if latest is not None:
            contents = (key, *(f"{key}~{n}" for n in range(2, int(revisions or 1) + 1)))
            wanted |= {each: latest.decode() for each in contents if each != latest.decode()}
    for each in wanted:
        pipe.hget(store.keys.item(Ref(name, each)), "state")
    states = await pipe.execute()
    # One that was never sent is taken back altogether when its row changes once more.
    return {
        each: (State(state.decode()), latest)
        for (each, latest), state in zip(wanted.items(), states, strict=True)
        if state is not None
    }
