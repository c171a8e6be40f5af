"""Reading the ledger for people: batches, their items in manifest order, and what a deployment is at.

Items come in pages, so that a batch of any size costs the same memory.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection
from dataclasses import dataclass

from orchestrator.keys import Ref
from orchestrator.periods import limits
from orchestrator.records import Attempt, Batch, Item, decode
from orchestrator.settings import Budgets
from orchestrator.states import State
from orchestrator.store import Store

PAGE = 500


@dataclass(frozen=True, slots=True)
class DeploymentView:
    """A deployment's standing. `stopped` and `cool_reason` say why no create starts."""

    stopped: str | None
    stopped_at: float | None
    message: str | None
    cool_until: float | None
    cool_reason: str | None


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
    numbers = range(1, item.made + 1)
    for number in numbers:
        pipe.hgetall(store.keys.attempt(item.ref, number))
    return [Attempt.parse(n, decode(f)) for n, f in zip(numbers, await pipe.execute(), strict=True)]


async def deployment(store: Store, name: str) -> DeploymentView:
    """A deployment as the ledger has it."""
    fields = await store.read(store.keys.deployment(name))
    cool = float(fields.get("cool_until") or 0) / 1000
    return DeploymentView(
        fields.get("stopped"),
        float(fields["stopped_at"]) / 1000 if fields.get("stopped_at") else None,
        fields.get("message"),
        cool or None,
        fields.get("cool_reason"),
    )


async def spent(store: Store, budgets: Budgets, now: float) -> dict[str, int]:
    """What of the budgets of the days and months around `now` (Unix seconds) is spent or bound: id → micro-dollars."""
    found = {}
    for budget in limits(budgets, now):
        for period in budget["periods"]:
            fields = await store.read(store.keys.budget(period[0]))
            found[period[0]] = sum(int(fields.get(name) or 0) for name in ("reserved", "unknown", "confirmed"))
    return found
