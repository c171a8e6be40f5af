"""The ledger's scripts with a clock of their own: their TIME is read from a key."""

from __future__ import annotations

import time

from arq.connections import ArqRedis

from orchestrator.ledger.scripts import Scripts
from orchestrator.ledger.store import Store


class VirtualClock(Scripts):
    """The scripts, with the time from the meta key instead of the server's."""

    def __init__(self, redis: ArqRedis, *, meta_key: str, prefix: str) -> None:
        super().__init__(redis, meta_key=meta_key, prefix=prefix)
        for name, script in self._scripts.items():
            text = str(script.script)
            assert text.count("redis.call('TIME')") <= 1  # some need no clock
            told = text.replace("redis.call('TIME')", "redis.call('HMGET', KEYS[1], 'test_s', 'test_us')")
            self._scripts[name] = redis.register_script(told)


def on_virtual_time(redis: ArqRedis, namespace: str) -> Store:
    """A store whose scripts know only the time that `tell` told."""
    store = Store(redis, namespace)
    store.scripts = VirtualClock(redis, meta_key=store.keys.meta, prefix=store.keys.prefix)
    return store


async def tell(store: Store, now_ms: int) -> None:
    """Set the scripts' clock."""
    told = {"test_s": now_ms // 1000, "test_us": now_ms % 1000 * 1000}
    pipe = store.redis.pipeline(transaction=False)
    pipe.hset(store.keys.meta, mapping=told)
    await pipe.execute()


def start_ms() -> int:
    """An instant to begin at, on a whole second."""
    return int(time.time()) * 1000
