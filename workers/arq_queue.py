"""arq, with each of its traps closed: short steps on a queue that holds nothing worth keeping.

What arq does by itself, and what is done about it here:
a job's body expires after 24 h (ten years) · in-progress ids fill the head of the queue (read limit) · after a kill a
job comes back only when its in-progress key expires (short timeouts; the store's own due times are faster) · results
are kept and would block the same job id (not kept) · one health key for all workers of a queue (one each) · its abort
set lies outside the hash tag (rebound; aborting is off) · its own signal handling would cut a create (ours drains) ·
an error while it picks leaves its count of slots wrong for good (each restart is a fresh arq worker).
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Any, cast

import arq.jobs
import arq.worker
import structlog
from arq.typing import WorkerCoroutine
from arq.worker import Function, Retry, func
from redis.exceptions import OutOfMemoryError, RedisError

from orchestrator.ledger.records import Claim
from orchestrator.ledger.store import Store
from orchestrator.redis.connection import AWAY, TEN_YEARS_MS, job_to_json
from workers.cancelling import end
from workers.slots import Slots

log = structlog.get_logger("workers.arq_queue")

#: All slots of a fleet must fit in one read of the queue's head.
READ_LIMIT = 10_000
POLL_S = 0.05
HEALTH_S = 15
#: Pause before arq's loop is begun again (seconds).
RESTART_S = 1.0
#: A step left to another worker is on the queue again after so many seconds, and so many times: then its claim ends.
ELSEWHERE_S, ELSEWHERE_TRIES = 0.1, 20
#: How long steps that were cancelled may take to hand back their claims, before they are left alone (seconds).
HAND_BACK_S = 30.0

Step = Callable[[Claim], Awaitable[None]]


class Elsewhere(Exception):
    """This worker cannot run the step: another one that reads the queue shall take it."""


class _Tasks(dict[str, asyncio.Task[Any]]):
    """What runs, by its job. Where Redis has forgotten that a job runs (a failover), it is picked once more: its claim
    lets only one of the two decide, but whichever ends first takes away what arq looks for at the other's end."""

    def __delitem__(self, job: str) -> None:
        self.pop(job, None)


