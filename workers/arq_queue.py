"""arq, with each of its traps closed: short steps on a queue that holds nothing worth keeping.

What arq does by itself, and what is done about it here:
a job's body expires after 24 h (ten years) · in-progress ids fill the head of the queue (read limit) · after a kill a
job comes back only when its in-progress key expires (short timeouts; the store's own due times are faster) · results
are kept and would block the same job id (not kept) · one health key for all workers of a queue (one each) · its abort
set lies outside the hash tag (rebound; aborting is off) · its own signal handling would cut a create (ours drains).
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from signal import Signals
from typing import Any, cast

import arq.jobs
import arq.worker
import structlog
from arq.typing import WorkerCoroutine
from arq.worker import Function, func
from redis.exceptions import RedisError

from orchestrator.records import Claim
from orchestrator.redis_connection import TEN_YEARS_MS, job_to_json
from orchestrator.store import Store

log = structlog.get_logger("workers.arq_queue")

#: All slots of a fleet must fit in one read of the queue's head.
READ_LIMIT = 10_000
POLL_S = 0.05
HEALTH_S = 15

Step = Callable[[Claim], Awaitable[None]]


class ArqQueue:
    """One arq queue: what this worker puts on it, and the arq worker that runs steps from it.

    Every worker of a fleet runs any step on the queue; how much each puts there is bounded by its own slots.
    """

    def __init__(
        self, store: Store, queue: str, steps: dict[str, Step], *, worker: str, slots: int, timeout_s: float
    ) -> None:
        """`steps`: name → what runs it. `timeout_s`: a step that takes longer is cut, so it must bound itself."""
        self._store, self._queue, self._slots = store, queue, slots
        self._timeout_s = timeout_s
        self._outstanding: set[str] = set()
        self._running = True
        redis = store.redis
        rebind_abort_set(store.keys.prefix)
        self._arq = arq.worker.Worker(
            functions=[self._function(name, step) for name, step in steps.items()],
            queue_name=queue,
            redis_pool=redis,
            handle_signals=False,
            job_completion_wait=round(timeout_s),
            max_jobs=slots,
            job_timeout=timeout_s,
            keep_result=0,
            max_tries=1_000,
            poll_delay=POLL_S,
            queue_read_limit=READ_LIMIT,
            health_check_interval=HEALTH_S,
            health_check_key=f"{store.keys.heartbeat(worker)}:{queue.rsplit(':', 1)[-1]}",
            allow_abort_jobs=False,
            job_serializer=job_to_json,
            job_deserializer=json.loads,
            expires_extra_ms=TEN_YEARS_MS,
            log_results=False,
        )

    def _function(self, name: str, step: Step) -> Function:
        async def run(ctx: dict[Any, Any], batch: str, item: str, version: int, attempt: int) -> None:
            await step(Claim.parse([name.encode(), batch.encode(), item.encode(), version, attempt]))

        return func(cast("WorkerCoroutine", run), name=name, timeout=self._timeout_s)

    async def free(self) -> int:
        """How many more steps this worker may put on the queue: those it put there and nobody has ended count."""
        if self._outstanding:
            ids = list(self._outstanding)
            scores = await self._store.redis.zmscore(self._queue, ids)
            self._outstanding = {job for job, score in zip(ids, scores, strict=True) if score is not None}
        return self._slots - len(self._outstanding)

    async def put(self, claims: Sequence[Claim]) -> None:
        """Enqueue claimed steps. Putting one there twice runs it once."""
        for claim in claims:
            job = self._store.keys.job(claim.step, claim.ref, claim.version)
            await self._store.redis.enqueue_job(
                claim.step,
                claim.ref.batch,
                claim.ref.item,
                claim.version,
                claim.attempt,
                _job_id=job,
                _queue_name=self._queue,
            )
            self._outstanding.add(job)

    async def run(self) -> None:
        """Run steps until drained. arq's loop ends when Redis cannot be reached for long: it is begun again."""
        while self._running:
            try:
                await self._arq.async_run()
            except asyncio.CancelledError:
                if self._running:
                    raise
            except (RedisError, OSError) as error:
                log.warning("queue.lost_redis", queue=self._queue, error=str(error))
                self._arq.tasks.clear()
                await asyncio.sleep(1)

    async def drain(self, *, hand_back: bool = False) -> None:
        """Pick no more steps and let the running ones end, or cancel them so that they hand back their claims."""
        self._running = False
        self._arq.allow_pick_jobs = False
        if hand_back:
            for task in list(self._arq.job_tasks.values()):
                task.cancel()
        await self._arq._wait_for_tasks_to_complete(Signals.SIGTERM)


def rebind_abort_set(prefix: str) -> None:
    """arq deletes from `arq:abort` at each job's end: put that key under the hash tag too."""
    arq.worker.abort_jobs_ss = arq.jobs.abort_jobs_ss = f"{prefix}arq:abort"  # type: ignore[attr-defined]


