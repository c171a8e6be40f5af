"""Sweeping: what a person asked of many items is done a few hundred at a time, so that no script holds up the others.

What was asked is in the ledger: whoever asked begins with it, and if that command dies, a worker goes on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from orchestrator.ledger.store import Store, log

#: Items looked at in one script.
CHUNK = 300
#: How long whoever sweeps may be silent before a worker goes on (seconds).
LEASE_S = 15.0


@dataclass(frozen=True, slots=True)
class Swept:
    """What came of a request, in items.

    - `chosen`: those that it was about
    - `done`: those that were paused, resumed or cancelled for it
    - `going_on`: those that are sent already, and go on to their end
    - `already`: those that were as asked before; `cancelling`: those that were cancelled, so that no pause matters
    - `ended`: those that are archived, failed, expired or held, and when pausing or resuming, cancelled
    - `failed`: remixes that cannot be made since their source was cancelled
    - `hits`: how many each pattern chose, by its place
    """

    chosen: int = 0
    done: int = 0
    going_on: int = 0
    already: int = 0
    cancelling: int = 0
    ended: int = 0
    failed: int = 0
    hits: Mapping[int, int] = field(default_factory=dict)

    @classmethod
    def parse(cls, counts: Mapping[str, int]) -> Swept:
        """From what `sweep.lua` counted."""
        own = {name: n for name, n in counts.items() if name in cls.__slots__}
        return cls(**own, hits=hits_of(counts))


def hits_of(counts: Mapping[str, int]) -> dict[int, int]:
    """How many each pattern chose, by its place."""
    return {int(name.removeprefix("hit:")): n for name, n in counts.items() if name.startswith("hit:")}


async def sweep(store: Store, batch: str, *, chunk: int = CHUNK) -> Swept | None:
    """Do all that is still to be done of what was asked of a batch's items; None when nothing was, lately.

    Any number may do it at once: each part is one script.
    """
    counts = await counted(store, batch, chunk=chunk)
    return None if counts is None else Swept.parse(counts)


async def counted(store: Store, batch: str, *, chunk: int = CHUNK) -> dict[str, int] | None:
    """The same, with all that `sweep.lua` counted."""
    while True:
        answer = await store.scripts.run("sweep", batch, chunk, round(LEASE_S * 1000))
        if answer is None:
            return None
        done, action, *told = answer
        if done:
            counts = {name.decode(): int(n) for name, n in zip(told[::2], told[1::2], strict=True)}
            log.info("batch.swept", batch=batch, action=action.decode(), **counts)
            return counts
