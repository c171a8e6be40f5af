"""For how long what a worker claims is its own, and how many looks it may cost."""

from __future__ import annotations

from collections.abc import Sequence

from orchestrator.admission.dispatcher import Allowances
from orchestrator.admission.looks import ceiling
from orchestrator.settings import Deployment

#: No pause of a step is longer (seconds).
LONGEST_S = 3600.0


def allowances(deployments: Sequence[Deployment], claim_s: float) -> Allowances:
    """What the configuration asks for; nothing is due later than twice the longest time that anything waits for."""
    furthest = max(
        [claim_s]
        + [2 * d.create_timeout_s + d.settle_s for d in deployments]
        + [max(d.poll.first_s, d.poll.every_s, LONGEST_S) for d in deployments]
    )
    return Allowances(claim_s, 2 * furthest, {d.name: ceiling(d.poll.most_per_s) for d in deployments})
