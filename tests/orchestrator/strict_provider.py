"""A provider that counts strictly, and a night of creates there: real scripts on a real Redis, on virtual time."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from heapq import heappop, heappush
from itertools import count
from typing import Any

from orchestrator.admission.controller import Admission, pace
from orchestrator.items.decision import Decision
from orchestrator.items.states import Event
from orchestrator.ledger.records import Claim
from orchestrator.ledger.store import Store
from orchestrator.settings import Deployment
from tests.orchestrator.virtual_clock import start_ms, tell
from workers.rendering.verdict import decide
from workers.video_api import RefusalKind, Refused


@dataclass
class Provider:
    """Creates a minute in a rolling window, and jobs at once; None is no such limit. All times in milliseconds."""

    per_minute: float | None = None
    slots: int | None = None
    window_ms: int = 60_000
    tells_wait: bool = True
    _creates: deque[int] = field(default_factory=deque)
    _running: list[int] = field(default_factory=list)

    def create(self, now: int, render_ms: int) -> Refused | None:
        """None: taken."""
        while self._creates and self._creates[0] <= now - self.window_ms:
            self._creates.popleft()
        while self._running and self._running[0] <= now:
            heappop(self._running)
        if self.per_minute is not None:
            most = max(1, int(self.per_minute * self.window_ms / 60_000))
            if len(self._creates) >= most:
                wait_s = (self._creates[-most] + self.window_ms - now) / 1000
                told_s = wait_s if self.tells_wait else None
                return Refused(RefusalKind.RATE_LIMITED, 429, None, "rate limit", None, told_s)
        if self.slots is not None and len(self._running) >= self.slots:
            return Refused(RefusalKind.TOO_MANY_RUNNING, 429, None, "Too many running tasks", None, None)
        self._creates.append(now)
        heappush(self._running, now + render_ms)
        return None


@dataclass
class Night:
    """When each create was taken (ms); and of each refusal, how many had been taken before it, and why."""

    began: int
    taken: list[int] = field(default_factory=list)
    refused: list[tuple[int, RefusalKind]] = field(default_factory=list)
    most_running: int = 0

    def refused_after(self, first: int) -> float:
        """Refusals a create, without those among the first so many."""
        late = [kind for before, kind in self.refused if before >= first]
        return len(late) / (len(self.taken) - first)

    def span_ms(self, first: int = 0) -> int:
        """From the first create, or a later one, to the last."""
        return self.taken[-1] - self.taken[first]


async def night(
    store: Store,
    deployments: Sequence[Deployment],
    providers: dict[str, Provider],
    *,
    render_ms: int = 60_000,
    step_ms: Callable[[random.Random], int] = lambda chance: chance.randint(5, 30),
    travel_ms: Callable[[random.Random], int] = lambda chance: chance.randint(10, 60),
    at: dict[int, Callable[[], None]] | None = None,
    seed: int = 1,
) -> Night:
    """Create all that waits. `step_ms` is from admission to intent, `travel_ms` from there to the provider. `at`: what
    happens once so many creates were taken."""
    chance, numbers = random.Random(seed), count()
    now = start_ms()
    seen = Night(now)
    events: list[tuple[int, int, str, Any]] = [(now, next(numbers), "ask", None)]
    asker = Admission(store, deployments, clock=lambda: now / 1000)
    serving = {d.name: d for d in deployments}
    asked_at, running = -1, 0

    def later(ms: float, what: str, payload: Any = None) -> None:
        heappush(events, (now + max(1, round(ms)), next(numbers), what, payload))

    while events:
        now, _, what, payload = heappop(events)
        await tell(store, now)
        if what == "ask" and now != asked_at:
            asked_at = now
            answers = await asker.ask(16, allowance_s=600)
            for name, answer in answers.items():
                for claim in answer.admitted:
                    later(step_ms(chance), "intend", (name, claim))
                if answer.ask_again_in_s is not None:
                    later(answer.ask_again_in_s * 1000, "ask")
        elif what == "intend":
            name, claim = payload
            word, version, wait_s = await store.intend(
                claim.ref, claim.version, {}, pace=pace(serving[name]), due_in_s=600
            )
            again = Claim(claim.step, claim.ref, version, claim.attempt)
            if word == "deferred":
                later(wait_s * 1000, "intend", (name, again))
            elif word == "intended":
                later(travel_ms(chance), "arrive", (name, again))
            else:
                later(1, "ask")
        elif what == "arrive":
            name, claim = payload
            rendered_ms = round(render_ms * chance.uniform(0.6, 1.4))
            refused = providers[name].create(now, rendered_ms)
            if refused:
                seen.refused.append((len(seen.taken), refused.kind))
                await store.apply(claim.ref, claim.version, decide(refused, serving[name]))
                later(1, "ask")
                continue
            seen.taken.append(now)
            running += 1
            seen.most_running = max(seen.most_running, running)
            if at and len(seen.taken) in at:
                at[len(seen.taken)]()
            _, rendering = await store.accept(
                claim.ref, claim.attempt, f"video_{len(seen.taken)}", how="answer", fields={}, due_in_s=600
            )
            # A look finds its end a little later.
            ending = Claim(claim.step, claim.ref, int(rendering), claim.attempt)
            later(rendered_ms + chance.randint(10, 200), "end", ending)
        elif what == "end":
            running -= 1
            ended = Decision(Event.SUCCEEDED, {"expires_at": now + 86_400_000}, {"completed_at": now}, "confirmed")
            await store.apply(payload.ref, payload.version, ended)
            later(1, "ask")
    return seen
