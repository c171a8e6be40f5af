"""A night with a virtual clock: every item admitted, created, rendered, looked at and archived, one event at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from heapq import heappop, heappush
from types import MappingProxyType
from typing import NamedTuple

from orchestrator.admission.dispatcher import ARCHIVE_SLOTS, STEP_SLOTS
from orchestrator.admission.polling import noticed_after
from orchestrator.admission.timings import Timing
from orchestrator.planning.book import Admitted, Book
from orchestrator.planning.desk import Gate, Learned, desks
from orchestrator.planning.tally import BatchTally, Holds
from orchestrator.planning.workload import Workload
from orchestrator.settings import NO_BUDGETS, Budgets, Deployment

#: What is told of the progress of a simulation: done and all items.
Progress = Callable[[int, int], None]
#: How many events pass between two words about the progress.
_TELL_EVERY = 20_000

#: Nothing was created for so long (ms), and nothing is on its way: a video costs more than a month's budget.
_IN_VAIN = 400 * 86_400_000

#: What happens at an instant. In this order, where several happen at once: what comes free is there for who asks.
_NOTICED, _ARCHIVED, _ASK = range(3)


class Course(NamedTuple):
    """How long a kind of video takes at a deployment, in milliseconds: to the answer of its create, to the look that
    finds it finished (both from its admission), and from there into the archive once it is its turn."""

    answered: float
    noticed: float
    archiving: float


class Simulation:
    """One run over all of the work, with nothing else going on at the deployments."""

    def __init__(
        self,
        works: Sequence[Workload],
        deployments: Sequence[Deployment],
        timings: Mapping[tuple[str, str, int], Timing],
        *,
        now: float,
        workers: int = 1,
        budgets: Budgets = NO_BUDGETS,
        spent: Mapping[str, int] = MappingProxyType({}),
        learned: Mapping[str, Learned] = MappingProxyType({}),
        progress: Progress = lambda done, of: None,
    ) -> None:
        """`timings`: of (deployment's name, size, seconds), for what each deployment serves. `now` in Unix seconds.
        `spent`: micro-dollars of the budgets of days and months, by their ids.
        `learned`: what refusals taught, by the deployment's name."""
        self.book = Book(deployments, now=now, budgets=budgets, spent=spent)
        for work in works:
            self.book.submit(work)
        self.desks = desks(deployments, now, learned)
        self._numbers = {desk.name: number for number, desk in enumerate(self.desks)}
        self.tallies = [BatchTally(now * 1000) for _ in works]
        self.holds = Holds()
        self.peak = 0
        self.peaks = {desk.name: 0 for desk in self.desks}
        self._courses = [[_courses(work, d, timings) for work in works] for d in deployments]
        self._now, self._progress = now * 1000, progress
        self._steps, self._hands = workers * STEP_SLOTS, workers * ARCHIVE_SLOTS
        self._events: list[tuple[float, int, int, Admitted | None]] = []
        self._answers: list[float] = []  # of the creates that are out
        self._ready: list[tuple[float, float, int, Admitted]] = []  # to be archived: by when, since when, from where
        self._ask_next = [float("inf")] * len(self.desks)
        self._by_clock = [False] * len(self.desks)  # only time ends what is in the way there
        self._done, self._in_flight, self._created_at = 0, 0, self._now

    def run(self) -> None:
        """Until nothing happens any more."""
        events, total = self._events, sum(len(ledger.work) for ledger in self.book.batches)
        for number in range(len(self.desks)):
            self._ask_at(number, self._now)
        seen = 0
        while events:
            at, what, number, given = heappop(events)
            seen += 1
            if seen % _TELL_EVERY == 0:
                self._progress(self._done, total)
            if what == _ASK:
                if self._in_flight == 0 and at - self._created_at > _IN_VAIN:
                    break
                if self._ask_next[number] == at:
                    self._ask(at)
            elif given is not None and what == _NOTICED:
                self._notice(number, given, at)
            elif given is not None:
                self._archived(given, at)
        self._progress(self._done, total)

    def _ask(self, at: float) -> None:
        """Ask at all deployments that are to be asked at this instant."""
        asked = [number for number, when in enumerate(self._ask_next) if when <= at]
        for number in asked:
            self._ask_next[number] = float("inf")
        while self._answers and self._answers[0] <= at:
            heappop(self._answers)
        found = self.book.ask([self.desks[number] for number in asked], at, self._steps - len(self._answers))
        for desk, given in found.admitted:
            number = self._numbers[desk.name]
            work = self.book.batches[given.batch].work
            kind = work.kind_of(given.place)
            course = self._courses[number][given.batch][kind]
            self.tallies[given.batch].create(desk.name, kind, given.price, at)
            heappush(self._events, (at + course.noticed, _NOTICED, number, given))
            heappush(self._answers, at + course.answered)
            self._in_flight += 1
            self._created_at = at
            self.peak = max(self.peak, self._in_flight)
            self.peaks[desk.name] = max(self.peaks[desk.name], desk.used)
        for number in asked:
            self._heed(number, found.gates[self.desks[number].name], at)

    def _heed(self, number: int, told: Gate, at: float) -> None:
        """What stops a deployment, and when to ask it again."""
        desk, gate, again = self.desks[number], told.gate, told.at
        if gate == "none":  # no hand is free before the next create is answered
            gate, again = "steps", self._answers[0]
        self._by_clock[number] = gate in ("rate", "steps")
        if gate == "empty" or not self.book.waits(desk):
            self.holds.end(desk.name, at)
            return
        self.holds.begin(desk.name, gate, at)
        if again is not None:
            self._ask_at(number, again)

    def _ask_at(self, number: int, at: float) -> None:
        if at < self._ask_next[number]:
            self._ask_next[number] = at
            heappush(self._events, (at, _ASK, number, None))

    def _notice(self, number: int, given: Admitted, at: float) -> None:
        """A look finds it finished: its slot is free, and its video waits for a hand, the first to expire first."""
        desk = self.desks[number]
        course = self._course(number, given)
        expires_at = at - course.noticed + course.answered + desk.deployment.retention_s * 1000
        self.book.finish(desk, given, expires_at)
        self._in_flight -= 1
        heappush(self._ready, (expires_at, at, number, given))
        self._archive(at)
        for sharer, other in enumerate(self.desks):
            if other.meter is desk.meter and not self._by_clock[sharer] and self.book.waits(other):
                self._ask_at(sharer, at)

    def _archived(self, given: Admitted, at: float) -> None:
        self._hands += 1
        self._done += 1
        self.tallies[given.batch].archive(at)
        self._archive(at)

    def _archive(self, at: float) -> None:
        """Give what waits to the hands that are free."""
        while self._hands and self._ready:
            expires_at, _, number, given = heappop(self._ready)
            if expires_at < at:
                self._done += 1
                self.tallies[given.batch].expired += 1
                continue
            self._hands -= 1
            heappush(self._events, (at + self._course(number, given).archiving, _ARCHIVED, number, given))

    def _course(self, number: int, given: Admitted) -> Course:
        return self._courses[number][given.batch][self.book.batches[given.batch].work.kind_of(given.place)]


def _courses(
    work: Workload, deployment: Deployment, timings: Mapping[tuple[str, str, int], Timing]
) -> dict[int, Course]:
    """By number of the kind, for those that the deployment serves. Only the videos API tells how far a job is."""
    courses = {}
    for number, (model, size, seconds) in enumerate(work.kinds):
        if model == deployment.model:
            timing = timings[deployment.name, size, seconds]
            tells = deployment.api == "videos"
            looked_s = noticed_after(deployment.poll, timing.render_s, tells_progress=tells, renders=timing.renders)
            answered = timing.create_s * 1000
            courses[number] = Course(answered, answered + looked_s * 1000, timing.archive_s * 1000)
    return courses
