"""How a worker is, as its probes ask: has it started, does it turn, can it work."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence

import structlog
from redis.exceptions import RedisError

from orchestrator.gauges import DOWN, Gauges
from orchestrator.ledger.store import Store
from orchestrator.metrics import Metrics, Sample
from orchestrator.reasons.stoppage import stopped_batches
from orchestrator.settings import NO_BUDGETS, Budgets, Deployment
from workers.worker import Worker

log = structlog.get_logger("workers.health")

#: For how long Redis may keep a probe, and a scrape, waiting (seconds): less than who asks has patience.
PROBE_S, SCRAPE_S = 2.0, 3.0
#: No round of the dispatcher went well for so long: it hangs, or Redis refuses what it asks (seconds).
ROUND_S = 60.0
#: Between two looks for batches that stand still (seconds): they take more than one round trip, so no scrape waits.
LOOK_S = 30.0


class Health:
    """Of one worker, from before it is there until it has drained."""

    def __init__(self) -> None:
        self.metrics = Metrics()
        self._why: str | None = "it has not started yet"
        self.started = False
        self._worker: Worker | None = None
        self._store: Store | None = None
        self._gauges: Gauges | None = None
        self._deployments: Sequence[Deployment] = ()
        self._budgets = NO_BUDGETS
        self._stopped: Counter[str] = Counter()

    def waits(self, why: str) -> None:
        """It has started, and what it needs is not there yet: restarting it would not help."""
        self.started, self._why = True, why

    def works(self, worker: Worker, store: Store, deployments: Sequence[Deployment], budgets: Budgets) -> None:
        """It has all that it needs."""
        self.started, self._why = True, None
        self._worker, self._store, self.metrics = worker, store, store.metrics
        self._deployments, self._budgets = deployments, budgets
        self._gauges = Gauges(store, deployments, budgets=budgets)
        self.metrics.expect(each.name for each in deployments)

    async def unready(self) -> str | None:
        """Why it cannot work right now; None where it can."""
        worker, store = self._worker, self._store
        if worker is None or store is None:
            return self._why
        if worker.draining:
            return "it was asked to stop, and finishes what it has begun"
        if ended := worker.ended_loops:
            return f"of its loops {', '.join(ended)} turns no more"
        rounded_at = worker.dispatcher.rounded_at
        if rounded_at is not None and asyncio.get_running_loop().time() - rounded_at > ROUND_S:
            return f"its dispatcher has had no good round for {ROUND_S:.0f} s: the log says why"
        try:
            async with asyncio.timeout(PROBE_S):
                await store.redis.ping()
        except (RedisError, OSError) as error:  # a TimeoutError is an OSError
            return f"Redis does not answer ({type(error).__name__})"
        return None

    async def gauges(self) -> Sequence[Sample]:
        """How the ledger stands; where it cannot be asked, that alone."""
        if self._gauges is None:
            return DOWN
        try:
            async with asyncio.timeout(SCRAPE_S):
                found = await self._gauges.read()
        except (RedisError, OSError) as error:
            log.warning("ledger.was_not_read", error=str(error) or type(error).__name__)
            return DOWN
        stopped = [Sample("dailies_batches_stopped", (reason,), count) for reason, count in self._stopped.items()]
        return [*found, *stopped]

    async def look_for_stopped_batches(self, *, every_s: float = LOOK_S) -> None:
        """Again and again, until it is cancelled."""
        while True:
            if self._store is not None:
                try:
                    self._stopped = await stopped_batches(self._store, self._deployments, budgets=self._budgets)
                except (RedisError, OSError):
                    pass  # the gauges say that Redis is away
                except Exception:
                    log.exception("batches.were_not_looked_at")
            await asyncio.sleep(every_s)
