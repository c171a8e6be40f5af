"""Reading the ledger for people: batches, their items in manifest order, and what a deployment is at.

Items come in pages, so that a batch of any size costs the same memory.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection
from dataclasses import dataclass

from orchestrator.keys import Ref
from orchestrator.records import Attempt, Batch, Item, decode
from orchestrator.settings import Deployment
from orchestrator.states import BatchState, State
from orchestrator.store import Store

PAGE = 500


@dataclass(frozen=True, slots=True)
class DeploymentView:
    """A deployment's standing. `stopped` and `cooling` say why no create starts; `slots` are in use now."""

    name: str
    slots: int
    stopped: str | None
    message: str | None
    cool_until: float | None
    cool_reason: str | None


@dataclass(frozen=True, slots=True)
class Stoppage:
    """Why nothing of a batch can move without a person, and what that person can do."""

    reason: str
    resume: str


async def batch(store: Store, name: str) -> Batch | None:
    """One batch, or None."""
    fields = await store.read(store.keys.batch(name))
    return Batch.parse(name, fields) if fields else None


async def batches(store: Store) -> list[Batch]:
    """Every batch, oldest first."""
    names = [raw.decode() for raw in await store.redis.zrange(store.keys.batches, 0, -1)]
    pipe = store.redis.pipeline(transaction=False)
    for name in names:
        pipe.hgetall(store.keys.batch(name))
    return [Batch.parse(n, decode(f)) for n, f in zip(names, await pipe.execute(), strict=True) if f]


async def items(store: Store, name: str, states: Collection[State] = ()) -> AsyncIterator[Item]:
    """A batch's items in the manifest's order (revisions behind their first), of these states or of all."""
    start = 0
    while ids := await store.redis.zrange(store.keys.order(name), start, start + PAGE - 1):
        start += PAGE
        refs = [Ref(name, raw.decode()) for raw in ids]
        pipe = store.redis.pipeline(transaction=False)
        for ref in refs:
            pipe.hgetall(store.keys.item(ref))
        pipe.hmget(store.keys.specs(name), ids)
        *hashes, specs = await pipe.execute()
        fields = [decode(h) for h in hashes]
        for ref, f in zip(refs, fields, strict=True):
            pipe.hgetall(store.keys.attempt(ref, int(f.get("attempt") or 0)))
        made = await pipe.execute()
        for ref, f, spec, attempt in zip(refs, fields, specs, made, strict=True):
            if f and (not states or State(f["state"]) in states):
                yield Item.parse(ref, f, spec, decode(attempt))


async def attempts(store: Store, item: Item) -> list[Attempt]:
    """All attempts of an item, oldest first."""
    pipe = store.redis.pipeline(transaction=False)
    numbers = range(1, item.attempts + 1)
    for number in numbers:
        pipe.hgetall(store.keys.attempt(item.ref, number))
    return [Attempt.parse(n, decode(f)) for n, f in zip(numbers, await pipe.execute(), strict=True)]


async def deployment(store: Store, name: str) -> DeploymentView:
    """A deployment as the ledger has it."""
    pipe = store.redis.pipeline(transaction=False)
    pipe.hgetall(store.keys.deployment(name))
    pipe.zcard(store.keys.open(name))
    raw, slots = await pipe.execute()
    fields = decode(raw)
    cool = float(fields.get("cool_until") or 0) / 1000
    return DeploymentView(
        name,
        int(slots),
        fields.get("stopped"),
        fields.get("message"),
        cool or None,
        fields.get("cool_reason"),
    )


async def stoppage(store: Store, found: Batch, deployments: Collection[Deployment]) -> Stoppage | None:
    """Whether only a person can move the batch on: it waits, and pause, budget or every deployment bars it."""
    if found.state is BatchState.FINAL or not found.counts[State.WAITING]:
        return None
    if found.moving(State.ADMITTED, State.CREATING, State.RENDERING, State.ARCHIVING):
        return None
    if found.state is BatchState.PAUSED:
        return Stoppage("paused", f"dailies resume {found.name}")
    models = await _models_waiting(store, found.name, deployments)
    standing = [(d, await deployment(store, d.name)) for d in deployments if d.model in models]
    if not standing:
        return Stoppage("no_deployment", "add a deployment that serves its model to the configuration")
    if all(view.stopped for _, view in standing):
        why = "; ".join(f"{view.name}: {view.stopped} ({view.message})" for _, view in standing)
        return Stoppage("deployments_stopped", f"mend the deployment and run again; {why}")
    if found.budget is not None and await _short_of_money(store, found):
        return Stoppage("budget", "raise budget_usd in the manifest and submit it again")
    return None


async def _models_waiting(store: Store, name: str, deployments: Collection[Deployment]) -> set[str]:
    """Models (of configured deployments) that items of the batch wait for; pinned items count for their model."""
    waiting = set()
    for d in deployments:
        for lane in (d.model, f"@{d.name}"):
            if await store.redis.zcard(f"{store.keys.prefix}queue:{lane}:{name}"):
                waiting.add(d.model)
    return waiting


async def _short_of_money(store: Store, found: Batch) -> bool:
    spent = found.reserved + found.unknown + found.confirmed
    async for item in items(store, found.name, {State.WAITING}):
        return spent + int(item.fields.get("price") or 0) > (found.budget or 0)
    return False
