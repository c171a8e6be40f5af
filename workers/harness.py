"""How a step is run: what it works on is loaded, its claim is kept while it works, it is timed, and what it raises goes
to the log, once; what it was at becomes due again when its claim ends."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from functools import partial

import structlog

from orchestrator.ledger.records import Claim, Item
from orchestrator.redis.connection import AWAY
from workers.arq_queue import Elsewhere, Step
from workers.renewal import ClaimLost, kept
from workers.station import Station

log = structlog.get_logger("workers.harness")

ItemStep = Callable[[Station, Item], Awaitable[object]]


class Harness:
    """Makes steps that arq can run of those of one worker."""

    def __init__(self, station: Station) -> None:
        self._station = station

    def item_step(self, step: ItemStep, *, cuts: bool = True) -> Step:
        """A step of one item: load it, check that the claim still holds, keep it, bind the log.

        `cuts`: a step whose claim is lost is cancelled.
        """
        station = self._station

        async def run(claim: Claim) -> None:
            item = await station.store.load(claim.ref, claim.attempt)
            if item is None or item.version != claim.version:
                return
            if not station.serves(item):
                raise Elsewhere
            renew = partial(station.store.renew, item.ref, item.version)
            with station.bound(item):
                async with kept(renew, station.claim_s, cuts=cuts):
                    await step(station, item)

        return self.guarded(run)

    def guarded(self, step: Step) -> Step:
        """Any step: whatever comes of it, the dispatcher goes on."""

        async def run(claim: Claim) -> None:
            began, outcome = time.monotonic(), "cut"
            try:
                await step(claim)
                outcome = "done"
            except Elsewhere:
                outcome = "elsewhere"
                raise
            except ClaimLost:
                outcome = "overtaken"
                log.info("step.was_overtaken", step=claim.step, item=str(claim.ref))
            except AWAY as error:
                outcome = "lost"
                log.warning("step.was_lost", step=claim.step, item=str(claim.ref), error=str(error))
            except Exception:
                outcome = "failed"
                log.exception("step.failed", step=claim.step, item=str(claim.ref))
            finally:
                self._station.store.metrics.took(claim.step, outcome, time.monotonic() - began)
                self._station.wake(0)

        return run
