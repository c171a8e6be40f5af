"""Whether the server keeps what it acknowledged: asked at start, told as warnings. `docs/redis.md` has what to set."""

from __future__ import annotations

from typing import Any

from arq.connections import ArqRedis
from redis.exceptions import ConnectionError, RedisError, TimeoutError  # noqa: A004

#: Setting → the value that is safe, and what any other risks.
SAFE = {
    "maxmemory-policy": ("noeviction", "keys, and with them items, may be dropped when memory is short"),
    "appendonly": ("yes", "a restart of Redis forgets everything since its last snapshot"),
    "appendfsync": (
        "always",
        "a crash of its machine may forget the last second, and so a create that was paid",
    ),
}


async def check_durability(redis: ArqRedis) -> list[str]:
    """What could lose an acknowledged write or a key, one sentence each; empty when all is well.

    A server that does not answer CONFIG GET or INFO (managed ones may refuse) gives a warning, not an error.
    """
    warnings = []
    for setting, (good, risk) in SAFE.items():
        value = await _setting(redis, setting)
        if value is None:
            warnings.append(
                f"Redis's {setting} was not answered: see that it is {good} (a managed server has it among its own "
                f"settings), else {risk}"
            )
        elif value != good:
            warnings.append(f"Redis's {setting} is {value}, not {good}: {risk}")
    if await replicas(redis):
        written = await _setting(redis, "min-replicas-to-write")
        if written in (None, "0"):
            was = "was not answered" if written is None else "is 0"
            warnings.append(
                f"Redis's min-replicas-to-write {was}: set it to 1, else a primary that is cut off from its replicas "
                "goes on taking writes that a failover forgets"
            )
    if not (await _info(redis, "server")).get("run_id"):
        warnings.append(
            "Redis does not tell its run_id (INFO server), so only an empty ledger is noticed, not one that is older "
            "than it was: after a restart, a failover or a restored copy that may have lost writes, give dailies "
            "recover before anything is sent"
        )
    return warnings


async def replicas(redis: ArqRedis) -> int:
    """How many replicas the server has; 0 where it does not tell."""
    return int((await _info(redis, "replication")).get("connected_slaves", 0))


async def _setting(redis: ArqRedis, name: str) -> str | None:
    try:
        answer: dict[str, str] = await redis.config_get(name)
    except (ConnectionError, TimeoutError):
        raise
    except RedisError:
        return None
    return answer.get(name)


async def _info(redis: ArqRedis, section: str) -> dict[str, Any]:
    try:
        return dict(await redis.info(section))
    except (ConnectionError, TimeoutError):
        raise
    except RedisError:
        return {}
