"""What a plan warns of: sentences about what may come otherwise, or not at all."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping

from orchestrator.admission.timings import Timing
from orchestrator.clock import local
from orchestrator.planning.desk import Desk
from orchestrator.planning.hours import Hours
from orchestrator.planning.simulation import Simulation
from orchestrator.settings import AUTO_START
from orchestrator.video_models import model_table
from orchestrator.video_models.prices import usd


def cautions(
    simulation: Simulation, number: int, timings: Mapping[tuple[str, str, int], Timing], now: float
) -> tuple[str, ...]:
    """Of one simulated batch. `now` in Unix seconds."""
    tally, work = simulation.tallies[number], simulation.book.batches[number].work
    used = [desk for desk in simulation.desks if desk.name in tally.last_at]
    found = [*_unmade(simulation, number), *_windows(simulation, number, used)]
    for desk in used:
        found += [*_retired(desk, tally.last_at[desk.name] / 1000, now), *_learned(desk)]
    if tally.expired:
        found.append(
            f"{tally.expired} videos are deleted by the provider before it is their turn to be archived: "
            "start more workers"
        )
    held_by_budget = any(gate == "budget" for _, gate in simulation.holds.total)
    if held_by_budget and tally.creates.total() == len(work):
        found.append(
            "the budget of a day or a month is spent before all is made: dailies run ends then, and a worker, or the "
            "same command, goes on when the next one begins"
        )
    found += _unknown(simulation, number, used)
    for desk in used:
        kinds = [kind for kind in work.kinds if kind.model == desk.deployment.model]
        times_there = [timings[desk.name, kind.size, kind.seconds] for kind in kinds]
        seconds = sorted({timing.render_s for timing in times_there if not timing.learned})
        if seconds:
            times = " to ".join(f"{s:g}" for s in dict.fromkeys((seconds[0], seconds[-1])))
            found.append(
                f"{desk.name}: render times are assumed ({times} s a video), since too few were seen there: "
                "all times here are as good as that"
            )
    return tuple(found)


def _unmade(simulation: Simulation, number: int) -> Iterator[str]:
    """Items that are never created, and why."""
    book, tally = simulation.book, simulation.tallies[number]
    ledger = book.batches[number]
    work = ledger.work
    served = {desk.deployment.model for desk in simulation.desks}
    models: dict[str, int] = {}
    for kind, count in work.counts().items():
        if kind.model not in served:
            models[kind.model] = models.get(kind.model, 0) + count
    for model, count in models.items():
        yield f"no deployment serves {model}: {count} items are not rendered"
    made = tally.creates.total()
    left = len(work) - made - sum(models.values())
    if book.is_short(number, simulation.desks):
        yield f"the budget of ${usd(ledger.budget or 0):,.2f} stops it after {made} of {len(work)} items"
    elif left > 0 and ledger.hours is not None and ledger.hours.over:
        yield f"its window is reckoned for a year: {left} items still wait then, until it is submitted again"
    elif left > 0:
        yield f"{left} items are never created: one costs more than the budget of a day or a month"


def _windows(simulation: Simulation, number: int, used: list[Desk]) -> Iterator[str]:
    """Creates that do not end in the first of the hours that they may start in."""
    ledger, tally = simulation.book.batches[number], simulation.tallies[number]
    windows: list[tuple[str, Hours | None, object]] = [("its window", ledger.hours, ledger.work.window)]
    windows += [(f"the window of {desk.name}", desk.hours, desk.deployment.window) for desk in used]
    for whose, hours, window in windows:
        if hours is not None and hours.used > 1 and hours.first_end is not None and tally.last_create is not None:
            yield (
                f"creates do not end within {whose} ({window}) that ends at {local(hours.first_end / 1000)}: "
                f"it takes {hours.used} of them, until {local(tally.last_create / 1000)}"
            )


def _retired(desk: Desk, last_create: float, now: float) -> Iterator[str]:
    """Creates after the day on which the provider retires the model."""
    deployment = desk.deployment
    found = model_table.retirement(deployment.model, deployment.endpoint)
    if found is None:
        return
    retired = dt.datetime.combine(found.date, dt.time(), dt.UTC).timestamp()
    who = {"azure": "Azure", "openai": "OpenAI"}[found.at]
    if last_create >= retired:
        was = "was to be" if now >= retired else "is to be"
        yield (
            f"{desk.name}: {deployment.model} {was} retired by {who} on {found.date}: creates from then on "
            f"may be refused ({found.source})"
        )


def _learned(desk: Desk) -> Iterator[str]:
    """Where the pace reckoned with is not the configured one, or nobody knows yet what is allowed."""
    quota, learned = desk.deployment.quota, desk.meter.learned
    if quota.auto and learned.slots is None:
        yield (
            f"{desk.name}: how many videos may be in the making at once is found out as it goes, and {AUTO_START} are "
            "reckoned with: it may be done much sooner"
        )
    if learned.slots is not None and quota.own_concurrent is not None and learned.slots < quota.own_concurrent:
        yield f"{desk.name}: it refused more than {learned.slots} at once, so that is reckoned with"
    if learned.per_minute is not None and learned.per_minute < (quota.own_per_minute or float("inf")):
        yield f"{desk.name}: it refused more than {learned.per_minute:.3g} a minute, so that is reckoned with"


def _unknown(simulation: Simulation, number: int, used: list[Desk]) -> Iterator[str]:
    """What nobody knows of a model: what it costs, and what it can make."""
    book = simulation.book
    work = book.batches[number].work
    for desk in used:
        model = desk.deployment.model
        sizes = {
            kind.size
            for n, kind in enumerate(work.kinds)
            if kind.model == model and book.price_of_kind(desk, number, n) is None
        }
        if sizes:
            yield (
                f"{desk.name}: the price of {model} at {', '.join(sorted(sizes))} is not known and not in the cost: "
                "set price_per_second_usd"
            )
        rule = desk.deployment.model_rule()
        if rule.sizes is None or rule.seconds is None:
            what = " and ".join(name for name in ("sizes", "seconds") if getattr(rule, name) is None)
            yield f"{desk.name}: what {model} can make is not known here, so {what} are unchecked: set limits"
