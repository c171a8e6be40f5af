"""Who has a batch to himself: the one that adds rows to it, or the one that drops it."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from redis.asyncio.lock import Lock
from redis.exceptions import LockError

from orchestrator.ledger.store import Store, log

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
    token = secrets.token_hex(16)
    if not await lock.acquire(token=token):
        lock.local.token = token.encode()  # where an answer was lost it was asked again, and found its own lock
        if not await lock.owned():
            yield None
            return
    try:
        yield lock
    finally:
        with suppress(LockError):  # it let go by itself
            await lock.release()


async def forget(store: Store, batch: str) -> bool:
    """Drop a final batch, a few hundred items a call. False when it is not final, or being submitted, or when remote
    jobs that no item could take are still of use: then nothing is dropped."""
    return await drop(store, batch) == "gone"


async def drop(store: Store, batch: str, *, reported: bool = False) -> str:
    """The same, with the word for it: gone, or busy, not_final, unreported or orphans, and nothing is dropped.

    `reported`: not before its results and its contact sheet are out.
    """
    async with alone(store, batch) as lock:
        return "busy" if lock is None else await _drop(store, batch, lock, reported=reported)


async def end_dropping(store: Store, batch: str, lock: Lock) -> None:
    """Drop what is left of a batch whose dropping was begun, by somebody who died at it."""
    if "forgetting" in await store.read(store.keys.batch(batch)):
        await _drop(store, batch, lock, reported=False)


async def _drop(store: Store, batch: str, lock: Lock, *, reported: bool) -> str:
    word = "more"
    while word == "more":
        await lock.reacquire()
        _, answer = await store.scripts.run("forget", batch, FORGET_CHUNK, int(reported))
        word = answer.decode()
    if word == "gone":
        log.info("batch.forgotten", batch=batch)
    return word
