"""After Redis began anew (a restart, a failover, a restored copy, an empty one): what was lost, and since when.

Until the list of a scope was looked through, no create leaves there (`lua/shared/recovery.lua` has the rules). The look
itself is a worker's step.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import structlog
from redis import Redis
from redis.exceptions import ResponseError

from orchestrator.ledger.keys import Keys, Ref
from orchestrator.ledger.records import Fields, instant
from orchestrator.ledger.store import Store

log = structlog.get_logger("orchestrator.ledger.recovery")

#: A time that no submit comes after.
_NEVER_MS = 2**53


@dataclass(frozen=True, slots=True)
class Doubt:
    """A scope that is to be looked through.

    noticed_at    when that was found out (Unix seconds, Redis's clock)
    since         when the newest job known then was created (Unix seconds, the provider's clock); None: none is known
    clean         the last life of this ledger ended with nobody at work
    settled       it was looked through in this life of Redis before: nothing forgotten can be on its way any more
    strays_since  when the oldest job there that nobody here knows was created; None: there was none
    """

    noticed_at: float
    since: float | None
    clean: bool
    settled: bool
    strays_since: float | None

    @classmethod
    def parse(cls, fields: Fields) -> Doubt | None:
        """From the hash `recovery:SCOPE`; None where nothing is to be looked through."""
        noticed_at = instant(fields, "noticed_at")
        if noticed_at is None:
            return None
        return cls(
            noticed_at,
            float(fields["since"]) if fields.get("since") else None,
            "clean" in fields,
            "settled" in fields,
            float(fields["strays_since"]) if fields.get("strays_since") else None,
        )


async def doubt(store: Store, scope: str) -> Doubt | None:
    """What is to be looked through there; None: nothing."""
    return Doubt.parse(await store.read(store.keys.recovery(scope)))


async def claim(store: Store, scope: str, *, allowance_s: float) -> int:
    """Doubt a scope and take the look at it, whether or not it is due; the number that fences what is found."""
    return int(await store.scripts.run("recovery", scope, "claim", 0, round(allowance_s * 1000)))


async def renew(store: Store, scope: str, number: int, due_in_s: float) -> bool:
    """Keep a look for so long, or give it back (0). False: it is somebody else's by now."""
    return bool(await store.scripts.run("recovery", scope, "renew", number, round(due_in_s * 1000)))


async def later(store: Store, scope: str, number: int, in_s: float) -> None:
    """Look again then: what left right before may not be listed yet."""
    await store.scripts.run("recovery", scope, "later", number, round(in_s * 1000))


async def failed(store: Store, scope: str, number: int, error: str, *, person: bool, again_s: float) -> None:
    """The look told nothing. `person`: nor will the next one, so a person has to decide."""
    detail = {"error": error, "person": person, "again_ms": round(again_s * 1000)}
    if await store.scripts.run("recovery", scope, "failed", number, detail) > 0:
        log.warning("recovery.failed", scope=scope, error=error, person=person)


async def trust(
    store: Store, scope: str, number: int, *, compared_at: float | None, strays: int, strays_since: float | None
) -> bool | None:
    """Creates may leave there again. None: rows were submitted after `compared_at` (Unix seconds; None: no matter), so
    compare them with what is listed too. False: the look is somebody else's by now."""
    detail: Mapping[str, object] = {
        "scanned_at": _NEVER_MS if compared_at is None else round(compared_at * 1000),
        "strays": strays,
        "strays_since": strays_since or 0,
    }
    answer = await store.scripts.run("recovery", scope, "trust", number, detail)
    return None if answer < 0 else bool(answer)


async def trust_by_hand(store: Store, scope: str) -> None:
    """A person says that nothing was lost, or that it does not matter."""
    await store.scripts.run("recovery", scope, "by_hand", 0, "")
    log.info("recovery.was_skipped", scope=scope)


async def presume(
    store: Store, ref: Ref, version: int, *, deployment: str, price_per_s: int | None, attempt: Mapping[str, object]
) -> tuple[int, int] | None:
    """Take a waiting item for one whose create is out: its new version, and the attempt's number. None: it was changed
    meanwhile."""
    request = {
        "deployment": deployment,
        "price_per_s": "" if price_per_s is None else price_per_s,
        "attempt": dict(attempt),
    }
    now, number = await store.scripts.run("presume", ref.batch, ref.item, version, request)
    if not now:
        return None
    log.info("item.presumed", batch=ref.batch, key=ref.item, deployment=deployment)
    return int(now), int(number)


async def receipts_taken(store: Store) -> bool:
    """Whether the archive's receipts were compared with the ledger in this life of Redis."""
    meta = await store.read(store.keys.meta)
    return meta.get("receipts_taken") == await run_id(store)


async def note_receipts_taken(store: Store) -> None:
    """They were."""
    pipe = store.redis.pipeline(transaction=False)
    pipe.hset(store.keys.meta, "receipts_taken", await run_id(store))
    await pipe.execute()


async def run_id(store: Store) -> str:
    """Which life of Redis this is, as the server tells; empty where it does not."""
    try:
        return str((await store.redis.info("server")).get("run_id", ""))
    except ResponseError:
        return ""


def leave(client: Redis, keys: Keys) -> None:
    """The last words of whoever stops an embedded Redis: nobody is at work, so nothing is on its way. Not after a life
    that ended without them; who only looked since cannot know."""
    pipe = client.pipeline(transaction=False)
    pipe.info("server")
    pipe.hget(keys.meta, "trusted_run")
    server, trusted = pipe.execute()
    if trusted and trusted == str(server.get("run_id")).encode():
        client.hset(keys.meta, "left", "1")
