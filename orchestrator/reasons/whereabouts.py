"""Where an item is that does not wait: what is being done with it, and about when that is done."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

from orchestrator.admission.timings import Timing, timings
from orchestrator.clock import local
from orchestrator.items.failures import TABLE
from orchestrator.items.states import State
from orchestrator.ledger.records import Fields, instant
from orchestrator.ledger.store import Store
from orchestrator.reasons.explanation import Explanation
from orchestrator.settings import Deployment


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """`expected`: about when it leaves its state (Unix seconds). `resume`: what a person has to do."""

    summary: str
    expected: float | None = None
    resume: str | None = None


async def whereabouts(store: Store, found: Explanation, deployments: Collection[Deployment]) -> Whereabouts:
    """Of an item in any state but `waiting`."""
    its = await _whereabouts(store, found, deployments)
    return replace(its, summary=its.summary + _cancelled(found))


async def _whereabouts(store: Store, found: Explanation, deployments: Collection[Deployment]) -> Whereabouts:
    name, state, ref = found.item.get("deployment", ""), found.state, found.ref
    attempt = await store.read(store.keys.attempt(ref, int(found.item.get("attempt") or 0)))
    timing = await _timing(store, found, [d for d in deployments if d.name == name])
    told = found.item.get("message") or found.item.get("reason") or "no reason is known"
    if state is State.ADMITTED:
        return Whereabouts(f"It was admitted at {name} and is about to be sent.")
    if state is State.CREATING and found.item.get("reason") == "outcome_unknown":
        return Whereabouts(f"It was sent to {name}, and it is not known yet what came of that: {told}.")
    if state is State.CREATING:
        return Whereabouts(f"It is being sent to {name}.")
    if state is State.RENDERING:
        return _rendering(name, attempt, timing, found.now)
    if state is State.ARCHIVING:
        if "reused" in found.item:
            return Whereabouts("The same video is archived already in another batch: its receipt is being written.")
        expires = instant(found.item, "expires_at")
        by = f"; the provider keeps it until {local(expires)}" if expires else ""
        fetched = f"{name} has made it, and it is being fetched into the archive{by}."
        if tries := int(found.item.get("archive_tries") or 0):
            fetched += f" {tries} {'tries' if tries > 1 else 'try'} failed, the last one so: {told.rstrip('.')}."
        return Whereabouts(fetched)
    if state is State.ARCHIVED:
        return Whereabouts(f"It is done: the video is in the archive, at {found.item.get('url', 'its place')}.")
    again = f"dailies show {ref.batch} {ref.item} has its whole story"
    if (known := TABLE.get(found.item.get("reason", ""))) is not None:
        again += f"; {known.mend.replace('`', '')}"
    if state is State.HELD:
        return Whereabouts(f"It is held, since nobody can tell whether it was made: {told}.", resume=again)
    if state is State.CANCELLED:
        by = f" by {found.item['cancel_by']}" if found.item.get("cancel_by") else ""
        return Whereabouts(f"It was cancelled{by}; nothing more happens to it.")
    if state is State.EXPIRED:
        return Whereabouts("The provider deleted the finished video before it was archived.", resume=again)
    return Whereabouts(f"It failed: {told.rstrip('.')}.", resume=again)


def _rendering(name: str, attempt: Fields, timing: Timing | None, now: float) -> Whereabouts:
    if unseen := attempt.get("unseen"):
        return Whereabouts(f"It was sent to {name}, and the last look at it failed: {unseen.rstrip('.')}.")
    began = instant(attempt, "accepted_at") or instant(attempt, "intent_at")
    if began is None or timing is None:
        return Whereabouts(f"{name} is making it.")
    end = began + timing.render_s
    if end < now:
        return Whereabouts(f"{name} is making it; it takes longer than the usual {timing.render_s:.0f} s.")
    kind = "as the last ones did" if timing.learned else "as is assumed until some were seen"
    usual = f"if it takes {timing.render_s:.0f} s {kind}"
    return Whereabouts(f"{name} is making it, until about {local(end)} {usual}.", end)


def _cancelled(found: Explanation) -> str:
    """What becomes of an item that was cancelled when it had been sent already."""
    wish = found.item.get("cancel") or found.batch.fields.get("cancel")
    if wish is None or found.state not in (State.CREATING, State.RENDERING, State.ARCHIVING):
        return ""
    return f" It was cancelled: a video that comes of it is {'kept' if wish == 'keep' else 'not kept'}."


async def _timing(store: Store, found: Explanation, made_at: Collection[Deployment]) -> Timing | None:
    spec = found.spec
    seen = await timings(store, made_at, [(d.model, spec.size, spec.seconds) for d in made_at])
    return next(iter(seen.values()), None)
