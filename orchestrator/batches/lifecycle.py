"""Pause, resume and cancel: what a person asks of a batch, or of some of its items, seen at once by every worker.

A pause gates creates only; what was sent goes on. A cancel takes back what was not sent, and is a request otherwise:
the remote job keeps its slot and its money until it ends, and its video is archived unless it shall be discarded. Of a
whole batch both are one write; items are swept after it (`sweeping.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import groupby

from manifests.key import safe
from orchestrator.batches.sweeping import LEASE_S, Swept, sweep
from orchestrator.items.states import BatchState, State
from orchestrator.ledger import views
from orchestrator.ledger.store import Store, log

_UNSENT = (State.WAITING, State.ADMITTED)
_SENT = (State.CREATING, State.RENDERING, State.ARCHIVING)
_LEASE_MS = round(LEASE_S * 1000)


class Action(StrEnum):
    """What is asked."""

    PAUSE = "pause"
    RESUME = "resume"
    CANCEL = "cancel"


@dataclass(frozen=True, slots=True)
class Word:
    """A person's word: who gave it (`user@host`), why, and whether a video that is made all the same is discarded."""

    by: str
    reason: str = ""
    discard: bool = False

    def fields(self) -> dict[str, object]:
        """As the scripts take it."""
        return {"by": self.by, "reason": self.reason, "cancel": "discard" if self.discard else "keep"}


@dataclass(frozen=True, slots=True)
class Chosen:
    """Some of a batch's items: of any of these keys, and in any of these states; what is empty chooses all.

    In a key `*` and `?` stand for any characters, and case counts for nothing. It means every content that the key had:
    `mug` is `mug~2` too.
    """

    keys: Sequence[str] = ()
    states: Sequence[State] = ()

    def __bool__(self) -> bool:
        """Whether anything was chosen, rather than the whole batch."""
        return bool(self.keys or self.states)


@dataclass(frozen=True, slots=True)
class Done:
    """What came of it: in `swept` for items; `state` is the batch's before.

    - `whole`: it was asked of the batch itself, which `already` was so, or is `cancelling`, so that no pause matters
    - `unmatched`: keys that chose nothing
    """

    state: BatchState
    swept: Swept
    whole: bool = False
    already: bool = False
    cancelling: bool = False
    unmatched: tuple[str, ...] = ()


async def ask(store: Store, batch: str, action: Action, word: Word, chosen: Chosen | None = None) -> Done | None:
    """Do it, and say what came of it. None where there is no such batch."""
    if chosen:
        done = await _items(store, batch, action, word, chosen)
    elif action is Action.CANCEL:
        done = await _cancel(store, batch, word)
    else:
        done = await _gate(store, batch, action, word)
    if done is not None:
        log.info("batch.asked", batch=batch, action=str(action), by=word.by, reason=word.reason, whole=done.whole)
    return done


async def _gate(store: Store, batch: str, action: Action, word: Word) -> Done | None:
    """One write; what waits and what goes on is told as it is right after."""
    if action is Action.PAUSE:
        answer = await store.scripts.run("pause_batch", batch, word.fields())
    else:
        answer = await store.scripts.run("resume_batch", batch)
    found = await views.batch(store, batch)
    if answer is None or found is None:
        return None
    state, already, cancelling = BatchState(answer[0].decode()), bool(answer[1]), bool(answer[2])
    acts = state is not BatchState.FINAL and not already and not cancelling
    done = found.moving(*_UNSENT) if acts else 0
    return Done(
        state,
        Swept(chosen=found.total, done=done, going_on=found.moving(*_SENT)),
        whole=True,
        already=already,
        cancelling=cancelling,
    )


async def _cancel(store: Store, batch: str, word: Word) -> Done | None:
    state = await store.scripts.run("cancel_batch", batch, word.fields(), _LEASE_MS)
    if state is None:
        return None
    before = BatchState(state.decode())
    swept = None if before is BatchState.FINAL else await sweep(store, batch)
    return Done(before, swept or Swept(), whole=True)


async def _items(store: Store, batch: str, action: Action, word: Word, chosen: Chosen) -> Done | None:
    request = {
        **word.fields(),
        "action": str(action),
        "patterns": [pattern_of(key) for key in chosen.keys],
        "states": {str(state): True for state in chosen.states},
    }
    while True:
        answer = await store.scripts.run("choose_items", batch, request, _LEASE_MS)
        if answer is None:
            return None
        state, asked = answer
        swept = await sweep(store, batch) or Swept()
        if asked:  # else it was what was asked before, which is done first
            break
    unmatched = tuple(key for n, key in enumerate(chosen.keys, 1) if not swept.hits.get(n))
    return Done(BatchState(state.decode()), swept, unmatched=unmatched)


def pattern_of(key: str) -> str:
    """A key as people write it, in the letters of the ledger: `Åre 42/*` is `Are-42-*`."""
    runs = ("".join(run) for _, run in groupby(key.strip(), lambda letter: letter in "*?~"))
    # `safe` takes off what cannot stand at a key's ends; beside a wildcard it can.
    pattern = "".join(run if run[0] in "*?~" else safe(f"x{run}x")[1:-1] for run in runs)
    return pattern if "*" in pattern or "?" in pattern else pattern.strip("-.")
