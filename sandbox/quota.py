"""A deployment's quota, kept strictly, and the counters that tell whether a client respected it."""

from __future__ import annotations

import heapq
from collections import deque
from dataclasses import dataclass, field

from sandbox.config import PRICE_PER_SECOND_MICRO_USD, SandboxDeployment
from sandbox.job import Job
from sandbox.refusals import ApiError, rate_limited, too_many_running


@dataclass(slots=True)
class Counts:
    accepted: int = 0
    refused_rate: int = 0
    refused_concurrent: int = 0
    refused_other: int = 0
    peak_running: int = 0
    peak_in_window: int = 0
    bill_micro_usd: int = 0


@dataclass(slots=True)
class Quota:
    """Rate and concurrency of one deployment.

    The window is rolling and strict: a create comes at least `window_s` after the one that is `limit` creates
    before it. A running job holds its place until its own finishing time, also when somebody deletes it
    before: a remote job cannot be cancelled.
    """

    deployment: SandboxDeployment
    window_s: float
    count_refused: bool = False
    counts: Counts = field(default_factory=Counts)
    _filling: deque[float] = field(default_factory=deque)
    """The creates that fill the window: accepted ones, and refused ones with `count_refused`."""
    _accepted: deque[float] = field(default_factory=deque)
    _finishing: list[float] = field(default_factory=list)

    @property
    def limit(self) -> int | None:
        """Creates allowed in any window; None: any number."""
        if self.deployment.per_minute is None:
            return None
        return max(1, int(self.deployment.per_minute * self.window_s / 60 + 1e-9))

    def check(self, operation: str, now: float) -> ApiError | None:
        """The 429 that a create at `now` gets, counted; None if it may pass (`take` then records it)."""
        self._forget(now)
        if self.limit is not None and len(self._filling) >= self.limit:
            self.counts.refused_rate += 1
            leaves_at = self._filling[-self.limit] + self.window_s
            self._note_refused(now)
            return rate_limited(operation, leaves_at - now)
        if self.deployment.concurrent is not None and len(self._finishing) >= self.deployment.concurrent:
            self.counts.refused_concurrent += 1
            self._note_refused(now)
            return too_many_running()
        return None

    def note_invalid(self, now: float) -> None:
        """A create that was refused for another reason than the quota."""
        self.counts.refused_other += 1
        self._note_refused(now)

    def take(self, job: Job) -> None:
        """Record an accepted job, as of its creation: jobs read back from a journal are replayed in order."""
        self._forget(job.created_at)
        self._filling.append(job.created_at)
        self._accepted.append(job.created_at)
        heapq.heappush(self._finishing, job.finished_at)
        counts = self.counts
        counts.accepted += 1
        counts.peak_in_window = max(counts.peak_in_window, len(self._accepted))
        counts.peak_running = max(counts.peak_running, len(self._finishing))
        if job.failure is None:  # failed jobs are free here; what Azure does is not documented
            seconds = job.order.seconds * job.order.variants
            counts.bill_micro_usd += seconds * PRICE_PER_SECOND_MICRO_USD[job.api]

    def report(self, now: float) -> dict[str, int | float]:
        """What `GET /_sandbox/stats` shows of this deployment."""
        self._forget(now)
        counts = self.counts
        return {
            "accepted": counts.accepted,
            "refused_rate": counts.refused_rate,
            "refused_concurrent": counts.refused_concurrent,
            "refused_other": counts.refused_other,
            "running": len(self._finishing),
            "peak_running": counts.peak_running,
            "peak_in_window": counts.peak_in_window,
            "bill_usd": counts.bill_micro_usd / 1_000_000,
        }

    def _note_refused(self, now: float) -> None:
        if self.count_refused:
            self._filling.append(now)

    def _forget(self, now: float) -> None:
        for creates in (self._filling, self._accepted):
            while creates and creates[0] <= now - self.window_s:
                creates.popleft()
        while self._finishing and self._finishing[0] <= now:
            heapq.heappop(self._finishing)
