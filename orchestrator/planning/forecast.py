"""The forecast: what comes of some batches under the configured quotas, windows and budgets, and when."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from orchestrator.admission.timings import Timing
from orchestrator.planning.cautions import cautions
from orchestrator.planning.desk import Learned
from orchestrator.planning.shares import Share, shares
from orchestrator.planning.simulation import Progress, Simulation
from orchestrator.planning.tally import BatchTally
from orchestrator.planning.workload import Workload
from orchestrator.settings import NO_BUDGETS, Budgets, Deployment
from orchestrator.video_models.prices import usd

HOUR_S = 3600


@dataclass(frozen=True, slots=True)
class BudgetStop:
    """The batch's budget does not reach: after `items` creates, the last at `at` (Unix seconds), `left` still wait."""

    items: int
    left: int
    at: int | None


@dataclass(frozen=True, slots=True)
class Forecast:
    """What comes of one batch. Instants are Unix seconds; None: it does not come to that.

    - `items`: those that are still to be rendered; `archived`: those of them that are archived in the end
    - `peak_in_flight`: slots held at once, by this batch and those that were planned with it; `peaks`: by deployment
    - `bottleneck`: the quota that held creates longest, None where none did; `held`: for which share of the time until
      the last create
    - `shares`: items and cost by model and deployment
    """

    batch: str
    items: int
    archived: int
    creates_start_at: int | None
    creates_end_at: int | None
    archived_by_at: int | None
    peak_in_flight: int
    peaks: Mapping[str, int]
    bottleneck: str | None
    held: float
    shares: tuple[Share, ...]
    budget_stop: BudgetStop | None
    warnings: tuple[str, ...]
    _tally: BatchTally = field(repr=False, compare=False)

    def archived_by(self, instant: float) -> int:
        """How many of the videos are archived at an instant."""
        return self._tally.archived_by(instant)

    def hours(self) -> Iterator[tuple[int, int]]:
        """Each full hour by which more videos are archived than by the one before, and how many."""
        first = self._tally.first_archived
        if first is None or self.archived_by_at is None:
            return
        before = 0
        for hour in range(math.ceil(first / 1000 / HOUR_S), math.ceil(self.archived_by_at / HOUR_S) + 1):
            count = self.archived_by(hour * HOUR_S)
            if count > before:
                yield hour * HOUR_S, count
            before = count

    def document(self) -> dict[str, Any]:
        """Its part of `plan --json`."""
        stop = self.budget_stop
        return {
            "creates_start_at": self.creates_start_at,
            "creates_end_at": self.creates_end_at,
            "archived_by_at": self.archived_by_at,
            "archived": self.archived,
            "peak_in_flight": self.peak_in_flight,
            "bottleneck": self.bottleneck,
            "held": round(self.held, 3),
            "deployments": [share.document() for share in self.shares],
            "hours": [{"at": at, "archived": count} for at, count in self.hours()],
            "budget_stop": stop and {"items": stop.items, "left": stop.left, "at": stop.at},
            "warnings": list(self.warnings),
        }


def forecast(
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
) -> tuple[Forecast, ...]:
    """What comes of each of some batches that start together at `now` (Unix seconds), with nothing else going on.

    `timings` as `orchestrator.admission.timings.timings` answers for the kinds in `works`; `spent`, of the budgets of
    days and months, as `orchestrator.ledger.views.spent` does; `learned`, by the deployment's name, what its refusals
    taught so far; `progress` is told how many of all items are done, now and then. A million items take some ten
    seconds.
    """
    simulation = Simulation(
        works,
        deployments,
        timings,
        now=now,
        workers=workers,
        budgets=budgets,
        spent=spent,
        learned=learned,
        progress=progress,
    )
    simulation.run()
    return tuple(_forecast(simulation, number, timings, budgets, now) for number in range(len(works)))


def _forecast(
    simulation: Simulation,
    number: int,
    timings: Mapping[tuple[str, str, int], Timing],
    budgets: Budgets,
    now: float,
) -> Forecast:
    ledger, tally = simulation.book.batches[number], simulation.tallies[number]
    work = ledger.work
    stop = None
    if simulation.book.is_short(number, simulation.desks):
        made = tally.creates.total()
        stop = BudgetStop(made, len(work) - made, _seconds(tally.last_create))
    bottleneck, held = _bottleneck(simulation, tally, budgets, now)
    if stop is not None:
        bottleneck, held = f"budget of {work.batch} (${usd(ledger.budget or 0):,.2f})", 1.0
    return Forecast(
        batch=work.batch,
        items=len(work),
        archived=tally.archived,
        creates_start_at=_seconds(tally.first_create),
        creates_end_at=_seconds(tally.last_create),
        archived_by_at=_seconds(tally.last_archived),
        peak_in_flight=simulation.peak,
        peaks=simulation.peaks,
        bottleneck=bottleneck,
        held=held,
        shares=shares(simulation, number),
        budget_stop=stop,
        warnings=cautions(simulation, number, timings, now),
        _tally=tally,
    )


def _bottleneck(simulation: Simulation, tally: BatchTally, budgets: Budgets, now: float) -> tuple[str | None, float]:
    """What held creates longest, in words; of several that did about as long, the one where most are created."""
    if not simulation.holds.total or tally.last_create is None:
        return None, 0.0
    longest = max(simulation.holds.total.values())
    made = tally.creates_by_deployment()
    as_long = [hold for hold in simulation.holds.total.items() if hold[1] >= 0.99 * longest]
    (name, gate), held = max(as_long, key=lambda hold: made[hold[0][0]])
    (desk,) = (desk for desk in simulation.desks if desk.name == name)
    meter, window = desk.meter, desk.deployment.window
    owner = desk.deployment.quota.shared_as or name
    batches = ", ".join(sorted({f"{b.work.window}" for b in simulation.book.batches if b.work.window}))
    limits = {"day": budgets.day_usd, "month": budgets.month_usd}
    words = {
        "rate": f"rate of {owner} ({meter.per_minute:g} a minute)",
        "slot": f"slots of {owner} ({meter.slots:g} at once)",
        "window": f"window of {name} ({window})" if window else f"window of the batch ({batches})",
        "steps": "hands of the workers: start more of them",
        "budget": ", ".join(f"budgets.{period}_usd (${limit:,.2f})" for period, limit in limits.items() if limit),
    }
    span = tally.last_create - now * 1000
    return (words[gate], min(held / span, 1.0)) if held > 0 and span > 0 else (None, 0.0)


def _seconds(at: float | None) -> int | None:
    return None if at is None else math.ceil(at / 1000)
