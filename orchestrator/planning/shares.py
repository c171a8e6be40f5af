"""Which deployment makes how much of a batch, and for what."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from orchestrator.planning.simulation import Simulation
from orchestrator.video_models.prices import usd


@dataclass(frozen=True, slots=True)
class Share:
    """Items of a model that a deployment makes, and what they cost at its prices, in micro-dollars.

    `unpriced` of them cost nobody knows how much.
    """

    model: str
    deployment: str
    items: int
    cost: int
    unpriced: int

    def document(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "model": self.model,
            "deployment": self.deployment,
            "items": self.items,
            "cost_usd": usd(self.cost) if self.unpriced < self.items else None,
            "unpriced": self.unpriced,
        }


def shares(simulation: Simulation, number: int) -> tuple[Share, ...]:
    """Of a simulated batch: by deployment, in the order of the configuration."""
    tally, book = simulation.tallies[number], simulation.book
    found = []
    for desk in simulation.desks:
        made = Counter({kind: n for (name, kind), n in tally.creates.items() if name == desk.name})
        if made:
            unpriced = sum(n for kind, n in made.items() if book.price_of_kind(desk, number, kind) is None)
            cost = sum(tally.cost[desk.name, kind] for kind in made)
            found.append(Share(desk.deployment.model, desk.name, made.total(), cost, unpriced))
    return tuple(found)
