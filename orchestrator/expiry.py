"""The expiry guard: how much time is left for videos that are finished and not archived, and who is told of it.

Admission closes by itself while they could not be archived in time (`lua/shared/expiry.lua`, promise 27); this
is what people learn of it: once for each threshold of the least time left, and once when no creates start for the
archive's sake.
"""

from __future__ import annotations

from dataclasses import dataclass

import structlog

from orchestrator.ledger.keys import Ref
from orchestrator.ledger.store import Store

log = structlog.get_logger("orchestrator.expiry")

#: Least times left that are told of, each once (seconds): six hours, one hour, a quarter.
THRESHOLDS_S = (6 * 3600.0, 3600.0, 900.0)
#: A worker that was not seen for so long is taken for gone (seconds; `ALIVE_MS` of `lua/shared/expiry.lua`).
SEEN_S = 60.0


@dataclass(frozen=True, slots=True)
class Standing:
    """Seconds and items.

    least_left_s, first   until the next finished video is deleted, and whose it is; None where none waits
    backlog, drain_s      finished videos that wait, and how long archiving them takes at the pace of late (None: not
                          learned yet)
    archivists            workers that archive, seen within the last minute
    shut                  why no creates start: `behind`, `unattended` or `refused`; None where the archive keeps up
    """

    least_left_s: float | None
    first: Ref | None
    backlog: int
    drain_s: float | None
    archivists: int
    shut: str | None


async def standing(store: Store) -> Standing:
    """How the archive stands; nothing is changed."""
    return (await _look(store, tells=False))[0]


async def attended(store: Store) -> bool:
    """Whether a worker that archives, or one that only creates, was seen within the last minute."""
    seconds, _ = await store.redis.time()
    creator_at = float((await store.read(store.keys.meta)).get("creator_at") or 0) / 1000
    return abs(int(seconds) - creator_at) < SEEN_S or (await standing(store)).archivists > 0


async def watch(store: Store) -> Standing:
    """The same, and tell in the log what is new of it since anybody looked."""
    now, under_s, news = await _look(store, tells=True)
    words = {"backlog": now.backlog, "drain_s": now.drain_s, "left_s": now.least_left_s}
    if under_s is not None and now.first is not None:
        log.error("expiry.is_near", batch=now.first.batch, key=now.first.item, under_s=under_s, **words)
    if news > 0:
        log.error("archive.falls_behind", why=now.shut, archivists=now.archivists, **words)
    elif news < 0:
        log.info("archive.caught_up", archivists=now.archivists, **words)
    return now


async def _look(store: Store, *, tells: bool) -> tuple[Standing, float | None, int]:
    limits = [round(limit * 1000) for limit in THRESHOLDS_S]
    left, first, backlog, drain, alive, under, shut, news = await store.scripts.run("expiry", limits, int(tells))
    batch, _, item = first.decode().partition("/")
    found = Standing(
        None if left < 0 else left / 1000,
        Ref(batch, item) if item else None,
        backlog,
        None if drain < 0 else drain / 1000,
        alive,
        shut.decode() or None,
    )
    return found, None if under < 0 else under / 1000, news
