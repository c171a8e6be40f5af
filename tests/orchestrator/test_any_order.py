"""Whatever people ask and whatever happens, in any order: what the ledger counts is what a recount finds."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import pytest

from manifests import Item as Row
from orchestrator.batches.lifecycle import Action, Chosen, Word, ask
from orchestrator.items.decision import Decision
from orchestrator.items.states import MOVING, OPEN, BatchState, Event, State
from orchestrator.ledger import views
from orchestrator.ledger.records import Claim, Item, decode
from orchestrator.ledger.store import Store
from tests.ledger import NO_PACE, accept, admit, batch_of, deployment, item, submit

pytestmark = pytest.mark.asyncio

STEPS = 150
ROWS = ("mug-1", "mug-2", "mug-3", "lamp-1", "lamp-2", "vase")


@dataclass
class Night:
    """One batch, what was claimed of it, and dice."""

    store: Store
    dice: random.Random
    claims: list[Claim] = field(default_factory=list)
    created: int = 0

    async def items(self) -> list[Item]:
        return [i async for i in views.items(self.store, "spring")]

    async def one(self, *states: State) -> Item | None:
        found = [i for i in await self.items() if i.state in states]
        return self.dice.choice(found) if found else None

    async def submit(self) -> None:
        rows = [item(k, prompt=f"{k} {self.dice.choice('abc')}") for k in ROWS if self.dice.random() < 0.9]
        remixes: list[Row] = [item(f"{r.key}-night", remix_of=r.key) for r in rows[:2]]
        await submit(self.store, rows + remixes)

    async def ask(self) -> None:
        keys = self.dice.choice([(), ("mug-*",), ("vase", "lamp-?"), ("*-night",)])
        states = self.dice.choice([(), (), (State.WAITING,), (State.RENDERING, State.ADMITTED)])
        action = self.dice.choice([Action.PAUSE, Action.RESUME, Action.RESUME, Action.CANCEL])
        if action is Action.CANCEL and not keys and self.dice.random() < 0.7:
            return
        word = Word("ann@studio", "", self.dice.random() < 0.5)
        await ask(self.store, "spring", action, word, Chosen(keys, states))

    async def admit(self) -> None:
        self.claims += (await admit(self.store, deployment(concurrent=4), most=2)).admitted

    async def intend(self) -> None:
        if not self.claims:
            return
        claim = self.claims.pop(self.dice.randrange(len(self.claims)))
        before = await self.store.load(claim.ref)
        batch = await batch_of(self.store)
        word, *_ = await self.store.intend(claim.ref, claim.version, {}, pace=NO_PACE, due_in_s=60)
        if word == "intended":
            assert before is not None
            assert not {"paused", "cancel"} & before.fields.keys(), "nothing of it may be sent"
            assert batch.state is BatchState.RUNNING
            assert "cancel" not in batch.fields

    async def answer(self) -> None:
        found = await self.one(State.CREATING, State.CREATING, State.CANCELLED)
        if found and found.attempts:
            self.created += 1
            claim = Claim("create", found.ref, found.version, found.attempts)
            await accept(self.store, claim, f"video_{self.created}")

    async def come_to_nothing(self) -> None:
        if found := await self.one(State.CREATING):
            event = self.dice.choice([Event.RETURNED, Event.RESENT, Event.REFUSED])
            await self.store.apply(found.ref, found.version, Decision(event, money="none"))

    async def end(self) -> None:
        if found := await self.one(State.RENDERING):
            done = Decision(Event.SUCCEEDED, {"expires_at": 1}, money="confirmed")
            lost = Decision(Event.FAILED, {"reason": "moderation"}, money="unknown")
            await self.store.apply(found.ref, found.version, self.dice.choice([done, done, lost]))

    async def archive(self) -> None:
        if found := await self.one(State.ARCHIVING):
            event = self.dice.choice([Event.ARCHIVED, Event.ARCHIVED, Event.POSTPONED, Event.LOST])
            await self.store.apply(found.ref, found.version, Decision(event))

    async def recount(self) -> None:
        items, batch = await self.items(), await batch_of(self.store)
        counts = Counter(i.state for i in items)
        assert dict(counts) == {state: n for state, n in batch.counts.items() if n}
        assert (batch.state is BatchState.FINAL) is not bool(sum(counts[s] for s in MOVING))
        waiting = [i for i in items if i.state is State.WAITING]
        assert int(batch.fields.get("paused_items") or 0) == sum("paused" in i.fields for i in waiting)
        assert not [i for i in waiting if "cancel" in i.fields]
        assert not [i for i in items if i.state not in MOVING and "paused" in i.fields]
        await self._recount_queues(waiting, free=batch.state is BatchState.RUNNING and "cancel" not in batch.fields)
        await self._recount_money(items)
        slots = await self.store.redis.zrange(self.store.keys.open("east"), 0, -1)
        taken = [f"{i.ref}#{i.attempts}" for i in items if i.state in OPEN]
        for each in items:
            attempts = await views.attempts(self.store, each)
            taken += [f"{each.ref}#{a.number}" for a in attempts if a.fields.get("orphan") == "rendering"]
        assert sorted(s.decode() for s in slots) == sorted(taken)

    async def _recount_queues(self, waiting: list[Item], *, free: bool) -> None:
        prefix, redis = self.store.keys.prefix, self.store.redis
        for lane in ("sora-2", "@east"):
            queued = await redis.zrange(f"{prefix}queue:{lane}:spring", 0, -1)
            wanted = {i.ref.item for i in waiting if i.fields["lane"] == lane and "paused" not in i.fields}
            assert {q.decode() for q in queued} == wanted
            ready = await redis.zscore(f"{prefix}ready:{lane}", "spring")
            assert (ready is not None) is (bool(wanted) and free), lane

    async def _recount_money(self, items: list[Item]) -> None:
        money: Counter[str] = Counter()
        for each in items:
            for attempt in await views.attempts(self.store, each):
                money[attempt.money] += attempt.price or 0
        fields = decode(await self.store.redis.hgetall(self.store.keys.batch("spring")))
        for bucket in ("reserved", "unknown", "confirmed"):
            assert int(fields[bucket]) == money[bucket], bucket


@pytest.mark.parametrize("seed", range(12))
async def test_counters_slots_queues_and_money_agree_with_a_recount(store: Store, seed: int) -> None:
    """Promises 5, 15, 16 and 28, over pauses, resumes and cancels between all else that happens to items."""
    night = Night(store, random.Random(seed))
    await night.submit()
    work: list[Callable[[], Awaitable[None]]] = [
        night.submit, night.ask, night.ask, night.ask, night.admit, night.admit, night.admit, night.intend,
        night.intend, night.intend, night.answer, night.answer, night.come_to_nothing, night.end, night.end,
        night.archive,
    ]  # fmt: skip
    for step in range(STEPS):
        doing = night.dice.choice(work)
        await doing()
        try:
            await night.recount()
        except AssertionError as error:
            raise AssertionError(f"after step {step}, {doing.__name__}: {error}") from error
