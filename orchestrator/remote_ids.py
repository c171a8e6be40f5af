"""Whose the remote jobs are that a provider's listing shows, for one place (`admission.scope`)."""

from __future__ import annotations

from collections.abc import Sequence

from orchestrator.keys import Ref
from orchestrator.store import Store


async def owners(store: Store, scope: str, remote_ids: Sequence[str]) -> dict[str, str]:
    """Which of these belong to an attempt: remote id → attempt (`BATCH/ITEM#N`)."""
    if not remote_ids:
        return {}
    pipe = store.redis.pipeline(transaction=False)
    pipe.hmget(store.keys.remote(scope), list(remote_ids))
    (found,) = await pipe.execute()
    return {remote_id: owner.decode() for remote_id, owner in zip(remote_ids, found, strict=True) if owner}


async def newest(store: Store, scope: str) -> tuple[str, float] | None:
    """The newest one known there, which a whole listing shows: its id and when it was created (Unix seconds)."""
    found = await store.redis.zrange(store.keys.known(scope), -1, -1, withscores=True)
    return (found[0][0].decode(), float(found[0][1])) if found else None


async def deleted(store: Store, scope: str, remote_id: str) -> None:
    """It was deleted there: no listing shows it any more."""
    await store.redis.zrem(store.keys.known(scope), remote_id)


async def needed(store: Store, ref: Ref) -> bool:
    """Whether items are still to be made from this one's remote video."""
    return bool(await store.redis.exists(store.keys.remixes(ref)))
