"""A worker: the dispatcher, the poller and two arq queues in one process, equal to every other worker.

It can die at any time: everything it claimed becomes due again. Asked to stop, it drains: no create is cut, looks
end, archive steps hand back their claims.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence

import structlog
from redis.exceptions import RedisError

from orchestrator.admission import Admission
from orchestrator.dispatcher import Allowances, Dispatcher
from orchestrator.records import Claim, Item
from orchestrator.store import Store
from workers.archive import archive
from workers.arq_queue import ArqQueue
from workers.create import create
from workers.poller import Poller
from workers.reconcile import reconcile
from workers.report import report
from workers.sinks import Sink
from workers.station import Line, Station

log = structlog.get_logger("workers.worker")

STEPS = ("create", "poll", "archive", "reconcile")
#: Steps at once in one worker.
CREATE_SLOTS, ARCHIVE_SLOTS = 16, 4
#: A large video over a slow line; the claim is renewed while it runs.
ARCHIVE_TIMEOUT_S = 3600.0

ItemStep = Callable[[Station, Item], Awaitable[None]]


class Worker:
    """One worker. `run()` works until `stop()` is called, then drains and returns."""

    def __init__(
        self,
        store: Store,
        lines: Mapping[str, Line],
        sink: Sink,
        *,
        claim_s: float,
        steps: Sequence[str] = STEPS,
        batches: Sequence[str] | None = None,
        replicas: int = 0,
        delete_remote: bool = False,
        keep_s: float = 30 * 86_400.0,
    ) -> None:
        """`steps`: those it runs. `batches`: the only ones it admits items of; all else in flight it finishes."""
        self._store = store
        self._station = Station(
            store, lines, sink, time.time, self._wake, claim_s, replicas, delete_remote, keep_s
        )
        self._poller = Poller(self._station)
        self.name = secrets.token_hex(4)
        deployments = [line.deployment for line in lines.values()]
        slowest = max((d.create_timeout_s for d in deployments), default=60.0)
        self._queues: dict[str, ArqQueue] = {}
        if {"create", "reconcile"} & set(steps):
            self._queues["steps"] = ArqQueue(
                store,
                store.keys.steps_queue,
                {"create": self._item_step(create), "reconcile": self._item_step(reconcile)},
                worker=self.name,
                slots=CREATE_SLOTS,
                timeout_s=2 * slowest + 60,
            )
        if "archive" in steps:
            self._queues["archive"] = ArqQueue(
                store,
                store.keys.archive_queue,
                {"archive": self._item_step(archive), "report": self._report},
                worker=self.name,
                slots=ARCHIVE_SLOTS,
                timeout_s=ARCHIVE_TIMEOUT_S,
            )
        furthest = max(
            [claim_s]
            + [2 * d.create_timeout_s + d.settle_s for d in deployments]
            + [max(d.poll.first_s, d.poll.every_s, 3600.0) for d in deployments]
        )
        self.dispatcher = Dispatcher(
            store,
            self,
            [Admission(store, d, batches=batches) for d in deployments],
            steps=[*steps, "report"] if "archive" in steps else steps,
            deployments=[d.name for d in deployments],
            allowances=Allowances(claim_s, 2 * furthest),
        )
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """Ask it to drain."""
        self._stopping.set()

    async def run(self) -> None:
        """Work until stopped."""
        log.info("worker.started", worker=self.name)
        tasks = [asyncio.create_task(q.run()) for q in self._queues.values()]
        tasks.append(asyncio.create_task(self.dispatcher.run()))
        stopping = asyncio.create_task(self._stopping.wait())
        try:
            done, _ = await asyncio.wait([stopping, *tasks], return_when=asyncio.FIRST_COMPLETED)
            for task in done - {stopping}:
                task.result()  # none of them ends by itself: raise what ended it
        finally:
            stopping.cancel()
            await self._drain()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        log.info("worker.drained", worker=self.name)

    async def free(self) -> Mapping[str, int]:
        """Free slots by pool, for the dispatcher."""
        free = {pool: await queue.free() for pool, queue in self._queues.items()}
        return free | {"polls": self._poller.free}

    async def take_on(self, claims: Sequence[Claim]) -> None:
        """Start claimed steps: looks here, everything else through arq."""
        self._poller.take_on([c for c in claims if c.step == "poll"])
        if steps := [c for c in claims if c.step in ("create", "reconcile")]:
            await self._queues["steps"].put(steps)
        if archives := [c for c in claims if c.step in ("archive", "report")]:
            await self._queues["archive"].put(archives)

    def _wake(self, in_s: float) -> None:
        self.dispatcher.wake(in_s)

    async def _drain(self) -> None:
        self.dispatcher.stop()
        if archives := self._queues.get("archive"):
            await archives.drain(hand_back=True)
        if steps := self._queues.get("steps"):
            await steps.drain()
        await self._poller.drain()

    def _item_step(self, step: ItemStep) -> Callable[[Claim], Awaitable[None]]:
        """A step as arq runs it: load, check that the claim still holds, bind the log, never raise into arq."""

        async def run(claim: Claim) -> None:
            try:
                item = await self._store.load(claim.ref, claim.attempt)
                if item is None or item.version != claim.version:
                    return
                with self._station.bound(item):
                    await step(self._station, item)
            except (RedisError, OSError) as error:
                log.warning("step.was_lost", step=claim.step, item=str(claim.ref), error=str(error))
            except Exception:
                log.exception("step.failed", step=claim.step, item=str(claim.ref))
            finally:
                self._wake(0)

        return run

    async def _report(self, claim: Claim) -> None:
        try:
            await report(self._station, claim.ref.batch, claim.version)
        except Exception:
            log.exception("report.failed", batch=claim.ref.batch)
        finally:
            self._wake(0)
