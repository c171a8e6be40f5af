"""Whether the server keeps what it acknowledged: asked at start, told as warnings. `docs/redis.md` has what to set."""

from __future__ import annotations

from typing import Any

from redis._parsers.helpers import parse_info
from redis.asyncio import Redis
from redis.exceptions import ConnectionError, RedisError, ResponseError, TimeoutError  # noqa: A004

from orchestrator.redis.nodes import Nodes

#: How long a replica may take to confirm an intent (milliseconds).
REPLICA_WAIT_MS = 900

#: Setting → the value that is safe, and what any other risks.
SAFE = {
    "maxmemory-policy": ("noeviction", "keys, and with them items, may be dropped when memory is short"),
    "appendonly": ("yes", "a restart of Redis forgets everything since its last snapshot"),
    "appendfsync": (
        "always",
        "a crash of its machine may forget the last second, and so a create that was paid",
    ),
}


async def check_durability(redis: Redis) -> list[str]:
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


async def replicas(redis: Redis) -> int:
    """How many replicas the server has, as Sentinel counts them those that are away too; 0 where nobody tells, or the
    server does not let us wait for them."""
    told = await _info(redis, "replication")
    nodes: Nodes | None = getattr(redis.connection_pool, "nodes", None)
    counted = max(int(told.get("connected_slaves", 0)), await nodes.replicas() if nodes else 0)
    if not counted or not await _waits(redis):
        return 0
    _replicated(redis).add(str(told.get("master_replid")))
    return counted


async def replicated(connection: Redis) -> bool:
    """Whether a replica has what was just written on this connection; true where there is none that could take the
    server's place. `connection`: a client of one connection, on which the write was answered.

    A server that once had a replica needs one: it may be cut off, and have been replaced. One that has taken another's
    place, and had none since, does not. WAIT speaks of the writes of its own connection: one that was lost is not
    connected again for it, since a new one would be told of replicas that have all of its nothing.
    """
    link, known = connection.connection, _replicated(connection)
    try:
        told = parse_info(await _straight(link, "INFO", "replication"))  # type: ignore[no-untyped-call]
        history = str(told.get("master_replid"))
        if int(told.get("connected_slaves", 0)):
            known.add(history)
        return history not in known or bool(await _straight(link, "WAIT", 1, REPLICA_WAIT_MS))
    except (ConnectionError, TimeoutError):
        return False
    except ResponseError as error:  # nobody can tell where there is no INFO or no WAIT; but a replica is no primary
        return "replica" not in str(error)


async def _straight(link: Any, *words: str | int) -> Any:
    """A command on one connection as it is, tried once."""
    if link is None or not link.is_connected:
        raise ConnectionError("the connection is lost")
    await link.send_command(*words, check_health=False)
    return await link.read_response()


def _replicated(redis: Redis) -> set[str]:
    """The histories (replication ids: a server that takes another's place begins one) that had a replica."""
    known: set[str] = redis.connection_pool.__dict__.setdefault("replicated", set())
    return known


async def _waits(redis: Redis) -> bool:
    try:
        await redis.wait(0, 1)
    except ResponseError:
        return False
    return True


async def _setting(redis: Redis, name: str) -> str | None:
    try:
        answer: dict[str, str] = await redis.config_get(name)
    except (ConnectionError, TimeoutError):
        raise
    except RedisError:
        return None
    return answer.get(name)


async def _info(redis: Redis, section: str) -> dict[str, Any]:
    try:
        return dict(await redis.info(section))
    except (ConnectionError, TimeoutError):
        raise
    except RedisError:
        return {}
