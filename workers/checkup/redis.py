"""The ledger's server: how fast it answers, what it is, what it keeps, how much room it has, and its clock."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import ConnectionError, RedisError, TimeoutError  # noqa: A004

from orchestrator.redis.durability import check_durability
from workers.checkup.finding import Finding, failed, fine, warning

_PART = "redis"
#: Scripts may ask to work on a full server from 7.0 on (promise 14).
OLDEST = (7, 0)
#: A round trip of more (seconds) makes each step slow.
SLOW_S = 0.05
#: Its clock may be so far off ours (seconds).
SKEW_S = 5.0
#: Of its memory in use, at most.
FULL = 0.8
_ROUND_TRIPS = 5


async def look(redis: Redis, clock: Callable[[], float] = time.time) -> list[Finding]:
    """Of a server that has answered, and lets us do our work. Nothing is written."""
    try:
        return [
            await _speed(redis),
            await _version(redis),
            *await _kept(redis),
            await _memory(redis),
            await _user(redis),
            *await _clock(redis, clock),
        ]
    except (ConnectionError, TimeoutError, OSError) as error:
        return [failed(_PART, "reach", f"it went away while it was asked: {error}", "look at its own log")]


async def _speed(redis: Redis) -> Finding:
    took = []
    for _ in range(_ROUND_TRIPS):
        began = time.monotonic()
        await redis.ping()
        took.append(time.monotonic() - began)
    says = f"it answers in {1000 * min(took):.1f} ms"
    if min(took) > SLOW_S:
        return warning(_PART, "reach", says, "run the workers nearer to it: each step asks it several times")
    return fine(_PART, "reach", says)


async def _version(redis: Redis) -> Finding:
    server = await _info(redis, "server")
    name = "Valkey" if server.get("server_name") == "valkey" or server.get("valkey_version") else "Redis"
    told = str(server.get("valkey_version") or server.get("redis_version") or "")
    mode = str(server.get("redis_mode") or server.get("server_mode") or "")
    if not told:
        return warning(_PART, "version", "it does not tell its version", "see that it is Redis 7.0 or newer")
    says = f"{name} {told}" + (f", {mode}" if mode else "")
    numbers = tuple(int(part) for part in re.findall(r"\d+", told)[:2])
    if numbers < OLDEST:
        mend = "use 7.0 or newer: an older one, once full, can no longer write down what was paid"
        return warning(_PART, "version", says, mend)
    return fine(_PART, "version", says)


async def _kept(redis: Redis) -> list[Finding]:
    warnings = await check_durability(redis)
    if not warnings:
        return [fine(_PART, "keeps", "every write is on its disk before it is acknowledged; no key is ever evicted")]
    return [warning(_PART, "keeps", text, "docs/recovery.md says how to set it") for text in warnings]


async def _memory(redis: Redis) -> Finding:
    memory = await _info(redis, "memory")
    used, limit = int(memory.get("used_memory") or 0), int(memory.get("maxmemory") or 0)
    if not memory:
        return warning(_PART, "memory", "it does not tell its memory", "an item takes about 4 kB: see that it has room")
    if not limit:
        return fine(_PART, "memory", f"{used / 1e6:.0f} MB are in use; it has no limit of its own")
    says = f"{used / 1e6:.0f} of {limit / 1e6:.0f} MB are in use"
    if used > FULL * limit:
        return warning(_PART, "memory", says, "give it more, or drop batches that are done: dailies forget BATCH")
    return fine(_PART, "memory", says)


async def _user(redis: Redis) -> Finding:
    """Its rights were asked for when the ledger was opened; here is only who it is."""
    try:
        name = await redis.acl_whoami()
    except (ConnectionError, TimeoutError):
        raise
    except RedisError:
        return fine(_PART, "rights", "this user may do what is needed")
    who = name.decode(errors="replace") if isinstance(name, bytes) else str(name)
    return fine(_PART, "rights", f"the user {who} may do what is needed")


async def _clock(redis: Redis, clock: Callable[[], float]) -> list[Finding]:
    before = clock()
    seconds, micros = await redis.time()
    off = int(seconds) + int(micros) / 1e6 - (before + clock()) / 2
    if abs(off) <= SKEW_S:
        return [fine(_PART, "clock", f"its clock is {abs(off):.1f} s off this machine's")]
    says = f"its clock is {off:+.0f} s off this machine's"
    return [warning(_PART, "clock", says, "set both by NTP: windows go by Redis's clock, tokens by this machine's")]


async def _info(redis: Redis, section: str) -> dict[str, Any]:
    try:
        return dict(await redis.info(section))
    except (ConnectionError, TimeoutError):
        raise
    except RedisError:
        return {}
