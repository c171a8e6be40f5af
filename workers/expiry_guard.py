"""The guard's rounds in a worker: the time left for finished videos, and steps that nobody runs. Every worker looks,
and what is new is told once among all of them."""

from __future__ import annotations

import asyncio

import structlog

from orchestrator.admission import attendance
from orchestrator.expiry import watch
from orchestrator.ledger.store import Store
from orchestrator.redis.connection import AWAY

log = structlog.get_logger("workers.expiry_guard")

#: Between two looks (seconds): far below the least threshold.
EVERY_S = 10.0


async def guard(store: Store, *, every_s: float = EVERY_S) -> None:
    """Look again and again, until it is cancelled. While Redis is away others say so."""
    while True:
        try:
            await watch(store)
            await attendance.watch(store)
        except (*AWAY, OSError):
            pass
        except Exception:
            log.exception("expiry.was_not_looked_at")
        await asyncio.sleep(every_s)
