"""Who has a batch to himself: the one that adds rows to it, or the one that drops it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from redis.asyncio.lock import Lock
from redis.exceptions import LockError

from orchestrator.store import Store, log

#: For how long a submit may be silent before another may begin (seconds).
LOCK_S = 60.0
#: Items dropped in one script, which holds up everybody else for a few milliseconds.
FORGET_CHUNK = 500


@asynccontextmanager
async def alone(store: Store, batch: str) -> AsyncIterator[Lock | None]:
    """Nobody else adds to the batch or drops it meanwhile; None: somebody does.

    To be prolonged (`reacquire`): it lets go by itself a minute after its holder died.
    """
    lock = store.redis.lock(store.keys.submit_lock(batch), timeout=LOCK_S, blocking=False, thread_local=False)
    if not await lock.acquire():
        yield None
        return
    try:
        yield lock
    finally:
        with suppress(LockError):  # it let go by itself
            await lock.release()


async def forget(store: Store, batch: str) -> bool:
    """Drop a final batch, a few hundred items a call. False when it is not final, or being submitted: then nothing is
    dropped."""
    async with alone(store, batch) as lock:
        if lock is None:
            return False
        gone = False
        while not gone:
            await lock.reacquire()
            left, gone = await store.scripts.run("forget", batch, FORGET_CHUNK)
            if left < 0:
                return False
    log.info("batch.forgotten", batch=batch)
    return True
