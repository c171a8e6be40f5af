"""The admission controller: who may create now, held to each deployment's quota by one script.

A deployment's rate is a token bucket kept a little slower than the provider's own, because what counts is when
requests arrive there: a create that reaches it 30 ms early after one that was 40 ms late must not be the one too
many. Creates are paced twice: when they are admitted, and again right before they leave (`lua/intend.lua`). What
refusals teach of a quota is kept with it (`lua/shared/quota.lua`).
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass

from orchestrator.ledger.periods import limits, next_hours
from orchestrator.ledger.records import Claim
from orchestrator.ledger.store import Store, log
from orchestrator.settings import NO_BUDGETS, Budgets, Deployment
from orchestrator.video_models.prices import micro

#: How much slower than the quota creates are admitted, and sent.
ADMIT_MARGIN = 1.02
SEND_MARGIN = 1.015
#: How far a create may be ahead of its even pace when it leaves; the margin makes up for it in any window of 10 s.
SEND_SLACK_S = 0.05
#: And when it is admitted, so that a late question is caught up with: at most, and as a part of the interval.
ADMIT_SLACK_S, ADMIT_SLACK = 0.25, 0.25
#: How often the hours and days of local time are reckoned anew (seconds); they reach days ahead.
TELL_AGAIN_S = 3600.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What admission gave at one deployment, and what stopped the next one there.

    gate            none (asked for no more), empty, rate, slot, budget, cooling, stopped, paused, recovering, archive
                    or window
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


def interval_s(deployment: Deployment) -> float:
    """Seconds between two creates at the quota's own pace, without what is reserved; 0 without such a limit."""
    per_minute = deployment.quota.own_per_minute
    return 60 / per_minute if per_minute else 0.0


def admit_slack_ms(interval_ms: float) -> float:
    """How far ahead of its even pace a create may be admitted."""
    return min(ADMIT_SLACK_S * 1000, ADMIT_SLACK * interval_ms)


def pace(deployment: Deployment) -> dict[str, object]:
    """The second gate's arguments, for `Store.intend`."""
    return {
        "interval_ms": interval_s(deployment) * SEND_MARGIN * 1000,
        "burst": deployment.quota.burst,
        "slack_ms": SEND_SLACK_S * 1000,
        "margin": SEND_MARGIN,
    }


def sharers(deployment: Deployment, serving: Iterable[Deployment]) -> list[str]:
    """The names of the deployments that draw on the same quota, its own among them."""
    shared_as = deployment.quota.shared_as
    others = {other.name for other in serving if shared_as and other.quota.shared_as == shared_as}
    return sorted(others | {deployment.name})


def facts(deployment: Deployment, serving: Iterable[Deployment], now: float) -> dict[str, object]:
    """A deployment as the scripts are told of it: with the hours in which it may be asked, reckoned from `now` (Unix
    seconds) on, and with all of those configured (`serving`) that draw on its quota."""
    quota, own_price = deployment.quota, deployment.price_per_second_usd
    slots, per_minute = quota.own_concurrent, quota.own_per_minute
    return {
        "name": deployment.name,
        "model": deployment.model,
        "scope": scope(deployment),
        "quota": quota.shared_as,
        "interval_ms": interval_s(deployment) * ADMIT_MARGIN * 1000,
        "burst": quota.burst,
        "concurrent": "auto" if quota.auto else "" if slots is None else str(slots),
        "per_minute": "" if per_minute is None else str(per_minute),
        "price_per_s": "" if own_price is None else micro(own_price),
        "margin": ADMIT_MARGIN,
        "slack": [ADMIT_SLACK_S * 1000, ADMIT_SLACK],
        "window": False if deployment.window is None else next_hours(deployment.window, now),
        "weight": deployment.weight,
        "order": deployment.order,
        "members": sharers(deployment, serving),
    }


class Admission:
    """Asks for the next items of some deployments. Correct with any number of askers: the script decides."""

    def __init__(
        self,
        store: Store,
        deployments: Sequence[Deployment],
        *,
        budgets: Budgets = NO_BUDGETS,
        batches: Sequence[str] | None = None,
        archives: bool = True,
        guarded: bool = False,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`batches`: admit only these (`run` does its own manifests' only); None is any. `guarded`: whoever asks also
        looks through the lists of jobs after Redis began anew, and from now on nothing is admitted before.

        `archives`: whoever asks archives too, so that what is made has somebody to fetch it.

        `clock` (Unix seconds) says which hours and days to tell the script of; the script's own decides.
        """
        self.deployments = tuple(deployments)
        self._store, self._budgets, self._clock = store, budgets, clock
        self._batches, self._guarded = False if batches is None else list(batches), guarded
        self._archives = archives
        self._told: dict[tuple[str, ...], str] = {}
        self._tell_again_at = float("-inf")

    async def ask(self, most: int, *, allowance_s: float, among: Collection[str] | None = None) -> dict[str, Answer]:
        """Admit up to `most` items, in one round trip; each is due again after `allowance_s` unless its create step
        moves it on. `among`: the deployments to ask, by name; None is all. The answers are by deployment."""
        request = self._request(tuple(d.name for d in self.deployments if among is None or d.name in among))
        gates, admitted = await self._store.scripts.run("admit", most, round(allowance_s * 1000), request)
        claims: dict[str, list[Claim]] = {}
        told = log.bind() if admitted else log  # each line of an unbound one would be bound anew
        for deployment, *raw in admitted:
            name, claim = deployment.decode(), Claim.parse([b"create", *raw])
            claims.setdefault(name, []).append(claim)
            told.info(
                "item.admitted",
                batch=claim.ref.batch,
                key=claim.ref.item,
                deployment=name,
                attempt=claim.attempt,
            )
        return {
            name: Answer(tuple(claims.get(name, ())), gate.decode(), None if in_ms < 0 else in_ms / 1000)
            for name, gate, in_ms in ((raw.decode(), *rest) for raw, *rest in gates)
        }

    def _request(self, names: tuple[str, ...]) -> str:
        """What the script is told of these deployments, as JSON: written once an hour, not at each question."""
        now = self._clock()
        if now >= self._tell_again_at:
            self._told.clear()
            self._tell_again_at = now + TELL_AGAIN_S
        if names not in self._told:
            told = {
                "deployments": [facts(d, self.deployments, now) for d in self.deployments if d.name in names],
                "budgets": limits(self._budgets, now),
                "batches": self._batches,
                "archives": self._archives,
                "guarded": self._guarded,
            }
            self._told[names] = json.dumps(told)
        return self._told[names]
