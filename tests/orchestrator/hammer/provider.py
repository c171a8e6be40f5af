"""The provider that all processes create at, in a process that is none of theirs: it counts strictly, makes trouble by
dice, and writes down what it was told.

A job ends the moment a look is told so: the provider's slots are never free before ours could know.
"""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from tests.orchestrator.hammer.fleet import LIMITS, quota_of
from workers.video_api import RefusalKind


class Span(NamedTuple):
    """From when something was asked to when it was done, Unix seconds: it happened between them."""

    asked_at: float
    done_at: float


@dataclass
class Job:
    """A remote job. `late`: its create's answer is not told yet; `guessed`: another attempt was taken for its own.
    `ended`: succeeded, failed or failed and billed; empty while it runs."""

    remote_id: str
    attempt: str
    deployment: str
    seconds: int
    late: bool = False
    guessed: bool = False
    ended: str = ""


@dataclass
class Closing:
    """No create may be intended while it lasts: of a quota, a deployment, a batch, `items` (BATCH/PATTERN), or '' for
    all. It lasts from `since` on, until then."""

    kind: str
    name: str
    since: Span
    until: float


@dataclass
class Provider:
    """Serves all processes on one port of the loopback, until `calm` with trouble."""

    dice: random.Random
    calm: bool = False
    jobs: dict[str, Job] = field(default_factory=dict)
    intents: dict[str, Span] = field(default_factory=dict)  # by attempt: when it was intended, by the process's word
    closings: list[Closing] = field(default_factory=list)
    resumed: list[tuple[str, Span]] = field(default_factory=list)  # deployments, by a person
    admitted: Counter[str] = field(default_factory=Counter)
    most: Counter[str] = field(default_factory=Counter)  # the most jobs at once, by quota
    saw: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    turns: int = 0
    dawdling: list[int] = field(default_factory=list)
    expected_to_die: set[str] = field(default_factory=set)
    _turned: asyncio.Condition = field(default_factory=asyncio.Condition)
    _running: Counter[str] = field(default_factory=Counter)

    async def serve(self) -> asyncio.Server:
        return await asyncio.start_server(self._attend, "127.0.0.1", 0)

    async def until(self, turns: int) -> None:
        """Wait until all processes together took so many turns, or something went wrong."""
        async with self._turned:
            await self._turned.wait_for(lambda: self.turns >= turns or self.faults)

    async def _attend(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        name = ""
        try:
            while line := await reader.readline():
                if not line.endswith(b"\n"):
                    break  # killed at it
                told = json.loads(line)
                do = told.pop("do")
                name = told["name"] if do == "began" else name
                answer = getattr(self, f"_{do}")(**told)
                if answer is not None:
                    writer.write(json.dumps(answer).encode() + b"\n")
                if do == "turns" or self.faults:
                    async with self._turned:
                        self._turned.notify_all()
        except ConnectionError:
            pass
        finally:
            writer.close()
            # One that is killed right after its birth may not have said its name yet; `saw` tells how many have.
            if name and name not in self.expected_to_die:
                self.faults.append(f"the process {name} ended by itself")
                async with self._turned:
                    self._turned.notify_all()

    def chance(self, part: float) -> bool:
        """Trouble, in so many cases; none any more once it is calm."""
        return not self.calm and self.dice.random() < part

    def _began(self, name: str) -> None:
        self.saw["began"] += 1

    def _turns(self, count: int) -> None:
        self.turns += count

    def _fault(self, text: str) -> None:
        self.faults.append(text)

    def _dawdles(self, pid: int) -> None:
        self.saw["dawdled"] += 1
        self.dawdling.append(pid)

    def _stale(self) -> None:
        self.saw["stale"] += 1

    def _intent(self, word: str) -> None:
        self.saw[f"intent {word}"] += 1

    def _accept(self, id: str, word: str) -> None:  # noqa: A002
        job = self.jobs[id]
        self.saw[f"answer {word}"] += 1
        self.saw["taken back"] += word == "accepted" and job.guessed
        job.late = False

    def _adopt(self, id: str, how: str, word: str) -> None:  # noqa: A002
        self.saw[f"{how} {word}"] += 1
        job = self.jobs[id]
        job.guessed |= (how, word) == ("time", "accepted")
        job.late &= (how, word) != ("prompt", "accepted")

    def _gates(self, gates: list[str]) -> None:
        self.saw.update(f"gate {gate}" for gate in gates)

    def _admitted(self, attempts: list[str]) -> None:
        self.admitted.update(attempts)

    def _closed(self, deployment: str, verdict: dict[str, Any], asked_at: float, done_at: float) -> None:
        """What a process did, by a refusal's word, that must keep creates back for a while."""
        since, begin = Span(asked_at, done_at), asked_at - 0.001  # the ledger counts whole milliseconds
        if "stop" in verdict:
            self.saw["stopped"] += 1
            self.closings.append(Closing("deployment", deployment, since, float("inf")))
        elif "archive_ms" in verdict:
            self.closings.append(Closing("", "", since, begin + verdict["archive_ms"] / 1000))
        elif "refused" in verdict:
            self.saw[f"refused {verdict['refused']}"] += 1
            until = begin + verdict["retry_ms"] / 1000
            self.closings.append(Closing("quota", quota_of(deployment), since, until))
        elif "cool_ms" in verdict:
            self.closings.append(Closing("deployment", deployment, since, begin + verdict["cool_ms"] / 1000))

    def _create(
        self, attempt: str, deployment: str, seconds: int, asked_at: float, told_at: float, send_by: float
    ) -> dict[str, Any]:
        if attempt in self.intents:
            self.faults.append(f"{attempt} was sent twice")
        self.intents[attempt] = Span(asked_at, told_at)
        self.saw["create"] += 1
        if time.monotonic() > send_by:
            self.saw["too late"] += 1
            return {"outcome": "lost"}
        quota, limit = quota_of(deployment), LIMITS[quota_of(deployment)]
        retry_s = round(self.dice.uniform(0.01, 0.06), 3)
        if limit.slots is not None and self._running[quota] >= limit.slots:
            if limit.told:
                self.faults.append(f"{attempt} is one too many at {quota}: {self._running[quota]} run")
            return self._refuse(RefusalKind.TOO_MANY_RUNNING, retry_s)
        for part, kind in (
            (0.02, RefusalKind.RATE_LIMITED),
            (0.01, RefusalKind.TOO_MANY_RUNNING),
            (0.03, RefusalKind.INVALID),
            (0.008, RefusalKind.AUTH),
            (0.008, RefusalKind.DEPLOYMENT_MISSING),
        ):
            if self.chance(part):
                return self._refuse(kind, retry_s)
        if self.chance(0.02):
            return {"outcome": "not_sent"}
        if self.chance(0.08):
            return {"outcome": "lost"}
        return self._take(attempt, deployment, seconds)

    def _refuse(self, kind: RefusalKind, retry_s: float) -> dict[str, Any]:
        self.saw[str(kind)] += 1
        return {"outcome": "refused", "kind": str(kind), "retry_s": retry_s}

    def _take(self, attempt: str, deployment: str, seconds: int) -> dict[str, Any]:
        item = attempt.rpartition("#")[0]
        twice = [job.attempt for job in self.jobs.values() if job.attempt.rpartition("#")[0] == item]
        if twice:
            self.faults.append(f"{item} is paid for again: {twice[0]}, and now {attempt}")
        job = Job(f"video_{len(self.jobs)}", attempt, deployment, seconds)
        self.jobs[job.remote_id] = job
        quota = quota_of(deployment)
        self._running[quota] += 1
        self.most[quota] = max(self.most[quota], self._running[quota])
        if self.chance(0.06):
            return {"outcome": "lost"}
        job.late = self.chance(0.4)
        return {"outcome": "accepted", "id": job.remote_id, "late": job.late}

    def _find(self, attempt: str, deployment: str, seconds: int) -> dict[str, Any]:
        """The job of an attempt; or another one's that somebody who only goes by time might take for it."""
        self.saw["find"] += 1
        mine = next((job for job in self.jobs.values() if job.attempt == attempt), None)
        guesses = [
            job.remote_id
            for job in self.jobs.values()
            if job.late and (job.deployment, job.seconds) == (deployment, seconds) and self.chance(0.5)
        ]
        return {
            "id": mine.remote_id if mine else "",
            "guess": guesses[-1] if guesses else "",
            "hold": self.chance(0.1),
        }

    def _look(self, id: str) -> dict[str, Any]:  # noqa: A002
        job = self.jobs[id]
        if not job.ended and self.dice.random() < 0.4:
            job.ended = "succeeded"
            if self.chance(0.06):
                job.ended = self.dice.choice(["failed", "failed and billed"])
            self._running[quota_of(job.deployment)] -= 1
        return {"status": job.ended.partition(" ")[0] or "running", "billed": job.ended.endswith("billed")}

    @property
    def running(self) -> int:
        """Jobs that nobody was told the end of."""
        return sum(self._running.values())

    def paid(self) -> set[str]:
        """What is on the bill: the attempts that made those jobs."""
        return {job.attempt for job in self.jobs.values() if job.ended != "failed"}
