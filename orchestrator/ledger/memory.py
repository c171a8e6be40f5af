"""Whether what is submitted fits into Redis, before anything is written: a ledger that is full in the night admits
nothing more."""

from __future__ import annotations

from redis.exceptions import ResponseError

from manifests import Item
from orchestrator.ledger.store import Store

#: What an item takes over its life besides its own words: its hash and attempt, its places in queues and indexes, and
#: what its receipt says. Measured: 1,450 while it waits, 2,900 while it renders; and some for another attempt (bytes).
ITEM_BYTES = 4000
#: Part of the server's memory that is left for all else that it does.
SPARE = 0.05


class WillNotFit(Exception):
    """Redis has no room for so many items."""


def bytes_of(item: Item) -> int:
    """What an item will take in Redis at most, about."""
    words = (item.prompt, *item.labels, *item.labels.values())
    return ITEM_BYTES + sum(len(word.encode()) for word in words)


async def check_room(store: Store, items: int, wanted: int) -> None:
    """Raises WillNotFit when so many items, of so many bytes, would not leave the server room to work. Silent where it
    has no limit, or does not tell."""
    try:
        memory = await store.redis.info("memory")
    except ResponseError:
        return
    limit, used = int(memory.get("maxmemory") or 0), int(memory.get("used_memory") or 0)
    free = round(limit * (1 - SPARE)) - used
    if not limit or wanted <= free or not items:
        return
    raise WillNotFit(
        f"Redis has no room for {items:,} items more: they take about {_size(wanted)}, and of its {_size(limit)} "
        f"{_size(max(free, 0))} are left. Give it more memory (maxmemory), drop batches that are done (dailies forget "
        "BATCH), or submit the manifest in parts"
    )


def _size(number: int) -> str:
    return f"{number / 1e9:.1f} GB" if number >= 1e9 else f"{number / 1e6:.1f} MB"
