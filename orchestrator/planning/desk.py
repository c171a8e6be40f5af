"""Deployments as admission knows them: what keeps the next create of each back, apart from the items.

The rules are those of `lua/shared/desk.lua`. The pace at which creates leave (`lua/intend.lua`) is the same
bucket with a smaller margin: what is admitted at its own pace and sent after it, always as many seconds later, need not
wait there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import NamedTuple

from orchestrator.admission.controller import ADMIT_MARGIN, admit_slack_ms, interval_s
from orchestrator.planning.bucket import pulled_in, take_token
from orchestrator.planning.hours import Hours
from orchestrator.settings import AUTO_START, Deployment
from orchestrator.video_models.prices import micro


class Learned(NamedTuple):
    """What refusals taught of a quota: jobs at once, and creates a minute; None where nothing was learned."""

    slots: int | None = None
    per_minute: float | None = None


NOTHING = Learned()


class Meter:
    """The bucket and the slots of a quota, of one deployment or of those that share it."""

    def __init__(self, deployment: Deployment, learned: Learned) -> None:
        quota = deployment.quota
        limits = [limit for limit in (quota.own_concurrent, learned.slots) if limit is not None]
        self.slots = min(limits) if limits else AUTO_START if quota.auto else float("inf")
        slowest = 60_000 / learned.per_minute * ADMIT_MARGIN if learned.per_minute else 0.0
        self.interval = max(interval_s(deployment) * ADMIT_MARGIN * 1000, slowest)
        self.burst = quota.burst
        self.learned, self.tat, self.used = learned, 0.0, 0

    @property
    def per_minute(self) -> float:
        """The pace as the provider counts it, without our margin; infinite where there is no such limit."""
        return round(60_000 / self.interval * ADMIT_MARGIN, 2) if self.interval else float("inf")


class Gate(NamedTuple):
    """What stopped a deployment's next create, and when (ms) to ask again; None: when something changes.

    The gate is none, empty, rate, slot, budget or window.
    """

    gate: str
    at: float | None


class Desk:
    """One deployment as admission knows it. Desks of one quota have one meter."""

    def __init__(self, deployment: Deployment, meter: Meter, now: float) -> None:
        """`now` in Unix seconds."""
        own = deployment.price_per_second_usd
        self.deployment, self.name, self.meter = deployment, deployment.name, meter
        self.model, self.weight, self.order = deployment.model, deployment.weight, deployment.order
        self.own_price = None if own is None else micro(own)
        self.hours = None if deployment.window is None else Hours.of(deployment.window, now)
        self.lanes = (f"@{deployment.name}", deployment.model)
        self.took_pinned = False
        self.used = 0

    def gate(self, now: float) -> Gate | float:
        """What keeps its next create back; else its bucket once a token is taken."""
        opens_at = 0.0 if self.hours is None else self.hours.opens_at(now)
        if opens_at is None or opens_at > now:
            return Gate("window", opens_at)
        meter = self.meter
        if meter.used >= meter.slots:
            return Gate("slot", None)
        if not meter.interval:
            return meter.tat
        slack = admit_slack_ms(meter.interval)
        tat, at = take_token(meter.tat, now, meter.interval, meter.burst, slack)
        if tat is None:
            meter.tat = pulled_in(meter.tat, now, meter.interval, meter.burst, slack)
        return Gate("rate", at) if tat is None else tat

    def take(self, tat: float) -> None:
        """One more slot is in use."""
        self.used += 1
        self.meter.used += 1
        self.meter.tat = tat
        if self.hours:
            self.hours.use()

    def give_back(self) -> None:
        """A slot is free again."""
        self.used -= 1
        self.meter.used -= 1


def desks(
    deployments: Iterable[Deployment], now: float, learned: Mapping[str, Learned] = MappingProxyType({})
) -> list[Desk]:
    """A desk for each deployment. `learned`: by the deployment's name. `now` in Unix seconds."""
    meters: dict[str, Meter] = {}
    found = []
    for deployment in deployments:
        meter = Meter(deployment, learned.get(deployment.name, NOTHING))
        shared_as = deployment.quota.shared_as
        found.append(Desk(deployment, meters.setdefault(shared_as, meter) if shared_as else meter, now))
    return found
