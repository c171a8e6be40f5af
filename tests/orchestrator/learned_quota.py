"""What refusals teach of a quota, in plain Python: the reference of `lua/_learning.lua`, and of the gates in
`lua/_desk.lua` and `lua/intend.lua` that go by it. Instants and durations in milliseconds."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from math import inf

from orchestrator.admission import ADMIT_MARGIN, SEND_MARGIN, SEND_SLACK_S, interval_s
from orchestrator.planning.bucket import take_token
from orchestrator.planning.desk import Desk, Gate
from orchestrator.settings import AUTO_START, Deployment

HOLD, LONGEST_HOLD = 64, 1024
STEP, LONGEST_STEP_UP = 0.05, 0.5
CREATES_KEPT = 64
DOUBT_MS, RATE_COOL_MS, NONE_RUNS_MS, LONGEST_BACKOFF = 2_000, 10_000, 10_000, 300_000
AS_CONFIGURED = 0.97


@dataclass
class LearnedQuota:
    """One quota: what is configured, learned and in the buckets. `hold`, `longest_hold`: as above, or to scale.

    It stands where a plan has its `Meter`.
    """

    hold: int
    longest_hold: int
    tat: float = 0
    sent_tat: float = 0
    cool_until: float = 0
    used: int = 0
    interval: float = 0
    slots: float = inf
    burst: int = 1
    slots_cap: str | None = None
    rate_cap: str | None = None
    learned_slots: int | None = None
    base: int | None = None
    slots_ok: int = 0
    slots_hold: int | None = None
    growing: bool = False
    proven: int = 0
    slots_doubt: bool = False
    per_minute: float | None = None
    rate_proven: float | None = None
    rate_ok: int = 0
    rate_hold: int | None = None
    rate_step: float | None = None
    rate_doubt: bool = False
    creates: deque[float] = field(default_factory=lambda: deque(maxlen=CREATES_KEPT))  # the newest first

    def configure(self, deployment: Deployment) -> None:
        """What was learned under other numbers is forgotten."""
        quota = deployment.quota
        slots = "auto" if quota.auto else str(quota.own_concurrent or "")
        rate = str(quota.own_per_minute or "")
        if slots != self.slots_cap:
            self.learned_slots = self.base = self.slots_hold = None
            self.slots_ok = self.proven = 0
            self.slots_doubt, self.growing = False, slots == "auto"
            self.slots_cap = slots
        if rate != self.rate_cap:
            self.per_minute = self.rate_proven = self.rate_hold = self.rate_step = None
            self.rate_ok, self.rate_doubt = 0, False
            self.rate_cap = rate
        self.burst, self.slots = quota.burst, self.ceiling
        self.interval = self._interval(deployment, ADMIT_MARGIN)

    def forget(self) -> None:
        """By a person's word; the rest goes when it is asked again."""
        self.slots_cap = self.rate_cap = self.learned_slots = self.per_minute = None
        self.cool_until = 0

    @property
    def ceiling(self) -> float:
        """Jobs at once."""
        if self.slots_cap == "auto":
            return self.learned_slots or AUTO_START
        return min(float(self.slots_cap or inf), self.learned_slots or inf)

    def send(self, deployment: Deployment, now: float) -> int | None:
        """The second gate: None when it may leave, else when to ask again."""
        interval = self._interval(deployment, SEND_MARGIN)
        if not interval:
            return None
        tat, at = take_token(self.sent_tat, now, interval, deployment.quota.burst, SEND_SLACK_S * 1000)
        if tat is not None:
            self.sent_tat = tat
        return at

    def _interval(self, deployment: Deployment, margin: float) -> float:
        return max(interval_s(deployment) * margin * 1000, 60_000 / self.per_minute * margin if self.per_minute else 0)

    def too_many_at_once(self, now: float, out: int, retry_ms: float | None) -> bool:
        """`out`: creates that are out or accepted, without the refused one. True: its deployment backs off."""
        if out < self.proven and not self.slots_doubt:
            self.slots_doubt = True
            self._cool(now + (retry_ms or DOUBT_MS))
            return False
        allowed = max(1, int(min(out, self.ceiling)))
        hold = self.slots_hold or self.hold
        if self.growing:
            hold = min(2 * hold, self.longest_hold) if allowed <= (self.base or 0) else self.hold
        self.learned_slots = self.base = self.proven = allowed
        self.slots_hold, self.slots_ok = hold, 0
        self.growing = self.slots_doubt = False
        if retry_ms is not None:
            self._cool(now + retry_ms)
        return retry_ms is None and out == 0

    def too_many_a_minute(self, now: float, retry_ms: float | None) -> None:
        next_at = now + (RATE_COOL_MS if retry_ms is None else retry_ms)
        was_cooling = self.cool_until > now
        self._cool(next_at)
        paces = [60_000 * n / (next_at - sent_at) for n, sent_at in enumerate(self.creates, 1) if sent_at < next_at]
        if was_cooling or not paces:
            return
        measured, current = max(paces), self.per_minute or float(self.rate_cap or inf)
        allowed, hold = measured, self.hold
        if self.rate_proven is not None and self.rate_proven < current:
            allowed, hold = self.rate_proven, min(2 * (self.rate_hold or self.hold), self.longest_hold)
        elif measured >= AS_CONFIGURED * current:
            if not self.rate_doubt:
                self.rate_doubt, self.rate_ok = True, 0
                return
            allowed = 0.9 * current
        if current < inf:
            slower = current / allowed
            self.tat, self.sent_tat = (
                round(now + (tat - now) * slower, 3) if tat > now else tat for tat in (self.tat, self.sent_tat)
            )
        self.per_minute = float(f"{allowed:.4f}")
        self.rate_ok, self.rate_hold, self.rate_step = 0, hold, STEP
        self.rate_proven, self.rate_doubt = None, False

    def accepted(self, sent_at: float, running: int) -> None:
        """`running`: jobs of all that share the quota, this one too; `used` has creates that are out besides."""
        self.creates.appendleft(sent_at)
        if self.slots_cap:
            self._accepted_at_once(running)
        if self.per_minute is not None or self.rate_doubt:
            self._accepted_in_pace()

    def _accepted_at_once(self, running: int) -> None:
        most, self.slots_doubt = self.ceiling, False
        if self.used <= self.proven:
            running = self.used
        self.proven = max(self.proven, running)
        limited = self.slots_cap == "auto" or self.learned_slots is not None
        cap = inf if self.slots_cap == "auto" else float(self.slots_cap or inf)
        if not limited or self.used < most or most >= cap:
            return
        self.slots_ok += 1
        if (self.growing and running >= most) or self.slots_ok >= (self.slots_hold or self.hold):
            self.slots_ok, self.learned_slots, self.growing = 0, int(most) + 1, True

    def _accepted_in_pace(self) -> None:
        self.rate_ok += 1
        if self.rate_ok < (self.rate_hold or self.hold):
            return
        self.rate_doubt, self.rate_ok = False, 0
        cap, step = float(self.rate_cap or inf), self.rate_step or STEP
        if self.per_minute is None or self.per_minute >= cap:
            return
        self.rate_proven, self.rate_step = self.per_minute, min(2 * step, LONGEST_STEP_UP)
        self.per_minute = float(f"{min(self.per_minute * (1 + step), cap):.4f}")

    def _cool(self, until: float) -> None:
        self.cool_until = max(self.cool_until, until)


class LearningDesk(Desk):
    """A deployment whose quota learns, and that backs off by itself."""

    meter: LearnedQuota  # type: ignore[assignment]

    def __init__(self, deployment: Deployment, quota: LearnedQuota, now: float) -> None:
        super().__init__(deployment, quota, now / 1000)  # type: ignore[arg-type]
        self.cool_until, self.strikes = 0.0, 0

    def cooling(self, now: float) -> float | None:
        """Until when it rests, by itself or with all who share its quota."""
        until = max(self.cool_until, self.meter.cool_until)
        return until if until > now else None

    def gate(self, now: float) -> Gate | float:
        until = self.cooling(now)
        return super().gate(now) if until is None else Gate("cooling", until)

    def back_off(self, now: float, first_ms: float, most_ms: float) -> None:
        """Longer each time until a create is accepted."""
        until = now + min(first_ms * 2 ** min(self.strikes, 10), most_ms)
        self.strikes += 1
        rests = self if self.deployment.quota.shared_as else self.meter
        rests.cool_until = max(rests.cool_until, until)

    def resume(self, *, forget: bool) -> None:
        """A person's word."""
        self.cool_until = self.meter.cool_until = self.strikes = 0
        if forget:
            self.meter.forget()
