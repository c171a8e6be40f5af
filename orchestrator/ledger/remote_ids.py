"""Whose the remote jobs are that a provider's listing shows, for one place (`admission.scope`)."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from orchestrator.items.decision import Money
from orchestrator.ledger.in_hand import split
from orchestrator.ledger.keys import Ref
from orchestrator.ledger.records import Attempt, Claim, Item, decode
from orchestrator.ledger.store import Store


@dataclass(frozen=True, slots=True)
class Orphan:
    """A remote job that its item could not take: the attempt whose answer named it, and what it has come to
    (`rendering`, `succeeded`, `failed`, `gone`, …; empty where the ledger has lost the attempt)."""

    scope: str
    remote_id: str
    owner: str
    state: str = ""
    fingerprint: str = ""

    @property
    def ref(self) -> Ref:
        """The item it was made for."""
        return split(self.owner)[0]


async def owners(store: Store, scope: str, remote_ids: Sequence[str]) -> dict[str, str]:
    """Which of these belong to an attempt: remote id → attempt (`BATCH/ITEM#N`)."""
    if not remote_ids:
        return {}
    pipe = store.redis.pipeline(transaction=False)
    pipe.hmget(store.keys.remote(scope), list(remote_ids))
    (found,) = await pipe.execute()
    return {remote_id: owner.decode() for remote_id, owner in zip(remote_ids, found, strict=True) if owner}


async def guessed(store: Store, owners: Mapping[str, str]) -> set[str]:
    """Those of these (remote id → attempt) that were matched by time alone: a prompt proves more."""
    pipe = store.redis.pipeline(transaction=False)
    for owner in owners.values():
        pipe.hget(store.keys.attempt(*split(owner)), "adopted")
    return {remote_id for remote_id, how in zip(owners, await pipe.execute(), strict=True) if how == b"time"}


async def newest(store: Store, scope: str, *, besides: Collection[str] = ()) -> tuple[str, float] | None:
    """The newest one known there, which a whole listing shows: its id and when it was created (Unix seconds).

    `besides`: deployments whose jobs another key lists.
    """
    known = await store.redis.zrevrange(store.keys.known(scope), 0, -1 if besides else 0, withscores=True)
    if not besides:
        return (known[0][0].decode(), float(known[0][1])) if known else None
    whose = await owners(store, scope, [raw.decode() for raw, _ in known])
    for raw, created_at in known:
        owner = whose.get(remote_id := raw.decode())
        made = await attempt(store, *split(owner)) if owner else None
        if made is None or made.deployment not in besides:
            return remote_id, float(created_at)
    return None


async def deleted(store: Store, scope: str, remote_id: str) -> None:
    """It was deleted there: no listing shows it any more."""
    await store.redis.zrem(store.keys.known(scope), remote_id)


async def needed(store: Store, ref: Ref) -> bool:
    """Whether items are still to be made from this one's remote video."""
    return bool(await store.redis.exists(store.keys.remixes(ref)))


async def attempt(store: Store, ref: Ref, number: int) -> Attempt | None:
    """One attempt of an item, or None."""
    fields = await store.read(store.keys.attempt(ref, number))
    return Attempt.parse(number, fields) if fields else None


async def orphans(store: Store) -> list[Orphan]:
    """Every remote job that no item could take."""
    named = [(*key.split(" ", 1), owner) for key, owner in (await store.read(store.keys.orphans)).items()]
    pipe = store.redis.pipeline(transaction=False)
    for _, _, owner in named:
        pipe.hgetall(store.keys.attempt(*split(owner)))
    found = []
    for (scope, remote_id, owner), raw in zip(named, await pipe.execute(), strict=True):
        made = decode(raw)
        state = made.get("orphan", "") if made.get("orphan_id") == remote_id else ""
        found.append(Orphan(scope, remote_id, owner, state, made.get("fingerprint", "")))
    return found


async def orphan_of(store: Store, item: Item) -> Orphan | None:
    """What an earlier create of an item left, of the same content, and may still give its video."""
    if not await store.redis.exists(store.keys.orphans):
        return None
    own = (each for each in await orphans(store) if each.ref == item.ref and each.state in ("rendering", "succeeded"))
    return next((each for each in own if each.fingerprint == item.spec.fingerprint), None)


async def watched(
    store: Store,
    claim: Claim,
    fields: Mapping[str, object],
    *,
    due_in_s: float,
    ended: str | None = None,
    money: Money | None = None,
) -> bool:
    """Write what a look at an orphan saw; False: somebody else looks at it by now, or an item has taken it."""
    seen: dict[str, object] = {"attempt": dict(fields), "due_in_ms": round(due_in_s * 1000)}
    if ended is not None:
        seen["ended"] = ended
    if money is not None:
        seen["money"] = money
    answer = await store.scripts.run("watch", claim.ref.batch, claim.ref.item, claim.attempt, claim.version, seen)
    return bool(answer)
