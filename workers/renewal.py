"""Holding a claim while a step works: the allowance measures liveness, not duration (promise 6)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import structlog
from redis.exceptions import RedisError

from workers.video_api import boot_clock

log = structlog.get_logger("workers.renewal")

#: Parts of its allowance after which a claim is renewed.
PART = 1 / 3
#: How long handing a claim back may take (seconds): whoever stops does not wait for a Redis that is away.
HAND_BACK_S = 5.0

Renew = Callable[[float], Awaitable[bool]]
#: It goes on while this process is stopped (SIGSTOP), and while the machine sleeps.
clock = boot_clock


class ClaimLost(Exception):
    """The claim is somebody else's by now; nothing that this step decides counts any more."""


@asynccontextmanager
async def kept(renew: Renew, claim_s: float, *, cuts: bool = True) -> AsyncIterator[Callable[[object], None]]:
    """Renew a claim when the block begins and while it runs; a block that is cancelled hands it back, due at once.

    `renew` prolongs the claim by so many seconds, or says that it is lost. Then the block is cancelled, unless
    `cuts` is False, and ClaimLost raised; a block whose claim is lost already does not begin. What the block decides
    ends the claim too, so it has another part of the allowance to get the answer to that and to end by itself.

    What the block is given raises ClaimLost where the claim may have ended by itself: it asks nobody, and is for what
    cannot be taken back.
    """
    held_since = clock()
    if not await renew(claim_s):
        raise ClaimLost
    block = asyncio.current_task()
    if block is None:
        raise RuntimeError("a claim is held by a task")
    ended, cancels = asyncio.Event(), block.cancelling()
    lost = 0

    async def has_ended() -> bool:
        with suppress(TimeoutError):
            async with asyncio.timeout(claim_s * PART):
                await ended.wait()
        return ended.is_set()

    def still_held(_: object = None) -> None:
        if clock() - held_since >= claim_s:
            raise ClaimLost

    async def keep() -> None:
        nonlocal lost, held_since
        while not await has_ended():
            asked_at = clock()
            try:
                if await renew(claim_s):
                    held_since = asked_at
                    continue
            except (RedisError, OSError) as error:
                log.warning("claim.was_not_renewed", error=str(error))
                continue
            while cuts and not await has_ended():
                if not lost:
                    log.warning("claim.was_lost")
                lost += 1
                block.cancel()  # and again: see workers.cancelling
            return

    renewal = asyncio.create_task(keep())
    try:
        try:
            yield still_held
        finally:
            ended.set()
            for _ in range(lost):
                block.uncancel()
            # A renewal under way is waited for: none may arrive after what comes behind the block.
            await asyncio.wait([renewal], timeout=HAND_BACK_S)
            renewal.cancel()
    except asyncio.CancelledError:
        if lost and block.cancelling() <= cancels:
            raise ClaimLost from None
        await _hand_back(renew)
        raise


async def _hand_back(renew: Renew) -> None:
    try:
        async with asyncio.timeout(HAND_BACK_S):
            await renew(0)
    except (RedisError, OSError) as error:  # a TimeoutError is an OSError
        log.warning("claim.was_not_handed_back", error=str(error))
