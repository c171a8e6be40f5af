"""The dispatcher: a loop in every worker that claims what is due and admits what may start.

It holds no item: what it claims is due again by itself if this worker dies. It claims only steps that its worker
runs, and at most as many as that worker has free slots for.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Protocol

import structlog
from redis.exceptions import OutOfMemoryError, RedisError

from orchestrator.admission.attendance import STEPS
from orchestrator.admission.controller import Admission, Answer
from orchestrator.ledger.records import Claim
from orchestrator.ledger.store import Store
from orchestrator.redis.connection import AWAY

log = structlog.get_logger("orchestrator.admission.dispatcher")

#: Step → the pool of slots it takes from. Archiving has its own: bytes never wait behind creates or polls.
POOLS: Mapping[str, str] = {
    "create": "steps",
    "probe": "steps",
    "reconcile": "steps",
    "sweep": "steps",
    "watch": "steps",
    "poll": "polls",
    "archive": "archive",
    "report": "archive",
    "sheet": "archive",
    "recover": "recoveries",
}
#: Steps at once in one worker: creates and reconciles, and archives and reports.
STEP_SLOTS, ARCHIVE_SLOTS = 16, 4
#: How often to look when nothing says when: new batches, slots that other workers gave back.
IDLE_S = 1.0
#: And while a bucket fills: a pace that was learned may be very slow, and a person let it be forgotten (seconds).
RATE_S = 30.0
#: How often to ask whether a full Redis has room again (seconds).
FULL_S = 5.0
#: Longest pause after rounds that failed by a fault of ours: doubled each time, from IDLE_S on (seconds).
FAULT_S = 60.0


class Hands(Protocol):
    """What a worker gives its dispatcher to act with."""

    async def free(self) -> Mapping[str, int]:
        """Free slots by pool, right now."""

    async def take_on(self, claims: Sequence[Claim]) -> None:
        """Start the steps: quickly, they run elsewhere."""


@dataclass(frozen=True, slots=True)
class Allowances:
    """For how long a claim holds (seconds): it measures liveness, since a running step renews it. And how many looks a
    second each deployment's jobs may cost, where that is limited (`looks.ceiling`)."""

    claim_s: float
    furthest_s: float
    looks: Mapping[str, Mapping[str, float]] = field(default_factory=dict)


class Dispatcher:
    """Claims and admits in rounds, until it is stopped. `wake` begins the next round at once, or in time."""

    def __init__(
        self,
        store: Store,
        hands: Hands,
        admission: Admission,
        *,
        steps: Sequence[str],
        deployments: Sequence[str],
        allowances: Allowances,
    ) -> None:
        """`steps`: those that this worker runs; it admits only if `create` is among them."""
        self._store, self._hands, self._allowances = store, hands, allowances
        self._admission = admission if "create" in steps else None
        name = secrets.token_hex(4)
        self._archivist = name if "archive" in steps else ""
        self._present = [f"{step} {name}" for step in STEPS if step in steps]
        self._pools = {step: POOLS[step] for step in steps}
        self._deployments = deployments
        self._not_before: dict[str, float] = {}
        self._woken = asyncio.Event()
        self._next_round_at = 0.0
        self._stopping = self._full = False
        #: When the last round went well, by the loop's clock; None before the first.
        self.rounded_at: float | None = None
        #: The newest answer for each deployment: what stopped its next create.
        self.answers: dict[str, Answer] = {}

    def wake(self, in_s: float = 0.0) -> None:
        """Something will be due in so many seconds; 0: a slot came free, so ask admission again too."""
        if in_s <= 0:
            self._not_before.clear()
        at = asyncio.get_running_loop().time() + in_s
        if at < self._next_round_at:
            self._next_round_at = at
            self._woken.set()

    def stop(self) -> None:
        """End after this round: claim and admit nothing more."""
        self._stopping = True
        self._woken.set()

    async def run(self) -> None:
        """Round after round until stopped. While Redis is away it waits and says so once; what else Redis says is a
        fault, told each time, ever more seldom."""
        clock = asyncio.get_running_loop().time
        away, faults, not_before = False, 0, 0.0
        while not self._stopping:
            self._next_round_at = clock() + IDLE_S
            try:
                pause = await self._round()
                self.rounded_at = clock()
                if away:
                    log.info("redis.came_back")
                away, faults = False, 0
            except (*AWAY, OSError) as error:
                if not away:
                    log.warning("redis.went_away", error=str(error))
                away, pause = True, IDLE_S
            except RedisError:
                log.exception("round.failed")
                pause = min(IDLE_S * 2**faults, FAULT_S)
                faults, not_before = faults + 1, clock() + pause
            self._next_round_at = min(self._next_round_at, clock() + pause)
            while not self._stopping and clock() < (begin := max(self._next_round_at, not_before)):
                self._woken.clear()
                with suppress(TimeoutError):
                    async with asyncio.timeout_at(begin):
                        await self._woken.wait()

    async def _round(self) -> float:
        """One round; how many seconds nothing more can be due."""
        free = dict(await self._hands.free())
        claims, next_due = await self._store.claim(
            free,
            pools=self._pools,
            deployments=self._deployments,
            allowance_s=self._allowances.claim_s,
            furthest_s=self._allowances.furthest_s,
            looks=self._allowances.looks,
            archivist=self._archivist,
            present=self._present,
        )
        pauses = [IDLE_S] if next_due is None else [IDLE_S, next_due]
        await self._hands.take_on(claims)
        left = free.get("steps", 0) - sum(POOLS[c.step] == "steps" for c in claims)
        pauses += await self._admit(left)
        return max(min(pauses), 0.0)

    async def _admit(self, free_steps: int) -> list[float]:
        """Ask for deployments whose answer may have changed, all at once; in how many seconds to ask again."""
        if self._admission is None:
            return []
        now = asyncio.get_running_loop().time()
        waits = {d.name: self._not_before.get(d.name, 0.0) - now for d in self._admission.deployments}
        pauses = [wait for wait in waits.values() if wait > 0]
        among = [name for name, wait in waits.items() if wait <= 0]
        if free_steps <= 0 or not among:
            return pauses
        try:
            answers = await self._admission.ask(free_steps, allowance_s=self._allowances.claim_s, among=among)
        except OutOfMemoryError as error:  # what is under way goes on: its scripts work on a full server too
            if not self._full:
                log.error("redis.is_full", error=str(error))
            self._full = True
            self._not_before.update(dict.fromkeys(among, now + FULL_S))
            return [*pauses, FULL_S]
        self._full = False
        self.answers.update(answers)
        for name, answer in answers.items():
            self._store.metrics.admitted(name, len(answer.admitted))
            await self._hands.take_on(answer.admitted)
            if answer.ask_again_in_s is not None:
                # A window or a budget is not in the way of every batch, and a person may end any of them.
                most = RATE_S if answer.gate == "rate" else IDLE_S
                pause = min(answer.ask_again_in_s, most)
                self._not_before[name] = now + pause
                pauses.append(pause)
        return pauses
