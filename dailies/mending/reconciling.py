"""`reconcile`: settle what nobody knows the outcome of, now; `--adopt`: a person says whose a remote job is."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from dailies.session import Session
from dailies.terminal.exits import UsageError
from dailies.terminal.person import who
from orchestrator.items.states import State
from orchestrator.ledger import views
from orchestrator.ledger.in_hand import doubtful
from orchestrator.ledger.keys import Ref
from orchestrator.ledger.records import Item
from orchestrator.ledger.store import Store
from workers.reconciliation import adoption
from workers.reconciliation.candidates import named
from workers.reconciliation.evidence import LookAgain
from workers.reconciliation.places import is_out, now_of
from workers.reconciliation.reconcile import reconcile
from workers.station import Station

#: How often progress is told (seconds).
TELL_S = 3.0


@dataclass(frozen=True, slots=True)
class Looked:
    """An item that was looked into: as it is now, what became of it (adopted, resent, held, undecided, or out: its
    create is still on its way), and when it is looked at again (seconds)."""

    item: Item
    outcome: str
    again_in_s: float | None = None


class Progress:
    """Tells what is done, now and then: a listing may be long."""

    def __init__(self, tell: Callable[[str], None], clock: Callable[[], float] = time.monotonic) -> None:
        self._tell, self._clock, self._next = tell, clock, clock() + TELL_S

    def __call__(self, text: str) -> None:
        """Say so, unless something was said a moment ago."""
        if self._clock() >= self._next:
            self._tell(text)
            self._next = self._clock() + TELL_S


async def settle(session: Session, progress: Progress) -> list[Looked]:
    """Look once into every create that is in doubt, and every item that is held."""
    claim_s = session.settings.claim_s
    station = Station(session.store, session.lines, session.archive(), time.time, lambda _: None, claim_s)
    looked: list[Looked] = []
    async for item in doubtful(session.store):
        looked.append(await _look(station, item))
        progress(f"{len(looked):,} looked into, last {item.ref}")
    return looked


async def _look(station: Station, item: Item) -> Looked:
    if not station.serves(item):
        return Looked(item, str(State.HELD) if item.state is State.HELD else "undecided")
    if is_out(item, station.line(item).deployment, await now_of(station.store)):
        return Looked(item, "out")
    with station.bound(item):
        finding = await reconcile(station, item)
    now = await station.store.load(item.ref)
    if now is None:  # its batch was forgotten meanwhile
        return Looked(item, "undecided")
    outcome = {State.HELD: "held", State.CREATING: "undecided", State.WAITING: "resent"}.get(now.state, "adopted")
    again_in_s = finding.in_s if isinstance(finding, LookAgain) else None
    return Looked(now, outcome, again_in_s if outcome == "undecided" else None)


async def held(store: Store) -> int:
    """How many items are held, over all batches."""
    return sum(batch.counts[State.HELD] for batch in await views.batches(store))


def document(looked: Sequence[Looked], held: int) -> dict[str, Any]:
    """What `reconcile --json` prints."""
    return {
        "held": held,
        "undecided": sum(each.outcome == "undecided" for each in looked),
        "items": [
            {
                "batch": each.item.ref.batch,
                "key": each.item.ref.item,
                "outcome": each.outcome,
                "state": str(each.item.state),
                "deployment": each.item.deployment,
                "remote_id": each.item.remote_id,
                "adopted": each.item.attempt.adopted if each.item.attempt else None,
                "message": each.item.message,
                "candidates": named(each.item.fields),
                "again_in_s": each.again_in_s,
            }
            for each in looked
        ],
    }


async def adopt(session: Session, asked: Sequence[str], *, forced: bool) -> list[Item]:
    """Give remote jobs to items, as `KEY=ID` or `BATCH/KEY=ID` says; the items afterwards. Raises UsageError: what was
    asked before that is done."""
    done = []
    for text in asked:
        name, _, remote_id = text.partition("=")
        if not name or not remote_id:
            raise UsageError(f"--adopt {text}: write it as KEY=ID, or BATCH/KEY=ID")
        item = await _named(session.store, name)
        try:
            found = await adoption.find(session.lines.values(), remote_id)
            await adoption.adopt(session.store, item, found, by=who(), forced=forced)
        except adoption.NotAdopted as error:
            raise UsageError(str(error)) from None
        done.append(await session.store.load(item.ref) or item)
    return done


async def _named(store: Store, name: str) -> Item:
    """The item of `KEY`, in whichever batch has it, or of `BATCH/KEY`."""
    batch, slash, key = name.partition("/")
    refs = [Ref(batch, key)] if slash else [Ref(each.name, name) for each in await views.batches(store)]
    found = [item for ref in refs if (item := await store.load(ref)) is not None]
    if len(found) == 1:
        return found[0]
    if found:
        places = ", ".join(str(item.ref) for item in found)
        raise UsageError(f"several batches have an item {name}: say which, as BATCH/KEY=ID ({places})")
    raise UsageError(f"there is no item {name}: dailies status BATCH --items lists those of a batch")
