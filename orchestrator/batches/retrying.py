"""Retry: what ended without a video is made after all, since a person wants it; the same content, its next attempt.

It is swept like a pause or a cancel (`sweeping.py`), twice: first only counted, so that a person knows what it may
cost.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from orchestrator.batches.lifecycle import Chosen, Word, pattern_of
from orchestrator.batches.sweeping import LEASE_S, counted, hits_of
from orchestrator.items.states import State
from orchestrator.ledger.store import Store, log

#: What may be made after all; what is held only where a person says so.
ENDED = (State.FAILED, State.CANCELLED, State.EXPIRED, State.HELD)


@dataclass(frozen=True, slots=True)
class Wish:
    """Which items: `chosen`, and of any of these reasons (`failures.TABLE`; empty is any). `double`: also what is held,
    though it may be made and paid twice."""

    chosen: Chosen = field(default_factory=Chosen)
    codes: Sequence[str] = ()
    double: bool = False


@dataclass(frozen=True, slots=True)
class Revived:
    """What came of it, in items; money in micro-dollars.

    - `chosen`: those that it was about; `done`: those that wait again (or would, when it was only counted)
    - `brought_back`: remixes that had failed with one of them, and wait with it again
    - `sourceless`: remixes whose own source has ended and is not made again
    - `held`: left alone, since they may be made twice
    - `superseded`: left alone, since their rows were submitted anew with other content, as items of their own
    - `going_on`: they wait or move already; `ended`: archived
    - `cost`: at most, `unpriced` of them at a price that nobody knows
    - `again`: those whose last attempt is paid, or may be; `again_cost`: what they may cost a second time
    """

    chosen: int = 0
    done: int = 0
    brought_back: int = 0
    sourceless: int = 0
    held: int = 0
    superseded: int = 0
    going_on: int = 0
    ended: int = 0
    cost: int = 0
    unpriced: int = 0
    again: int = 0
    again_cost: int = 0
    hits: Mapping[int, int] = field(default_factory=dict)

    @classmethod
    def parse(cls, counts: Mapping[str, int]) -> Revived:
        """From what `sweep.lua` counted."""
        return cls(**{name: n for name, n in counts.items() if name in cls.__slots__}, hits=hits_of(counts))


async def survey(store: Store, batch: str, wish: Wish) -> tuple[Revived, int] | None:
    """What a retry would do, with nothing done; and the instant (ms, Redis's clock) until which it looked, for `retry`.
    None where there is no such batch."""
    seconds, micros = await store.redis.time()
    before = int(seconds) * 1000 + int(micros) // 1000
    found = await _sweep(store, batch, wish, before, Word(""), dry=True)
    return None if found is None else (found, before)


async def retry(store: Store, batch: str, wish: Wish, before: int, word: Word) -> Revived | None:
    """Queue again what ended until `before`. None where there is no such batch. Done twice, the second does nothing."""
    done = await _sweep(store, batch, wish, before, word, dry=False)
    if done is not None:
        log.info("batch.retried", batch=batch, by=word.by, done=done.done, brought_back=done.brought_back)
    return done


async def _sweep(store: Store, batch: str, wish: Wish, before: int, word: Word, *, dry: bool) -> Revived | None:
    states = wish.chosen.states or (() if wish.chosen.keys else ENDED)
    request = {
        **word.fields(),
        "action": "retry",
        "patterns": [pattern_of(key) for key in wish.chosen.keys],
        "states": {str(state): True for state in states},
        "codes": dict.fromkeys(wish.codes, True),
        "double": wish.double,
        "before": before,
        "dry": dry,
    }
    while True:
        answer = await store.scripts.run("choose_items", batch, request, round(LEASE_S * 1000))
        if answer is None:
            return None
        counts = await counted(store, batch) or {}
        if answer[1]:  # else it was what was asked before, which is done first
            return Revived.parse(counts)
