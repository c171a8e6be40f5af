"""Which release's ledger this is: an older release must not write into what it does not understand."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from orchestrator.ledger.store import Store

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


async def check(store: Store) -> None:
    """Raises TooNew. Nothing is changed."""
    found = int((await store.read(store.keys.meta)).get("schema") or 1)
    if found > VERSION:
        raise TooNew(found)


async def note(store: Store) -> None:
    """Whoever writes says so; a ledger of an older version is read as it is, and is of this one from now on."""
    await check(store)
    pipe = store.redis.pipeline(transaction=False)
    pipe.hset(store.keys.meta, "schema", str(VERSION))
    await pipe.execute()
