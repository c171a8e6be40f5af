"""Deployments as a person asks about them: what each may do, does and waits for; and a person's word to them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import structlog

from orchestrator import expiry
from orchestrator.admission.controller import ADMIT_MARGIN, interval_s
from orchestrator.ledger.periods import next_hours
from orchestrator.ledger.records import Fields
from orchestrator.ledger.store import Store
from orchestrator.ledger.views import DeploymentView, recovery_of
from orchestrator.settings import Deployment
from orchestrator.settings.quota import AUTO_START

log = structlog.get_logger("orchestrator.deployments")


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a deployment stands at `now` (Unix seconds).

    deployment          as configured; None: no longer, but something of it is still out
    tokens              creates that could start at once; None without a limit
    slots_used          its remote jobs, and creates that are out; quota_slots_used: those of all who share its quota
    to_fetch            finished videos that are still to be fetched from there
    pinned              items that wait for it alone
    learned_slots, learned_per_minute  what refusals taught, where that is less than was configured, or `auto`
    window_open, window_changes_at     whether creates may start by its own hours, and when that changes
    attended            whether a worker was seen within the last minute: one that left a moment ago was, too
    """

    name: str
    now: float
    deployment: Deployment | None
    view: DeploymentView
    tokens: float | None
    slots_used: int
    quota_slots_used: int
    to_fetch: int
    pinned: int
    learned_slots: int | None
    learned_per_minute: float | None
    window_open: bool
    window_changes_at: float | None
    attended: bool

    @property
    def paused(self) -> bool:
        """Whether a person paused it."""
        return self.view.is_paused(self.now)

    @property
    def cooling(self) -> bool:
        """Whether it rests for a while, by itself or with those that share its quota."""
        return (self.view.cool_until or 0.0) > self.now

    @property
    def next_probe_at(self) -> float | None:
        """When it is asked whether it can be used again: while it is stopped, and nobody paused it."""
        return self.view.probe_at if self.view.stopped and not self.paused else None

    @property
    def slots(self) -> int | None:
        """How many of its quota's slots there are, as far as is known; None without a limit."""
        if self.deployment is None:
            return None
        quota = self.deployment.quota
        known = [n for n in (quota.own_concurrent, self.learned_slots) if n is not None]
        return min(known) if known else AUTO_START if quota.auto else None

    @property
    def left(self) -> int:
        """What is still to be done with it, whatever is paused: jobs in flight and videos to fetch."""
        return self.slots_used + self.to_fetch

    @property
    def drained(self) -> bool:
        """Whether it can be taken out of the configuration: nothing new starts there, and nothing is left."""
        return self.paused and not self.left

    @property
    def state(self) -> str:
        """Why no create starts there, in a word: removed, paused, stopped, recovering, cooling or
        window; else trying or open."""
        if self.deployment is None:
            return "removed"
        if self.paused:
            return "paused"
        if self.view.stopped:
            return "stopped"
        if self.view.recovering:
            return "recovering"
        if self.cooling:
            return "cooling"
        if not self.window_open:
            return "window"
        return "trying" if self.view.probation else "open"


async def standings(store: Store, deployments: Sequence[Deployment]) -> list[Standing]:
    """Every configured deployment, in that order, then those no longer configured of which something is still out."""
    seconds, microseconds = await store.redis.time()
    now = int(seconds) + int(microseconds) / 1_000_000
    configured = {d.name: d for d in deployments}
    gone = await _members(store, store.keys.deployments) - configured.keys()
    batches = [raw.decode() for raw in await store.redis.zrange(store.keys.batches, 0, -1)]
    names = (*configured, *sorted(gone))
    attended = await expiry.attended(store)
    found = [await _standing(store, name, configured.get(name), batches, now, attended) for name in names]
    return [each for each in found if each.deployment is not None or each.left or each.pinned]


async def pause(
    store: Store, name: str, *, until: float | None = None, for_s: float | None = None, reason: str = "", by: str = ""
) -> None:
    """No creates there until a time (Unix seconds), for so long, or (neither) until it is resumed. Polls and archiving
    go on, and items that wait go to other deployments."""
    when = {"until_ms": until and round(until * 1000), "for_ms": for_s and round(for_s * 1000)}
    verdict = {key: value for key, value in when.items() if value is not None}
    _, till = await store.judge(name, {"pause": True, "reason": reason, "by": by, **verdict})
    log.info("deployment.paused", deployment=name, until=till, reason=reason, by=by)


async def resume(store: Store, name: str, *, forget_learned: bool = False, by: str = "") -> bool:
    """Creates begin again at once: pause, stop and cooling are over. True when one item is tried first, since only a
    create can show whether what had stopped it is mended.

    `forget_learned`: what refusals taught of its quota is learned anew.
    """
    careful, _ = await store.judge(name, {"resume": True, "forget_learned": forget_learned})
    log.info("deployment.resumed", deployment=name, probation=careful, forgot_learned=forget_learned, by=by)
    return careful


async def _members(store: Store, key: str) -> set[str]:
    pipe = store.redis.pipeline(transaction=False)
    pipe.smembers(key)
    (found,) = await pipe.execute()
    return {raw.decode() for raw in found}


async def _standing(
    store: Store, name: str, deployment: Deployment | None, batches: Sequence[str], now: float, attended: bool
) -> Standing:
    fields = await store.read(store.keys.deployment(name))
    shared = deployment.quota.shared_as if deployment else fields.get("quota", "")
    quota = await store.read(store.keys.quota(shared)) if shared else fields
    sharers = await _members(store, store.keys.members(shared)) if shared else set()
    pipe = store.redis.pipeline(transaction=False)
    for each in (name, *(sharers - {name})):
        pipe.zcard(store.keys.open(each))
    used = await pipe.execute()
    pipe.scard(store.keys.fetch(name))
    for batch in batches:
        pipe.zcard(f"{store.keys.prefix}queue:@{name}:{batch}")
    to_fetch, *pinned = await pipe.execute()
    per_minute = float(quota["learned_per_minute"]) if quota.get("learned_per_minute") else None
    is_open, changes_at = _hours(deployment, now)
    return Standing(
        name,
        now,
        deployment,
        DeploymentView.parse(fields, quota if shared else {}, await recovery_of(store, fields)),
        _tokens(deployment, quota, per_minute, now) if deployment else None,
        used[0],
        sum(used),
        to_fetch,
        sum(pinned),
        int(quota["learned_slots"]) if quota.get("learned_slots") else None,
        per_minute,
        is_open,
        changes_at,
        attended,
    )


def _tokens(deployment: Deployment, quota: Fields, learned: float | None, now: float) -> float | None:
    """What is in the bucket that `lua/admit.lua` keeps as one number, the theoretical arrival time."""
    interval = max(interval_s(deployment), 60 / learned if learned else 0.0) * ADMIT_MARGIN
    if not interval:
        return None
    burst = deployment.quota.burst
    full = burst - (float(quota.get("tat") or 0) / 1000 - now) / interval
    return round(min(max(full, 0.0), burst), 2)


def _hours(deployment: Deployment | None, now: float) -> tuple[bool, float | None]:
    """Whether creates may start by its own window, and when that changes."""
    if deployment is None or deployment.window is None:
        return True, None
    for begin, end in next_hours(deployment.window, now):
        if now * 1000 < end:
            return begin <= now * 1000, (end if begin <= now * 1000 else begin) / 1000
    return False, None
