"""Admission with a virtual clock: the rules of `lua/admit.lua` in plain Python, for plans and as their reference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from orchestrator.planning.accounts import Ledger, Periods
from orchestrator.planning.desk import Desk, Gate
from orchestrator.planning.lanes import Lane
from orchestrator.planning.remixes import Remixes
from orchestrator.planning.turns import Turns
from orchestrator.planning.workload import Workload
from orchestrator.settings import NO_BUDGETS, Budgets, Deployment

#: Nothing stopped it: no more was asked for.
OPEN = Gate("none", None)


class Admitted(NamedTuple):
    """An item that holds a slot: its batch's number, its place there, and what was taken from which budgets."""

    batch: int
    place: int
    price: int
    periods: tuple[str, ...]


class Round(NamedTuple):
    """What was given, in order, and what stopped the next one of each deployment that was asked, by its name."""

    admitted: list[tuple[Desk, Admitted]]
    gates: dict[str, Gate]


class Book:
    """The waiting items of some batches, and who may be admitted. Instants in milliseconds, money in micro-dollars."""

    def __init__(
        self,
        deployments: Sequence[Deployment],
        *,
        now: float,
        budgets: Budgets = NO_BUDGETS,
        spent: Mapping[str, int] = MappingProxyType({}),
    ) -> None:
        """`now` in Unix seconds: from when on windows are reckoned. `spent`: of each period's budget, by its id."""
        self._deployments, self._now = deployments, now
        self._periods = Periods(budgets, spent)
        self._lanes: dict[str, Lane] = {}
        self._numbers: dict[str, int] = {}
        self._remixes = Remixes()
        self._turns = Turns()
        self.batches: list[Ledger] = []

    def submit(self, work: Workload) -> None:
        """Queue a batch. Its remixes are parked until what they are made from is there."""
        number = self._numbers[work.batch] = len(self.batches)
        self.batches.append(Ledger(work, self._deployments, self._now))
        sources = work.sources()
        self._remixes.park(number, sources)
        lanes = [self._lane(work.lane_of(number)) for number in range(len(work.kinds))]
        queues = [lane.queue(work.batch) for lane in lanes]
        for place in work:
            if place not in sources:
                queues[work.kind_of(place)].put(work.priority_of(place), place)
        for lane in lanes:
            lane.index(work.batch, work.priority)

    def ask(self, desks: Sequence[Desk], now: float, most: int) -> Round:
        """Admit up to `most` items at these deployments, as the script would at this instant."""
        admitted: list[tuple[Desk, Admitted]] = []
        gates: dict[str, Gate] = {}
        while len(admitted) < most:
            tats: dict[str, float] = {}
            for desk in desks:
                if desk.name not in gates:
                    found = desk.gate(now)
                    if isinstance(found, Gate):
                        gates[desk.name] = found
                    else:
                        tats[desk.name] = found
            room = [desk for desk in desks if desk.name in tats]
            if not room:
                break
            desk = self._turns.next(room)
            given = self._next(desk, now)
            if isinstance(given, Gate):
                gates[desk.name] = given
                continue
            if len(room) > 1:
                self._turns.take(desk)
            desk.take(tats[desk.name])
            admitted.append((desk, given))
        return Round(admitted, {desk.name: gates.get(desk.name, OPEN) for desk in desks})

    def waits(self, desk: Desk) -> bool:
        """Whether there is anything that the deployment could take."""
        pinned, model = desk.lanes
        return bool(self._lanes.get(model) or self._lanes.get(pinned))

    def finish(self, desk: Desk, given: Admitted, expires_at: float) -> None:
        """The remote job has ended with a video, which is kept until then (ms): its slot is free, and what is made from
        it may be admitted there."""
        desk.give_back()
        for place in self._remixes.release(given.batch, given.place, desk.lanes[0], expires_at):
            self._enqueue(given.batch, place)

    def give_back(self, desk: Desk, given: Admitted) -> None:
        """It was not sent: it waits again, with its money."""
        desk.give_back()
        ledger = self.batches[given.batch]
        ledger.spent -= given.price
        ledger.waiting += 1
        self._periods.spend(-given.price, given.periods)
        self._enqueue(given.batch, given.place)

    def _next(self, desk: Desk, now: float) -> Admitted | Gate:
        """Take the first item whose batch may run here and can pay for it; without one, why, and when that ends."""
        if given := self._hurried(desk, now):
            return given
        gate, ends_at = "empty", None
        lanes, in_turn = self._lanes_of(desk)
        for name in lanes:
            for batch in self._lanes.get(name, ()):
                barred = "window"
                number = self._numbers[batch]
                ledger = self.batches[number]
                at = ledger.opens_at(now)
                if at is not None and at <= now:
                    place = self._lanes[name].head(batch)
                    price = self.price_of_kind(desk, number, ledger.work.kind_of(place))
                    at = self._periods.broken_by(price, now)
                    if not ledger.broken_by(price) and at is None:
                        if in_turn:
                            desk.took_pinned = name != desk.model
                        return self._take(self._lanes[name], number, place, price or 0, now)
                    barred, at = "budget", None if ledger.broken_by(price) else at
                gate = gate if gate == "budget" else barred
                ends_at = min(filter(None, (ends_at, at)), default=None)
        return Gate(gate, ends_at)

    def _hurried(self, desk: Desk, now: float) -> Admitted | None:
        """The first remix whose source is deleted soon, and that may be made now."""
        own = desk.lanes[0]
        for batch, number, place in self._remixes.hurried(own, now):
            ledger = self.batches[number]
            opens_at, price = ledger.opens_at(now), self.price_of_kind(desk, number, ledger.work.kind_of(place))
            payable = not ledger.broken_by(price) and self._periods.broken_by(price, now) is None
            if opens_at is not None and opens_at <= now and payable:
                self._lanes[own].queue(batch).put_first(ledger.work.priority_of(place), place)
                return self._take(self._lanes[own], number, place, price or 0, now)
        return None

    def _lanes_of(self, desk: Desk) -> tuple[Sequence[str], bool]:
        """Its lanes, the one to look in first: the more urgent, else a remix, else each in turn (then True)."""
        own, model = desk.lanes
        mine, theirs = self._lanes.get(own), self._lanes.get(model)
        if not mine or not theirs:
            return desk.lanes, False
        if mine.urgency != theirs.urgency:
            return desk.lanes if mine.urgency > theirs.urgency else (model, own), False
        first = next(iter(mine))
        if self._remixes.lane_of(self._numbers[first], mine.head(first)):
            return desk.lanes, False
        return (model, own) if desk.took_pinned else desk.lanes, True

    def _take(self, lane: Lane, number: int, place: int, price: int, now: float) -> Admitted:
        ledger = self.batches[number]
        self._remixes.take(ledger.work.batch, number, place)
        lane.take(ledger.work.batch, ledger.work.priority, ledger.work.weight)
        if ledger.hours:
            ledger.hours.use()
        periods = self._periods.current(now)
        self._periods.spend(price, periods)
        ledger.spent += price
        ledger.waiting -= 1
        return Admitted(number, place, price, periods)

    def is_short(self, number: int, desks: Sequence[Desk]) -> bool:
        """Whether an item of a batch is next somewhere, and costs more than the batch may still spend wherever it could
        be made."""
        ledger = self.batches[number]
        for name, lane in self._lanes.items():
            serving = [desk for desk in desks if name in desk.lanes]
            if serving and ledger.work.batch in set(lane):
                kind = ledger.work.kind_of(lane.head(ledger.work.batch))
                if all(ledger.broken_by(self.price_of_kind(desk, number, kind)) for desk in serving):
                    return True
        return False

    def price_of_kind(self, desk: Desk, number: int, kind: int) -> int | None:
        """What a kind of item costs at a deployment, in micro-dollars; None where nobody knows."""
        ledger = self.batches[number]
        if desk.own_price is not None:
            return desk.own_price * ledger.work.kinds[kind].seconds
        return ledger.listed[kind]

    def _enqueue(self, number: int, place: int) -> None:
        work = self.batches[number].work
        lane = self._lane(self._remixes.lane_of(number, place) or work.lane_of(work.kind_of(place)))
        self._remixes.wait(work.batch, number, place)
        lane.queue(work.batch).put(work.priority_of(place), place)
        lane.index(work.batch, work.priority)

    def _lane(self, name: str) -> Lane:
        return self._lanes.setdefault(name, Lane())
