"""Why an item is not sent yet, in words for whoever asks: the gate, until when, and what a person can do about it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from itertools import chain

from orchestrator.admission.attendance import unmanned
from orchestrator.clock import local
from orchestrator.items.states import BatchState, State
from orchestrator.ledger.keys import Ref
from orchestrator.ledger.records import instant
from orchestrator.ledger.store import Store
from orchestrator.ledger.views import deployment
from orchestrator.reasons.explanation import FLOWING, Ahead, Door, Explanation, explain
from orchestrator.reasons.gate_words import Gate, gate_of, opening, paused_words, when
from orchestrator.reasons.stoppage import how_to_serve
from orchestrator.reasons.whereabouts import whereabouts
from orchestrator.settings import NO_BUDGETS, Budgets, Deployment

#: So many items that wait for one another are followed.
DEEPEST = 5
#: Which step moves an item on.
STEP_OF = {
    State.WAITING: "create",
    State.ADMITTED: "create",
    State.RENDERING: "poll",
    State.ARCHIVING: "archive",
}


@dataclass(frozen=True, slots=True)
class Why:
    """The answer. Instants are Unix seconds.

    gate         what keeps it: none, rate, slot, budget, window, cooling, stopped, paused, recovering, archive,
                 priority, source, made_in_another_batch, cancelled, loading, again or no_deployment; None for an item
                 that does not wait
    until        when that ends, where a clock knows it to the second
    since        since when it is in its state; `expected`: about when it leaves it, None where nobody knows
    deployments  those that could take it, each with its own gate
    resume       what a person has to do, or (where `until` is known) can do; None where nobody is needed
    """

    ref: Ref
    state: State
    gate: str | None
    until: float | None
    summary: str
    since: float | None = None
    expected: float | None = None
    deployments: tuple[Gate, ...] = ()
    ahead: Ahead | None = None
    resume: str | None = None


async def why(
    store: Store,
    ref: Ref,
    deployments: Collection[Deployment],
    budgets: Budgets = NO_BUDGETS,
) -> Why | None:
    """Why an item waits, or where it is if it does not; None where there is no such item. Only reads."""
    its = await _why(store, ref, deployments, budgets, DEEPEST)
    step = its and STEP_OF.get(its.state)
    idle = next((each for each in await unmanned(store) if each.step == step), None) if step else None
    if its is None or idle is None:
        return its
    summary = f"{its.summary} But no worker runs the step that moves it on ({idle.step}), since {local(idle.since)}."
    return replace(its, summary=summary, resume="; ".join(filter(None, (its.resume, idle.mend))))


async def _why(
    store: Store, ref: Ref, deployments: Collection[Deployment], budgets: Budgets, deepest: int
) -> Why | None:
    found = await explain(store, ref, deployments, budgets)
    if found is None:
        return None
    since = float(found.item.get("changed_at") or 0) / 1000 or found.batch.created_at
    if found.state is not State.WAITING:
        where = await whereabouts(store, found, deployments)
        return Why(ref, found.state, None, None, where.summary, since, where.expected, resume=where.resume)
    if (asked := _asked_for(found)) is not None:
        gate, summary, resume = asked
        return Why(ref, found.state, gate, None, summary, since, resume=resume)
    if (again := _tried_again(found)) is not None:
        return Why(ref, found.state, "again", again[0], again[1], since)
    other = _waits_for(found)
    if other is not None:
        return await _after(store, found, *other, deployments, budgets, since, deepest)
    if not found.doors:
        resume = how_to_serve(found.item["lane"])
        summary = "No deployment of the configuration can make it."
        return Why(ref, found.state, "no_deployment", None, summary, since, resume=resume)
    return await _queued(store, found, since)


def _asked_for(found: Explanation) -> tuple[str, str, str | None] | None:
    """(gate, summary, resume) where a person keeps it back, or the batch is not whole yet."""
    item, batch = found.item, found.batch
    if "cancel" in item or "cancel" in batch.fields:
        return "cancelled", "It was cancelled, and is about to be taken out of the queue.", None
    if "paused" in item:
        resume = f"dailies resume {found.ref.batch} --key {found.ref.item}"
        return "paused", f"It is paused{paused_words(item)}, until somebody resumes it.", resume
    if batch.state is BatchState.PAUSED or "paused_at" in batch.fields:
        summary = f"Its batch is paused{paused_words(batch.fields)}, until somebody resumes it."
        return "paused", summary, f"dailies resume {batch.name}"
    if batch.state is BatchState.LOADING:
        resume = f"if no submit of {batch.name} is under way any more, submit its manifest again"
        return "loading", "Its batch is still being submitted: nothing of it is sent before all of it is in.", resume
    return None


def _tried_again(found: Explanation) -> tuple[float, str] | None:
    """(until, summary) of one whose last attempt came to nothing, and whose next one waits for its pause to be over."""
    at = instant(found.item, "not_before")
    if at is None or at <= found.now or not found.item.get("lane"):
        return None
    told = found.item.get("message") or found.item.get("reason") or "no reason is known"
    return at, f"Its last attempt came to nothing: {told}. It is queued again {when(at, found.now)}."


def _waits_for(found: Explanation) -> tuple[str, Ref, str] | None:
    """(gate, the item that has to be made first, what that is to it) of one that stands in no queue."""
    if found.item.get("lane"):
        return None
    if "source" in found.item:
        source = Ref(found.ref.batch, found.item["source"])
        return "source", source, f"It is a remix of {source.item}, and waits until that one is made"
    if "twin" in found.item:
        twin = Ref(*found.item["twin"].split("/", 1))
        what = f"The same video is being made in another batch, as {twin}, and it takes that one"
        return "made_in_another_batch", twin, what
    return None


async def _after(
    store: Store,
    found: Explanation,
    gate: str,
    first: Ref,
    what: str,
    deployments: Collection[Deployment],
    budgets: Budgets,
    since: float,
    deepest: int,
) -> Why:
    """An item that waits for another one: nobody knows until when, and what a person can do is done for that one."""
    its = await _why(store, first, deployments, budgets, deepest - 1) if deepest else None
    summary = f"{what}." if its is None else f"{what}. {first.item} is {its.state}: {its.summary}"
    return Why(found.ref, found.state, gate, None, summary, since, resume=its.resume if its else None)


async def _queued(store: Store, found: Explanation, since: float) -> Why:
    views = {door.name: await deployment(store, door.name) for door in found.doors}
    gates = tuple(gate_of(found, door, views[door.name]) for door in found.doors)
    best, door = min(zip(gates, found.doors, strict=True), key=lambda pair: _rank(pair[1]))
    held, until = door.held_by
    ahead = door.ahead
    if held in FLOWING and ahead.total:
        summary = f"It waits for its turn: {_before(ahead)}. {_pace(found)}"
        return Why(found.ref, found.state, "priority", None, summary, since, None, gates, ahead)
    summary = opening(found, door, views[door.name])
    if len(found.doors) > 1 and held not in FLOWING:
        others = [each.name for each in found.doors if each is not door]
        summary += f" No other deployment that could make it takes it sooner ({', '.join(others)})."
    if held not in FLOWING and ahead.total:
        summary += f" Then {_before(ahead)}."
    resumes = dict.fromkeys(filter(None, chain([best.resume], (gate.resume for gate in gates))))
    # What a clock opens later, a person may open elsewhere at once.
    helps = held not in FLOWING and not door.shut and not door.short
    person = "; ".join(resumes) if resumes and (helps or all(gate.resume for gate in gates)) else None
    return Why(found.ref, found.state, held, until, summary, since, None, gates, ahead, person)


#: What lets it through first, as far as is known: its gate, and whether others go before it there.
_SOONEST = (("none", False), ("rate", False), ("none", True), ("slot", False), ("rate", True), ("slot", True))


def _rank(door: Door) -> tuple[int, float, bool]:
    """Which of several lets it through first, as far as is known: what flows, a clock, a person."""
    gate, until = door.held_by
    if gate in FLOWING:
        return _SOONEST.index((gate, door.ahead.total > 0)), until or 0.0, not door.takes
    return (len(_SOONEST), until, False) if until is not None else (len(_SOONEST) + 1, 0.0, False)


def _before(ahead: Ahead) -> str:
    goes = "1 item goes before it" if ahead.total == 1 else f"{ahead.total:,} items go before it"
    if not ahead.others:
        return f"{goes}, of its own batch" if ahead.total > 1 else goes
    others = "another batch" if ahead.batches == 1 else f"{ahead.batches} other batches"
    if not ahead.batch:
        return f"about {goes}, of {others}"
    return f"about {goes}, {ahead.batch:,} of its own batch and {ahead.others:,} of {others}"


def _pace(found: Explanation) -> str:
    """Why no time is told, and what is known of the pace instead."""
    times = [door.until for door in found.doors if door.gate == "rate" and door.until is not None]
    first = f" The next one may be sent {when(min(times), found.now)}." if times else ""
    return f"When it is sent depends on how long those take.{first}"
