"""Looks through lists after Redis began anew, in the worker itself: a look may take long, and is one at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

import structlog
from redis.exceptions import RedisError

from orchestrator.ledger.records import Claim
from workers.cancelling import end
from workers.recovering.recovery import recover
from workers.renewal import ClaimLost
from workers.station import Station

log = structlog.get_logger("workers.recovering.recoverer")

#: How long a look that is cancelled may take to hand back its claim (seconds).
HAND_BACK_S = 10.0


class Recoverer:
    """Runs the looks that this worker claimed; `free` says whether it can take on another."""

    def __init__(self, station: Station) -> None:
        self._station = station
        self._looking: asyncio.Task[None] | None = None

    @property
    def free(self) -> Mapping[str, int]:
        """Room for looks, for the dispatcher."""
        return {"recoveries": int(self._looking is None or self._looking.done())}

    def take_on(self, claims: Sequence[Claim]) -> None:
        """Begin: `free` lets only one be claimed at a time."""
        for claim in claims:
            self._looking = asyncio.create_task(self._look(claim))

    async def drain(self) -> None:
        """Cancel the look that is under way: it hands back its claim."""
        if self._looking is not None:
            await end([self._looking], within_s=HAND_BACK_S)

    async def _look(self, claim: Claim) -> None:
        name = claim.ref.batch  # of a recovery, the deployment
        with structlog.contextvars.bound_contextvars(deployment=name):
            try:
                await recover(self._station, name, claim.version)
            except ClaimLost:
                log.info("recovery.was_overtaken")
            except (RedisError, OSError) as error:
                log.warning("recovery.was_lost", error=str(error))  # due again by itself
            except Exception:
                log.exception("recovery.broke")
