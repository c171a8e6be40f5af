"""The admission controller: who may create now, held to each deployment's quota by one script.

A deployment's rate is a token bucket kept a little slower than the provider's own, because what counts is when
requests arrive there: a create that reaches it 30 ms early after one that was 40 ms late must not be the one too
many. Creates are paced twice: when they are admitted, and again right before they leave (`lua/intend.lua`).
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from orchestrator.periods import limits, next_hours
from orchestrator.prices import micro
from orchestrator.records import Claim
from orchestrator.settings import NO_BUDGETS, Budgets, Deployment
from orchestrator.store import Store, log

#: How much slower than the quota creates are admitted, and sent.
ADMIT_MARGIN = 1.025
SEND_MARGIN = 1.015
#: How far a create may be ahead of its even pace when it leaves; the margin makes up for it in any window of 10 s.
SEND_SLACK_S = 0.05
#: How often the hours and days of local time are reckoned anew (seconds); they reach days ahead.
TELL_AGAIN_S = 3600.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What admission gave, and what stopped the next one.

    gate            none (asked for no more), empty, rate, slot, budget, cooling, stopped, archive or window
    ask_again_in_s  exact where a clock decides; None: when something changes. With gate budget or window a change may
                    come before: a batch, or a budget that a person raises
    """

    admitted: tuple[Claim, ...]
    gate: str
    ask_again_in_s: float | None


def scope(deployment: Deployment) -> str:
    """Names the listing that a deployment's remote jobs appear in: those of one resource share it."""
    if deployment.auth.sandbox:
        return f"sandbox-{deployment.api}"  # its port differs from run to run, its jobs do not
    place = f"{deployment.endpoint.rstrip('/').lower()} {deployment.api}"
    return hashlib.sha256(place.encode()).hexdigest()[:16]


def local_time(deployment: Deployment, budgets: Budgets, now: float) -> dict[str, object]:
    """The hours in which a deployment may be asked, and the limits of these days and months."""
    return {
        "window": False if deployment.window is None else next_hours(deployment.window, now),
        "budgets": limits(budgets, now),
    }


def interval_s(deployment: Deployment) -> float:
    """Seconds between two creates at the quota's own pace; 0 without such a limit."""
    return 60 / deployment.quota.per_minute if deployment.quota.per_minute else 0.0


def pace(deployment: Deployment) -> dict[str, object]:
    """The second gate's arguments, for `Store.intend`."""
    return {
        "interval_ms": interval_s(deployment) * SEND_MARGIN * 1000,
        "burst": deployment.quota.burst,
        "slack_ms": SEND_SLACK_S * 1000,
    }


class Admission:
    """Asks for the next items of one deployment. Correct with any number of askers: the script decides."""

    def __init__(
        self,
        store: Store,
        deployment: Deployment,
        *,
        budgets: Budgets = NO_BUDGETS,
        batches: Sequence[str] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`batches`: admit only these (`run` does its own manifests' only); None is any.

        `clock` (Unix seconds) says which hours and days to tell the script of; the script's own decides.
        """
        quota = deployment.quota
        own_price = deployment.price_per_second_usd
        self.deployment = deployment
        self._store, self._budgets, self._clock = store, budgets, clock
        self._local_time: dict[str, object] = {}
        self._tell_again_at = float("-inf")
        self._request: dict[str, object] = {
            "model": deployment.model,
            "scope": scope(deployment),
            "interval_ms": interval_s(deployment) * ADMIT_MARGIN * 1000,
            "burst": quota.burst,
            "concurrent": -1 if quota.concurrent is None else quota.concurrent,
            "price_per_s": "" if own_price is None else micro(own_price),
            "batches": False if batches is None else list(batches),
        }

    async def ask(self, most: int, *, allowance_s: float) -> Answer:
        """Admit up to `most` items; each is due again after `allowance_s` unless its create step moves it on."""
        if self._clock() >= self._tell_again_at:
            self._local_time = local_time(self.deployment, self._budgets, self._clock())
            self._tell_again_at = self._clock() + TELL_AGAIN_S
        request = {**self._request, **self._local_time, "most": most, "allowance_ms": round(allowance_s * 1000)}
        gate, in_ms, *admitted = await self._store.scripts.run(
            "admit", self.deployment.name, request
        )
        claims = tuple(Claim.parse([b"create", *raw]) for raw in admitted)
        for claim in claims:
            log.info(
                "item.admitted",
                batch=claim.ref.batch,
                key=claim.ref.item,
                deployment=self.deployment.name,
                attempt=claim.attempt,
            )
        return Answer(claims, gate.decode(), None if in_ms < 0 else in_ms / 1000)