class ArqQueue:
    """One arq queue: what this worker puts on it, and the arq worker that runs steps from it.

    Every worker of a fleet runs any step on the queue; how much each puts there is bounded by its own slots.
    """

    def __init__(
        self, store: Store, queue: str, steps: dict[str, Step], *, worker: str, slots: int, timeout_s: float
    ) -> None:
        """`steps`: name → what runs it. `timeout_s`: a step that takes longer is cut, so it must bound itself."""
        self._store, self._queue, self._slots, self.timeout_s = store, queue, Slots(slots), timeout_s
        self._steps = steps
        self._functions = [self._function(name, step) for name, step in steps.items()]
        self._health_key = f"{store.keys.heartbeat(worker)}:{queue.rsplit(':', 1)[-1]}"
        self._put: set[str] = set()
        self._draining = False
        #: Our own steps that have begun, and the jobs of arq workers that were given up: arq forgets both.
        self._running: set[asyncio.Task[Any]] = set()
        self._left: set[asyncio.Task[Any]] = set()
        #: Those of our own that are on no queue.
        self._here: set[asyncio.Task[Any]] = set()
        rebind_abort_set(store.keys.prefix)
        self._arq = self._fresh()

    def _fresh(self) -> arq.worker.Worker:
        worker = arq.worker.Worker(
            functions=self._functions,
            queue_name=self._queue,
            redis_pool=self._store.redis,
            handle_signals=False,
            max_jobs=self._slots.most,
            job_timeout=self.timeout_s,
            keep_result=0,
            max_tries=1_000,
            poll_delay=POLL_S,
            queue_read_limit=READ_LIMIT,
            health_check_interval=HEALTH_S,
            health_check_key=self._health_key,
            allow_abort_jobs=False,
            job_serializer=job_to_json,
            job_deserializer=json.loads,
            expires_extra_ms=TEN_YEARS_MS,
            log_results=False,
        )
        self._slots.limit(worker)
        worker.job_tasks = _Tasks()
        return worker

    def _function(self, name: str, step: Step) -> Function:
        async def run(ctx: dict[Any, Any], batch: str, item: str, version: int, attempt: int) -> None:
            if self._draining:  # picked in the last moment: it stays on the queue, and its claim holds
                raise Retry
            task = cast("asyncio.Task[Any]", asyncio.current_task())
            self._running.add(task)
            task.add_done_callback(self._running.discard)
            try:
                with self._slots.one(self._arq):
                    await step(Claim.parse([name.encode(), batch.encode(), item.encode(), version, attempt]))
            except Elsewhere:
                if ctx["job_try"] < ELSEWHERE_TRIES:
                    raise Retry(defer=ELSEWHERE_S) from None
                log.warning("step.found_no_worker", step=name, batch=batch, key=item)
            except asyncio.CancelledError:
                if not self._draining:
                    raise
                # It handed back its claim: whoever claims it next puts it on the queue under a new version.

        return func(cast("WorkerCoroutine", run), name=name, timeout=self.timeout_s)

    async def outstanding(self) -> int:
        """How many steps this worker put on the queue that nobody has ended, and how many run beside it; less those
        that run here without a slot, whoever put them there."""
        if self._put:
            ids = list(self._put)
            scores = await self._store.redis.zmscore(self._queue, ids)
            self._put = {job for job, score in zip(ids, scores, strict=True) if score is not None}
        return len(self._put) + len(self._here) - self._slots.slotless

    async def put(self, claims: Sequence[Claim]) -> None:
        """Enqueue claimed steps. Putting one there twice runs it once. What a full Redis has no room for runs here at
        once: a finished video must be archived all the same."""
        for claim in claims:
            job = self._store.keys.job(claim.step, claim.ref, claim.version)
            try:
                await self._store.redis.enqueue_job(
                    claim.step,
                    claim.ref.batch,
                    claim.ref.item,
                    claim.version,
                    claim.attempt,
                    _job_id=job,
                    _queue_name=self._queue,
                )
            except OutOfMemoryError:
                self._run_here(claim)
            else:
                self._put.add(job)

    def _run_here(self, claim: Claim) -> None:
        async def run() -> None:
            await self._steps[claim.step](claim)

        task = asyncio.create_task(run())
        for kept in (self._running, self._here):
            kept.add(task)
            task.add_done_callback(kept.discard)

    async def run(self) -> None:
        """Run steps until cancelled. arq's loop ends when Redis cannot be reached for long: it is begun again."""
        while True:
            try:
                await self._arq.async_run()
            except (*AWAY, OSError) as error:
                log.warning("queue.lost_redis", queue=self._queue, error=str(error))
            except RedisError:
                log.exception("queue.failed", queue=self._queue)
            for job in self._arq.tasks.values():
                self._left.add(job)
                job.add_done_callback(self._end)
            self._arq = self._fresh()
            self._arq.allow_pick_jobs = not self._draining
            await asyncio.sleep(RESTART_S)

    def close(self) -> None:
        """Pick no more steps, and begin none that are picked already."""
        self._draining = True
        self._arq.allow_pick_jobs = False

    async def drain(self, *, hand_back: bool = False) -> None:
        """Pick no more steps and let those that run end, or cancel them so that they hand back their claims.

        It takes `timeout_s` at most, or HAND_BACK_S; a step that still runs then is named in the log and left.
        """
        self.close()
        within_s = HAND_BACK_S if hand_back else self.timeout_s
        last = asyncio.get_running_loop().time() + within_s
        if hand_back:
            await end(self._running, within_s=within_s, again_s=within_s / 3)
        with suppress(TimeoutError):
            async with asyncio.timeout_at(last):
                while jobs := {*self._running, *self._left, *(j for j in self._arq.tasks.values() if not j.done())}:
                    await asyncio.wait(jobs)
        if self._running:
            log.error("queue.was_not_drained", queue=self._queue, steps=len(self._running))

    def _end(self, job: asyncio.Task[Any]) -> None:
        self._left.discard(job)
        if not job.cancelled() and (error := job.exception()):
            log.warning("step.was_not_ended", queue=self._queue, error=str(error))


def rebind_abort_set(prefix: str) -> None:
    """arq deletes from `arq:abort` at each job's end: put that key under the hash tag too."""
    arq.worker.abort_jobs_ss = arq.jobs.abort_jobs_ss = f"{prefix}arq:abort"  # type: ignore[attr-defined]
