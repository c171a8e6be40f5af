"""What refusals teach of a quota, in plain Python: the reference of `lua/shared/learning.lua`, and of the gates in
`lua/shared/desk.lua` and `lua/intend.lua` that go by it. Instants and durations in milliseconds."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from math import inf

from orchestrator.admission.controller import ADMIT_MARGIN, SEND_MARGIN, SEND_SLACK_S, interval_s
from orchestrator.ledger.store import Store
from orchestrator.planning.bucket import pulled_in, take_token
from orchestrator.planning.desk import Desk, Gate
from orchestrator.settings import AUTO_START, Deployment

HOLD, LONGEST_HOLD = 64, 1024
GUESS_HOLD = 16
FIRST_WAIT, WAIT_STEP, LONGEST_WAIT = 600_000, 4, 14_400_000
LEAST_STEP, STEP, LONGEST_STEP_UP = 0.02, 0.05, 0.5
CREATES_KEPT = 64
DOUBT_MS, LONGEST_DOUBT, BELIEVED = 2_000, 30_000, 5
SETTLE_STEP, LONGEST_SETTLE = 1_000, 10_000
RATE_COOL_MS, NONE_RUNS_MS, LONGEST_BACKOFF = 10_000, 10_000, 60_000
LESS, AS_CONFIGURED, EXPLAINED = 0.9, 0.97, 0.4
TOLD_EVERY_MS, OUTDATED_MS = 60_000, 600_000

#: So much sooner is more tried again: what takes a thousand creates then takes a few.
SCALE = 32
FIRST_HOLD, LAST_HOLD = HOLD // SCALE, LONGEST_HOLD // SCALE


def to_scale(store: Store) -> None:
    """More is tried sooner by the scripts too."""
    told = f"local HOLD, LONGEST_HOLD = {HOLD}, {LONGEST_HOLD}"
    for name in ("accept", "transition"):  # those that learn
        text = str(store.scripts._scripts[name].script)
        assert text.count(told) == 1
        text = text.replace(told, f"local HOLD, LONGEST_HOLD = {FIRST_HOLD}, {LAST_HOLD}")
        store.scripts._scripts[name] = store.redis.register_script(text)


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
    slots_doubt: int = 0
    slots_at: float | None = None
    slots_wait: float | None = None
    told_at: float = 0
    settling: list[float] = field(default_factory=list)
    per_minute: float | None = None
    rate_proven: float | None = None
    rate_ok: int = 0
    rate_hold: int | None = None
    rate_step: float | None = None
    rate_doubt: bool = False
    rate_at: float | None = None
    creates: deque[float] = field(default_factory=lambda: deque(maxlen=CREATES_KEPT))  # the newest first

    def configure(self, deployment: Deployment, now: float) -> None:
        """What was learned under other numbers is forgotten, once nobody tells them any more."""
        quota = deployment.quota
        slots = "auto" if quota.auto else str(quota.own_concurrent or "")
        rate = str(quota.own_per_minute or "")
        told = abs(now - self.told_at)
        if (slots, rate) == (self.slots_cap, self.rate_cap):
            self.told_at = now if told > TOLD_EVERY_MS else self.told_at
        elif self.slots_cap is None or told >= OUTDATED_MS:
            self._begin_anew(slots, rate)
            self.told_at = now
        self.burst, self.slots = quota.burst, self._ceiling(slots)
        self.interval = self._interval(deployment, ADMIT_MARGIN)

    def _begin_anew(self, slots: str, rate: str) -> None:
        if slots != self.slots_cap:
            self.learned_slots = self.base = self.slots_hold = self.slots_at = self.slots_wait = None
            self.slots_ok = self.proven = self.slots_doubt = 0
            self.growing, self.slots_cap = slots == "auto", slots
        if rate != self.rate_cap:
            self.per_minute = self.rate_proven = self.rate_hold = self.rate_step = self.rate_at = None
            self.rate_ok, self.rate_doubt = 0, False
            self.rate_cap = rate

    def forget(self) -> None:
        """By a person's word; the rest goes when it is asked again."""
        self.slots_cap = self.rate_cap = self.learned_slots = self.per_minute = None
        self.cool_until = 0

    @property
    def ceiling(self) -> float:
        """Jobs at once."""
        return self._ceiling(self.slots_cap or "")

    def _ceiling(self, cap: str) -> float:
        if cap == "auto":
            return self.learned_slots or AUTO_START
        return min(float(cap or inf), self.learned_slots or inf)

    def late(self, now: float) -> list[float]:
        """When slots come free that the provider holds a little longer than their jobs run."""
        return [until for until in self.settling if until > now]

    def send(self, deployment: Deployment, now: float) -> int | None:
        """The second gate: None when it may leave, else when to ask again."""
        interval = self._interval(deployment, SEND_MARGIN)
        if not interval:
            return None
        bucket = (now, interval, deployment.quota.burst, SEND_SLACK_S * 1000)
        tat, at = take_token(self.sent_tat, *bucket)
        self.sent_tat = pulled_in(self.sent_tat, *bucket) if tat is None else tat
        return at

    def _interval(self, deployment: Deployment, margin: float) -> float:
        return max(interval_s(deployment) * margin * 1000, 60_000 / self.per_minute * margin if self.per_minute else 0)

    def too_many_at_once(self, now: float, out: int, running: int, retry_ms: float | None) -> str:
        """`out`: creates that are out or accepted, without the refused one; `running`: those accepted. What its
        deployment does besides: 'back off', 'settle', or nothing."""
        if running == 0:
            if out == 0 and retry_ms is None:
                return "back off"
            self._cool(now + (DOUBT_MS if retry_ms is None else retry_ms))
            return ""
        besides = ""
        if out < self.proven:
            self.slots_doubt += 1
            besides = "settle" if self.slots_doubt == 1 else ""
            if self.slots_doubt < BELIEVED:
                rest = min(DOUBT_MS * 2 ** (self.slots_doubt - 1), LONGEST_DOUBT)
                self._cool(now + (rest if retry_ms is None else retry_ms))
                return besides
        allowed = max(1, int(min(out, self.ceiling)))
        hold, wait = self.slots_hold or self.hold, self.slots_wait or FIRST_WAIT
        if self.growing:
            in_vain = allowed <= (self.base or 0)
            hold = min(2 * hold, self.longest_hold) if in_vain else self.hold
            wait = min(WAIT_STEP * wait, LONGEST_WAIT) if in_vain else FIRST_WAIT
        self.learned_slots = self.base = allowed
        self.proven = min(self.proven, allowed)
        self.slots_hold, self.slots_ok, self.slots_at, self.slots_wait = hold, 0, now, wait
        self.growing, self.slots_doubt = False, 0
        if retry_ms is not None:
            self._cool(now + retry_ms)
        return besides

    def too_many_a_minute(self, now: float, retry_ms: float | None, sent_at: float) -> None:
        next_at = now + (RATE_COOL_MS if retry_ms is None else retry_ms)
        was_cooling = self.cool_until > now
        self._cool(next_at)
        paces = [60_000 * n / (next_at - sent_at) for n, sent_at in enumerate(self.creates, 1) if sent_at < next_at]
        known = self.rate_at is not None and sent_at <= self.rate_at <= now
        if was_cooling or known or not paces:
            return
        measured, current, proven = max(paces), self.per_minute or float(self.rate_cap or inf), self.rate_proven
        allowed, hold, step = measured, self.rate_hold or self.hold, STEP
        if proven is not None and proven < current:
            allowed, hold = proven, min(max(2 * hold, self.hold), self.longest_hold)
            step = float(f"{max(LEAST_STEP, min(STEP, (current / proven - 1) / 2)):.4f}")
        else:
            held = proven is not None or self.per_minute is None
            near, few = measured >= AS_CONFIGURED * current, measured < EXPLAINED * current
            if (few or (near and held)) and not self.rate_doubt:
                self.rate_doubt, self.rate_ok, self.rate_at = True, 0, now
                return
            if near or not held:
                allowed = min(measured, LESS * current)
            hold = self.hold if held else hold
            if few:
                allowed, hold = current / 2, GUESS_HOLD
            self.rate_proven = None
        if current < inf:
            slower = current / allowed
            self.tat, self.sent_tat = (
                round(now + (tat - now) * slower, 3) if tat > now else tat for tat in (self.tat, self.sent_tat)
            )
        self.per_minute = float(f"{allowed:.4f}")
        self.rate_ok, self.rate_hold, self.rate_step = 0, hold, step
        self.rate_doubt, self.rate_at = False, now

    def accepted(self, sent_at: float, running: int, now: float) -> None:
        """`running`: jobs of all that share the quota, this one too; `used` has creates that are out besides."""
        self.creates.appendleft(sent_at)
        if self.slots_cap:
            self._accepted_at_once(running, now)
        if self.per_minute is not None or self.rate_doubt:
            self._accepted_in_pace()

    def _accepted_at_once(self, running: int, now: float) -> None:
        most, self.slots_doubt = self.ceiling, 0
        used = self.used + len(self.late(now))
        if used <= self.proven:
            running = used
        self.proven = max(self.proven, running)
        limited = self.slots_cap == "auto" or self.learned_slots is not None
        cap = inf if self.slots_cap == "auto" else float(self.slots_cap or inf)
        if not limited or used < most or most >= cap:
            return
        self.slots_ok += 1
        waited = self.slots_at is not None and abs(now - self.slots_at) >= (self.slots_wait or FIRST_WAIT)
        tried = running >= most if self.growing else self.slots_ok >= (self.slots_hold or self.hold) or waited
        if tried:
            self.slots_ok, self.learned_slots, self.growing, self.slots_at = 0, int(most) + 1, True, now

    def _accepted_in_pace(self) -> None:
        self.rate_ok += 1
        if self.rate_ok < (self.rate_hold or self.hold):
            return
        self.rate_doubt, self.rate_ok = False, 0
        cap, step = float(self.rate_cap or inf), self.rate_step or STEP
        if self.per_minute is None or self.per_minute >= cap:
            return
        if self.rate_proven is not None and self.rate_proven < self.per_minute:
            self.rate_hold = min(self.rate_hold or self.hold, self.hold)
        else:
            self.rate_hold = self.rate_hold or self.hold
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
        self.settle_ms, self.settle_ok = 0, 0

    def cooling(self, now: float) -> float | None:
        """Until when it rests, by itself or with all who share its quota."""
        until = max(self.cool_until, self.meter.cool_until)
        return until if until > now else None

    def gate(self, now: float) -> Gate | float:
        until, late = self.cooling(now), self.meter.late(now)
        if until is not None:
            return Gate("cooling", until)
        if self.meter.used + len(late) >= self.meter.slots:
            return Gate("slot", min(late, default=None))
        return super().gate(now)

    def settle(self) -> None:
        """A slot may come free later than its job ends."""
        self.settle_ms, self.settle_ok = min(self.settle_ms + SETTLE_STEP, LONGEST_SETTLE), 0

    def accepted(self) -> None:
        """After enough of them, a slot is waited for less long."""
        self.strikes = 0
        if self.settle_ms:
            self.settle_ok += 1
            if self.settle_ok >= self.meter.hold:
                self.settle_ms, self.settle_ok = self.settle_ms - SETTLE_STEP, 0

    def ended(self, now: float) -> None:
        """One of its jobs."""
        if self.settle_ms:
            self.meter.settling.append(now + self.settle_ms)

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
            self.settle_ms = self.settle_ok = 0
            self.meter.forget()
