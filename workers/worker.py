"""A worker: the dispatcher, the poller and its steps' arq queues in one process, equal to every other worker.

It can die at any time: everything it claimed becomes due again. Asked to stop, it drains: no create is cut, looks
end, archive steps hand back their claims.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Mapping, Sequence
from functools import partial

import structlog

from orchestrator.admission.attendance import STEPS as STEPS
from orchestrator.admission.controller import Admission
from orchestrator.admission.dispatcher import ARCHIVE_SLOTS, STEP_SLOTS, Dispatcher
from orchestrator.batches.sweeping import sweep
from orchestrator.ledger.records import Claim
from orchestrator.ledger.store import Store
from orchestrator.settings import NO_BUDGETS, Budgets
from workers.allowances import allowances
from workers.archiving.archive import archive
from workers.archiving.clearing import clear_again_and_again
from workers.arq_queue import HAND_BACK_S, ArqQueue, Elsewhere, Step
from workers.cancelling import end
from workers.expiry_guard import guard
from workers.fresh_sheet import fresh_sheet
from workers.harness import Harness
from workers.reconciliation.reconcile import reconcile
from workers.recovering.recoverer import Recoverer
from workers.rendering.create import create
from workers.rendering.poller import Poller
from workers.rendering.probe import probe
from workers.rendering.watch import watch
from workers.report import report
from workers.sinks import Sink
from workers.station import Line, Station
from workers.telling.herald import Herald

log = structlog.get_logger("workers.worker")

#: Steps that come with another: who creates probes stopped deployments and sweeps, who archives reports, who reconciles
#: looks at jobs that no item could take.
ON_QUEUE_OF = {"probe": "create", "sweep": "create", "report": "archive", "sheet": "archive", "watch": "reconcile"}
#: And who creates looks through lists after Redis began anew, without arq: that may take long.
COMES_WITH = {**ON_QUEUE_OF, "recover": "create"}
#: A large video over a slow line; the claim is renewed while it runs.
ARCHIVE_TIMEOUT_S = 3600.0
#: Looks that are under way may take so long to end when the worker stops (seconds).
LOOKS_S = 30.0
#: And the dispatcher's last round, and each of what is cancelled then, so long.
ROUND_S = 5.0


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
        budgets: Budgets = NO_BUDGETS,
        delete_remote: bool = False,
        keep_s: float = 30 * 86_400.0,
        herald: Herald | None = None,
    ) -> None:
        """`steps`: those it runs. `batches`: the only ones it admits items of; all else in flight it finishes."""
        self._store, self.herald = store, herald
        self._station = Station(
            store, lines, sink, time.time, self._wake, claim_s, delete_remote, keep_s, herald, budgets
        )
        self._poller, self._recoverer = Poller(self._station), Recoverer(self._station)
        self.name = secrets.token_hex(4)
        deployments = [line.deployment for line in lines.values()]
        slowest = max((d.create_timeout_s for d in deployments), default=60.0)
        self._queues: dict[str, ArqQueue] = {}
        self._loops: list[asyncio.Task[None]] = []
        harness = Harness(self._station)
        if "create" in steps:  # it may have begun, and paid: it is never cut, its send-by instant bounds it
            creating = {
                "create": harness.item_step(create, cuts=False),
                "probe": harness.guarded(self._probe),
                "sweep": harness.guarded(self._sweep),
            }
            self._open("create", creating, STEP_SLOTS, 2 * slowest + 60)
        if "reconcile" in steps:
            watching = harness.guarded(partial(watch, self._station))
            settling = {"reconcile": harness.item_step(reconcile), "watch": watching}
            self._open("reconcile", settling, STEP_SLOTS, 2 * slowest + 60)
        if "archive" in steps:
            papers = {"archive": harness.item_step(archive)}
            papers["sheet"] = harness.guarded(partial(fresh_sheet, self._station))
            papers["report"] = harness.guarded(lambda claim: report(self._station, claim.ref.batch, claim.version))
            self._open("archive", papers, ARCHIVE_SLOTS, ARCHIVE_TIMEOUT_S)
        self.dispatcher = Dispatcher(
            store,
            self,
            Admission(store, deployments, batches=batches, budgets=budgets, archives="archive" in steps, guarded=True),
            steps=[*steps, *(extra for extra, queue in COMES_WITH.items() if queue in steps)],
            deployments=[d.name for d in deployments],
            allowances=allowances(deployments, claim_s),
        )
        self._stopping = asyncio.Event()

    @property
    def drain_s(self) -> float:
        """How long it may take to stop (seconds)."""
        queues = (HAND_BACK_S if name == "archive" else queue.timeout_s for name, queue in self._queues.items())
        return 3 * ROUND_S + max([LOOKS_S, *queues])

    @property
    def ended_loops(self) -> list[str]:
        """Which of its loops have ended, though they never should; all are taken for ended before they begin."""
        return [loop.get_name() for loop in self._loops if loop.done()] if self._loops else ["all"]

    @property
    def draining(self) -> bool:
        """Whether it was asked to stop."""
        return self._stopping.is_set()

    def stop(self) -> None:
        """Ask it to drain."""
        self._stopping.set()

    async def run(self) -> None:
        """Work until stopped."""
        log.info("worker.started", worker=self.name)
        self._loops = tasks = [asyncio.create_task(q.run(), name=f"queue {n}") for n, q in self._queues.items()]
        dispatching = asyncio.create_task(self.dispatcher.run(), name="dispatcher")
        tasks += [dispatching, asyncio.create_task(guard(self._store), name="guard")]
        tasks += [asyncio.create_task(self.herald.run(), name="herald")] if self.herald else []
        if self._station.delete_remote and "archive" in self._queues:
            tasks.append(asyncio.create_task(clear_again_and_again(self._station), name="clearing"))
        stopping = asyncio.create_task(self._stopping.wait())
        try:
            done, _ = await asyncio.wait([stopping, *tasks], return_when=asyncio.FIRST_COMPLETED)
            for task in done - {stopping}:
                task.result()  # none of them ends by itself: raise what ended it
        finally:
            stopping.cancel()
            await self._drain(dispatching)
            await end(tasks, within_s=ROUND_S)
        log.info("worker.drained", worker=self.name)

    async def free(self) -> Mapping[str, int]:
        """Free slots by pool, for the dispatcher."""
        taken = {name: await queue.outstanding() for name, queue in self._queues.items()}
        return {
            "steps": STEP_SLOTS - taken.get("create", 0) - taken.get("reconcile", 0),
            "archive": max(ARCHIVE_SLOTS - taken.get("archive", 0), 0),
            **self._poller.free,
            **self._recoverer.free,
        }

    async def take_on(self, claims: Sequence[Claim]) -> None:
        """Start claimed steps: looks here, everything else through arq."""
        self._poller.take_on([c for c in claims if c.step == "poll"])
        self._recoverer.take_on([c for c in claims if c.step == "recover"])
        for name, queue in self._queues.items():
            await queue.put([c for c in claims if ON_QUEUE_OF.get(c.step, c.step) == name])

    def _open(self, name: str, steps: dict[str, Step], slots: int, timeout_s: float) -> None:
        self._queues[name] = ArqQueue(
            self._store, self._store.keys.queue(name), steps, worker=self.name, slots=slots, timeout_s=timeout_s
        )

    def _wake(self, in_s: float) -> None:
        self.dispatcher.wake(in_s)

    async def _drain(self, dispatching: asyncio.Task[None]) -> None:
        """Begin nothing more anywhere, then wait for what runs, each for a bounded time."""
        self.dispatcher.stop()
        for queue in self._queues.values():
            queue.close()
        await asyncio.wait([dispatching], timeout=ROUND_S)
        looks = [asyncio.create_task(each.drain()) for each in (self._poller, self._recoverer)]
        queues = [queue.drain(hand_back=name == "archive") for name, queue in self._queues.items()]
        await asyncio.gather(asyncio.wait(looks, timeout=LOOKS_S), *queues)
        await end(looks, within_s=ROUND_S)

    async def _probe(self, claim: Claim) -> None:
        line = self._station.lines.get(claim.ref.batch)
        if line is None:
            raise Elsewhere
        await probe(self._store, line, claim.version, claim_s=self._station.claim_s)

    async def _sweep(self, claim: Claim) -> None:
        await sweep(self._store, claim.ref.batch)
