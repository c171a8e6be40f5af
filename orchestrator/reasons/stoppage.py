"""Whether only a person can move a batch on. It looks at the same heads of the same queues as admission does."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Collection

from orchestrator.admission.shortage import Stoppage, shortage
from orchestrator.clock import local
from orchestrator.items.states import BatchState, State
from orchestrator.ledger.records import Batch
from orchestrator.ledger.requests import pause_of
from orchestrator.ledger.store import Store
from orchestrator.ledger.views import DeploymentView, batches, deployment
from orchestrator.ledger.views import batch as batch_view
from orchestrator.reasons.gate_words import asked_again, recovering_words
from orchestrator.settings import NO_BUDGETS, Budgets, Deployment

__all__ = ["Stoppage", "stoppage"]

#: Rows looked at to find the batches that others wait for; they are few.
SOURCES = 50


async def stoppage(
    store: Store,
    batch: Batch,
    deployments: Collection[Deployment],
    *,
    admitted: Collection[str] | None = None,
    budgets: Budgets = NO_BUDGETS,
    waiting_for: frozenset[str] = frozenset(),
) -> Stoppage | None:
    """None while the batch moves, or will by itself (a rate, a slot, cooling, a window, a pause that has an end).

    A budget of the day or month is a stoppage too, though a worker that stays goes on when the next one begins.

    `admitted`: the batches that are admitted at all, None for any. `waiting_for`: batches whose rows wait for this one.
    """
    active = batch.moving(State.ADMITTED, State.CREATING, State.RENDERING, State.ARCHIVING)
    if batch.state not in (BatchState.RUNNING, BatchState.PAUSED) or active or not batch.counts[State.WAITING]:
        return None
    moved = float(batch.fields.get("moved_at") or 0) / 1000 or batch.created_at
    if batch.fields.get("cancel"):
        return None  # its items are being swept
    if (paused := pause_of(batch.fields)) is not None:
        return Stoppage("paused", f"paused {paused}: dailies resume {batch.name}", paused.at)
    if int(batch.fields.get("later") or 0):
        return None  # what failed is tried again by itself, after a pause
    views = {d.name: await deployment(store, d.name) for d in deployments}
    found: list[Stoppage] = []
    for lane in sorted({d.model for d in deployments} | {f"@{d.name}" for d in deployments}):
        if not await _waits(store, batch.name, lane):
            continue
        serving = [d for d in deployments if lane in (d.model, f"@{d.name}")]
        barred = await _barred(store, batch, lane, serving, views, budgets, moved)
        if barred is None:
            return None
        found.append(barred)
    # A lane that it ever stood in has its pass.
    known = {name.removeprefix("pass:") for name in batch.fields if name.startswith("pass:")}
    unserved = sorted(known - {d.model for d in deployments} - {f"@{d.name}" for d in deployments})
    waiting = [lane for lane in unserved if await _waits(store, batch.name, lane)]
    found += [Stoppage("no_deployment", how_to_serve(lane), moved) for lane in waiting]
    parked = await store.redis.hrandfield(store.keys.parked(batch.name), SOURCES, True)
    if parked:
        names = sorted({raw.decode().split("/", 1)[0] for raw in parked[1::2]} - waiting_for)
        why = []
        for name in names:
            other = await batch_view(store, name)
            if other is None or other.moving(State.ADMITTED, State.CREATING, State.RENDERING, State.ARCHIVING):
                return None
            if other.state is BatchState.FINAL:
                why.append(f"{name}: some of its items are held: dailies status {name} --state held")
            elif admitted is not None and name not in admitted:
                why.append(f"run {name} too")
            else:
                its = await stoppage(
                    store,
                    other,
                    deployments,
                    admitted=admitted,
                    budgets=budgets,
                    waiting_for=waiting_for | {batch.name},
                )
                if its is None:
                    return None
                why.append(f"{name}: {its.resume}")
        return Stoppage("made_in_another_batch", f"rows wait for videos of another batch; {'; '.join(why)}", moved)
    paused_items = int(batch.fields.get("paused_items") or 0)
    if not found and paused_items:
        items = "1 item of it is" if paused_items == 1 else f"{paused_items:,} items of it are"
        return Stoppage("paused", f"{items} paused: dailies resume {batch.name} --state waiting", moved)
    if not found:
        return Stoppage("no_deployment", "add a deployment that serves its model to the configuration", moved)
    return found[0]


async def stopped_batches(
    store: Store, deployments: Collection[Deployment], *, budgets: Budgets = NO_BUDGETS
) -> Counter[str]:
    """How many batches only a person can move on, by the reason."""
    found = [await stoppage(store, each, deployments, budgets=budgets) for each in await batches(store)]
    return Counter(each.reason for each in found if each is not None)


async def _waits(store: Store, batch: str, lane: str) -> bool:
    """Whether an item of the batch stands in this lane's queue."""
    return bool(await store.redis.zcard(f"{store.keys.prefix}queue:{lane}:{batch}"))


def how_to_serve(lane: str) -> str:
    """What a person can do where nothing that is configured takes from a lane."""
    if not lane.startswith("@"):
        return f"add a deployment that serves {lane} to the configuration"
    name = lane.removeprefix("@")
    return (
        f"items wait for the deployment {name}, which the configuration does not have: add it again, or name another "
        "in the manifest and submit it again"
    )


async def _barred(
    store: Store,
    batch: Batch,
    lane: str,
    serving: Collection[Deployment],
    views: dict[str, DeploymentView],
    budgets: Budgets,
    moved: float,
) -> Stoppage | None:
    """What bars the first item of a queue from each deployment that could take it; None if one will."""
    now = time.time()
    open_ones = [d for d in serving if not _closed(views[d.name], now)]
    if open_ones:
        return await shortage(store, batch, lane, open_ones, budgets, moved)
    closed = {d.name: views[d.name] for d in serving}
    since = max((v.paused_at if v.is_paused(now) else v.stopped_at) or moved for v in closed.values())
    why = "; ".join(_why_closed(name, view, now) for name, view in closed.items())
    if all(view.needs_person for view in closed.values()):
        return Stoppage("deployments_stopped", f"{why}, then run again", since)
    if all(view.is_paused(now) for view in closed.values()):
        return Stoppage("deployments_paused", why, since)
    return Stoppage("deployments_stopped", f"mend the deployment and run again; {why}", since)


def _closed(view: DeploymentView, now: float) -> bool:
    """Whether a person is waited for: a pause that has an end is waited out."""
    return bool(view.stopped) or view.needs_person or (view.is_paused(now) and view.paused_until is None)


def _why_closed(name: str, view: DeploymentView, now: float) -> str:
    resume = f"dailies deployments resume {name}"
    if view.is_paused(now):
        by = f" by {view.paused_by}" if view.paused_by else ""
        why = f" ({view.paused_reason})" if view.paused_reason else ""
        return f"{name} is paused{by}{why}: {resume}"
    if not view.stopped:
        return f"{name}: {recovering_words(view, now)}: {resume}"
    again = f"; {asked_again(f'at {local(view.probe_at)}')}" if view.probe_at else ""
    return f"{name}: {view.stopped} ({view.message}){again}, or at once with {resume}"
