"""What may still be spent, with the virtual clock: by a batch, in a day and in a month."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from orchestrator.ledger.periods import limits, year_of_hours
from orchestrator.planning.hours import Hours
from orchestrator.planning.workload import Workload
from orchestrator.settings import Budgets, Deployment
from orchestrator.video_models.prices import dearest, micro


class Periods:
    """The budgets of day and month. Money in micro-dollars, instants in milliseconds."""

    def __init__(self, budgets: Budgets, spent: Mapping[str, int] = MappingProxyType({})) -> None:
        """`spent`: of which period how much is spent or bound already, by its id."""
        self._budgets = budgets
        self._spent: defaultdict[str, int] = defaultdict(int, spent)
        self._now: list[tuple[str, int, int]] = []
        self._names: tuple[str, ...] = ()
        self._until = float("-inf") if budgets else float("inf")

    def current(self, now: float) -> tuple[str, ...]:
        """The ids of those that hold now."""
        if now >= self._until:
            self._now = [_period(budget, now) for budget in limits(self._budgets, now / 1000)]
            self._until = min(until for _, _, until in self._now)
            self._names = tuple(name for name, _, _ in self._now)
        return self._names

    def broken_by(self, price: int | None, now: float) -> int | None:
        """When the first budget ends that a price would break (an unknown one breaks any); None where it fits."""
        self.current(now)
        for name, limit, until in self._now:
            if price is None or self._spent[name] + price > limit:
                return until
        return None

    def spend(self, price: int, names: tuple[str, ...]) -> None:
        """Take it out of these; a negative one gives it back."""
        for name in names:
            self._spent[name] += price


def _period(budget: dict[str, Any], now: float) -> tuple[str, int, int]:
    (name, until), *_ = [(name, until) for name, begin, until in budget["periods"] if begin <= now < until]
    return name, budget["limit"], until


class Ledger:
    """One batch as admission knows it: what it may spend, when it is open, what its items cost."""

    def __init__(self, work: Workload, deployments: Sequence[Deployment], now: float) -> None:
        self.work = work
        self.budget = None if work.budget_usd is None else micro(work.budget_usd)
        self.spent = micro(work.spent_usd)
        self.hours = None if work.window is None else Hours(year_of_hours(work.window, now))
        self.listed = [dearest(deployments, *kind, pin) for kind, pin in zip(work.kinds, work.pins, strict=True)]
        self.waiting = len(work)

    def opens_at(self, now: float) -> float | None:
        """Since or from when its window is open; None when that is over."""
        return 0.0 if self.hours is None else self.hours.opens_at(now)

    def broken_by(self, price: int | None) -> bool:
        """Whether a price is more than the batch may spend."""
        return self.budget is not None and (price is None or self.spent + price > self.budget)
