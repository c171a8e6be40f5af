"""Which release's ledger this is: an older release must not write into what it does not understand."""

from __future__ import annotations

from arq.connections import ArqRedis

from orchestrator.ledger.keys import Keys

#: Grows with any change that an older release would misread, and only then: workers of an older version claim and admit
#: nothing from the moment on in which the first of the new one is there. Ledgers without a number are of the first.
VERSION = 1


class TooNew(Exception):
    """The ledger was written by a newer release, of this version."""

    def __init__(self, found: int) -> None:
        super().__init__(
            f"the ledger in Redis was written by a newer release of Dailies (version {found} of the ledger; this one "
            f"knows up to {VERSION}): install that release, or give this one another namespace. Nothing was changed"
        )


async def check(redis: ArqRedis, keys: Keys) -> None:
    """Raises TooNew. Nothing is changed."""
    pipe = redis.pipeline(transaction=False)
    pipe.hget(keys.meta, "schema")
    (found,) = await pipe.execute()
    if found and int(found) > VERSION:
        raise TooNew(int(found))


async def note(redis: ArqRedis, keys: Keys) -> None:
    """Whoever writes says so; a ledger of an older version is read as it is, and is of this one from now on."""
    await check(redis, keys)
    pipe = redis.pipeline(transaction=False)
    pipe.hset(keys.meta, "schema", str(VERSION))
    await pipe.execute()
