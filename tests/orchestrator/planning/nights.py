"""Nights to plan, with as few words as possible."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from typing import Any

from orchestrator.admission.timings import Timing
from orchestrator.planning import Forecast, Workload, forecast
from orchestrator.settings import Deployment
from tests.ledger import item

#: A Friday, 20:00 UTC.
NOW = int(dt.datetime(2026, 11, 20, 20, tzinfo=dt.UTC).timestamp())


def work(count: int, *, batch: str = "spring", **more: Any) -> Workload:
    """A batch of so many items of one kind."""
    workload = Workload(batch, **more)
    for n in range(count):
        workload.add(item(f"k{n}"))
    return workload


def plan(
    works: Workload | Iterable[Workload],
    deployments: Deployment | list[Deployment],
    *,
    render_s: float = 60,
    create_s: float = 0,
    archive_s: float = 0,
    renders: dict[str, float] | None = None,
    **more: Any,
) -> tuple[Forecast, ...]:
    """What comes of it, if each video takes so long; `renders`: at that deployment."""
    all_of_it = [works] if isinstance(works, Workload) else list(works)
    serving = [deployments] if isinstance(deployments, Deployment) else deployments
    took = {
        (d.name, kind.size, kind.seconds): Timing((renders or {}).get(d.name, render_s), create_s, archive_s, True)
        for d in serving
        for w in all_of_it
        for kind in w.kinds
        if kind.model == d.model
    }
    return forecast(all_of_it, serving, took, **{"now": NOW, **more})
