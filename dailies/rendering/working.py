"""`dailies worker`: works on whatever is queued until it is stopped, and waits for a Redis that is still to come."""

from __future__ import annotations

import asyncio
import secrets
from contextlib import AsyncExitStack

import structlog

from dailies.ledger import RedisAway
from dailies.rendering.crew import Interrupts, crew
from dailies.rendering.probes import probe_stopped
from dailies.session import Session, open_all
from dailies.terminal.exits import Exit, UsageError, need_deployments
from orchestrator.items.failures import Tries
from orchestrator.settings import Settings
from workers.health import Health
from workers.monitor import Monitor
from workers.roles import NoSuchSteps, steps_of

log = structlog.get_logger("dailies.rendering.working")

#: Asked again and again: what starts a worker (Kubernetes, systemd) may start it before its Redis.
REDIS = Tries(None, 0.5, 10)
#: And told of so often: at the first time, then each so many.
TOLD_EVERY = 6


async def work(settings: Settings, only: str) -> int:
    """A worker until SIGTERM or SIGINT, which drain it: exit 0."""
    try:
        steps = steps_of(only)
    except NoSuchSteps as error:
        raise UsageError(str(error)) from None
    need_deployments(settings)
    interrupts, health = Interrupts(), Health()
    async with Monitor(settings.monitor, health), AsyncExitStack() as stack:
        session = await _opened(settings, health, stack)
        await probe_stopped(session)
        worker = crew(session, steps=steps)
        interrupts.drain(worker)
        health.works(worker, session.store, settings.deployments, settings.budgets)
        await worker.run()
    return Exit.DONE


async def _opened(settings: Settings, health: Health, stack: AsyncExitStack) -> Session:
    """All that a worker needs, once Redis answers. What cannot mend itself (a password, a certificate) is raised."""
    me, tries = secrets.token_hex(4), 0
    while True:
        try:
            return await stack.enter_async_context(open_all(settings))
        except RedisAway as error:
            health.waits("it waits for Redis, which does not answer")
            pause_s = REDIS.pause_s(tries, me)
            if tries % TOLD_EVERY == 0:
                log.warning("redis.is_waited_for", tries=tries + 1, again_in_s=round(pause_s, 1), error=str(error))
            tries += 1
            await asyncio.sleep(pause_s)
