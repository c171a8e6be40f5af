"""What the scripts learn of many quotas at once is what the rules say: the same operations on a real Redis and on a
reference in plain Python (`learned_quota.py`) have the same answers, and leave the same numbers."""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any, TypeVar

import pytest
from arq.connections import ArqRedis
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from orchestrator import deployments as person
from orchestrator.admission.controller import Admission, pace
from orchestrator.items.decision import Decision
from orchestrator.items.states import Event
from orchestrator.ledger.records import Claim, decode
from orchestrator.planning import Workload
from orchestrator.planning.book import Admitted, Book
from orchestrator.redis.connection import connect
from orchestrator.settings import Deployment
from tests.ledger import accept, deployment, item, submit
from tests.orchestrator import learned_quota as rules
from tests.orchestrator.learned_quota import FIRST_HOLD, LAST_HOLD, LearnedQuota, LearningDesk, to_scale
from tests.orchestrator.virtual_clock import on_virtual_time, start_ms, tell

T = TypeVar("T")

#: Of a deployment that cannot be reached: the first pause and the longest (milliseconds).
PAUSES_MS = (1_000, 60_000)
MODELS = ("sora-2", "sora-2", "sora-2-pro")
ROWS = 150

limits = st.fixed_dictionaries(
    {
        "per_minute": st.sampled_from([None, 7, 60, 600, 6000]),
        "burst": st.integers(1, 3),
        "concurrent": st.sampled_from([None, 1, 2, 3, 6, "auto", "auto"]),
    }
)
fleets = st.lists(
    st.tuples(
        limits,
        st.fixed_dictionaries(
            {
                "model": st.sampled_from(MODELS),
                "weight": st.sampled_from([1, 1, 3]),
                "order": st.sampled_from([0, 0, 1]),
                "shared_as": st.sampled_from(["", "", "pool"]),
            }
        ),
    ),
    min_size=2,
    max_size=4,
)
retries = st.none() | st.integers(1, 9) | st.integers(10, 90_000)
which = st.integers(0, 99)


@dataclass
class Open:
    """An attempt that holds a slot, as both know it."""

    desk: LearningDesk
    claim: Claim
    given: Admitted
    intent_at: int = 0
    rendering: bool = False


class SameNumbers(RuleBasedStateMachine):
    """Drives the scripts and the reference with the same operations."""

    def __init__(self, url: str, namespace: str) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.redis = self.do(self.connected(url))
        self.store = on_virtual_time(self.redis, namespace)
        to_scale(self.store)
        self.now, self.open, self.made = start_ms(), list[Open](), 0
        self.desks: list[LearningDesk] = []
        self.do(tell(self.store, self.now))

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(work)

    async def connected(self, url: str) -> ArqRedis:
        redis = connect(url)
        await redis.flushall()
        return redis

    def teardown(self) -> None:
        self.do(self.redis.aclose())
        self.runner.close()

    @initialize(fleet=fleets)
    def configure(self, fleet: list[tuple[dict[str, Any], dict[str, Any]]]) -> None:
        pool = next((limit for limit, facts in fleet if facts["shared_as"]), {})
        quotas: dict[str, LearnedQuota] = {}
        self.desks = []
        for n, (limit, facts) in enumerate(fleet):
            told = deployment(f"d{n}", **{**limit, **facts, **(pool if facts["shared_as"] else {})})
            quota = quotas.setdefault(facts["shared_as"] or told.name, LearnedQuota(FIRST_HOLD, LAST_HOLD))
            self.desks.append(LearningDesk(told, quota, self.now))
        rows = [item(f"k{n}", model=MODELS[n % len(MODELS)]) for n in range(ROWS)]
        self.do(submit(self.store, rows, deployments=self.serving))
        self.book, work = Book(self.serving, now=self.now / 1000), Workload("spring")
        for row in rows:
            work.add(row)
        self.book.submit(work)
        self.admit(self.desks, 0)  # the ledger is told which quota each draws on

    @property
    def serving(self) -> list[Deployment]:
        return [desk.deployment for desk in self.desks]

    @rule(ms=st.integers(1, 200) | st.integers(1, 20_000) | st.integers(1, 1_500_000))
    def wait(self, ms: int) -> None:
        self.now += ms
        self.do(tell(self.store, self.now))

    @rule(chosen=st.sets(st.integers(0, 4), min_size=1), most=st.integers(1, 6))
    def ask(self, chosen: set[int], most: int) -> None:
        self.admit([desk for n, desk in enumerate(self.desks) if n in chosen] or self.desks, most)

    def admit(self, among: list[LearningDesk], most: int) -> dict[str, tuple[str, float | None]]:
        """What stops the next one of each, and in how many seconds that ends."""
        for desk in among:
            desk.meter.configure(desk.deployment, self.now)
        asker = Admission(self.store, self.serving, clock=lambda: self.now / 1000)
        told = self.do(asker.ask(most, allowance_s=600, among=[desk.name for desk in among]))
        found = self.book.ask(among, self.now, most)
        gates = {}
        for desk in among:
            mine = [given for other, given in found.admitted if other is desk]
            gate, at = found.gates[desk.name]
            answer = told[desk.name]
            gates[desk.name] = gate, None if at is None else (at - self.now) / 1000
            assert gates[desk.name] == (answer.gate, answer.ask_again_in_s)
            assert [f"k{given.place}" for given in mine] == [claim.ref.item for claim in answer.admitted]
            self.open += [Open(desk, claim, given) for claim, given in zip(answer.admitted, mine, strict=True)]
        return gates

    def some(self, number: int, *, intended: bool, rendering: bool = False) -> Open | None:
        found = [each for each in self.open if (bool(each.intent_at), each.rendering) == (intended, rendering)]
        return found[number % len(found)] if found else None

    @rule(number=which, what=st.sampled_from(["intend", "intend", "answer", "lose", "end"]))
    def step(self, number: int, what: str) -> None:
        """Of one attempt: it leaves, is accepted, finds no way to the provider, or has ended."""
        each = self.some(number, intended=what != "intend", rendering=what == "end")
        if each and what == "intend":
            self.send(each)
        elif each and what == "answer":
            self.accept(each)
        elif each and what == "end":
            self.finish(each)
        elif each:
            first, most = PAUSES_MS
            self.return_(each, {"cool_ms": first, "backoff": most, "reason": "unreachable"})
            each.desk.back_off(self.now, first, most)

    def send(self, each: Open) -> float | None:
        """In how many ms to try again; None when there is nothing to try."""
        desk, claim = each.desk, each.claim
        word, version, wait_s = self.do(
            self.store.intend(claim.ref, claim.version, {}, pace=pace(desk.deployment), due_in_s=600)
        )
        if desk.cooling(self.now):
            assert word == "returned"
            self.give_back(each)
            return None
        at = desk.meter.send(desk.deployment, self.now)
        each.claim = Claim(claim.step, claim.ref, version, claim.attempt)
        if at is not None:
            assert (word, wait_s) == ("deferred", (at - self.now) / 1000)
            return at - self.now
        assert word == "intended"
        each.intent_at = self.now
        return None

    def give_back(self, each: Open) -> None:
        self.open.remove(each)
        self.book.give_back(each.desk, each.given)

    def accept(self, each: Open) -> None:
        self.made += 1
        word, version = self.do(accept(self.store, each.claim, f"video_{self.made}"))
        assert word == "accepted"
        each.claim, each.rendering = Claim("poll", each.claim.ref, int(version), each.claim.attempt), True
        each.desk.accepted()
        each.desk.meter.accepted(each.intent_at, self.out(each.desk.meter, rendering=True), self.now)

    def out(self, quota: LearnedQuota, *, rendering: bool) -> int:
        """How many creates of a quota are accepted, or at least out."""
        return sum(
            each.desk.meter is quota and (each.rendering or (bool(each.intent_at) and not rendering))
            for each in self.open
        )

    @precondition(lambda self: self.some(0, intended=True))
    @rule(
        number=which,
        kind=st.sampled_from(["rate", "slots"]),
        retry_ms=retries,
    )
    def refuse(self, number: int, kind: str, retry_ms: int | None) -> None:
        if each := self.some(number, intended=True):
            self.turn_away(each, kind, retry_ms)

    def turn_away(self, each: Open, kind: str, retry_ms: int | None) -> None:
        """A 429."""
        told = {} if retry_ms is None else {"retry_ms": retry_ms}
        self.return_(each, {"refused": kind, "reason": "429", **told})
        quota = each.desk.meter
        if kind == "rate":
            quota.too_many_a_minute(self.now, retry_ms, each.intent_at)
            return
        running = self.out(quota, rendering=True)
        besides = quota.too_many_at_once(self.now, self.out(quota, rendering=False), running, retry_ms)
        if besides == "back off":
            each.desk.back_off(self.now, rules.NONE_RUNS_MS, rules.LONGEST_BACKOFF)
        elif besides == "settle":
            each.desk.settle()

    def return_(self, each: Open, verdict: dict[str, object]) -> None:
        self.apply(each, Decision(Event.RETURNED, money="none", deployment=verdict))
        self.give_back(each)

    def apply(self, each: Open, decision: Decision) -> None:
        assert self.do(self.store.apply(each.claim.ref, each.claim.version, decision))

    def finish(self, each: Open) -> None:
        self.apply(each, Decision(Event.SUCCEEDED, {"expires_at": self.now + 86_400_000}, money="confirmed"))
        self.open.remove(each)
        each.desk.ended(self.now)
        self.book.finish(each.desk, each.given, expires_at=self.now + 86_400_000)

    @rule(
        number=which,
        count=st.integers(5, 40),
        slots=st.sampled_from([1, 2, 3, 4, 99]),
        gap_ms=st.sampled_from([0, 0, 30, 150, 1_200]),
        retry_ms=retries,
    )
    def render(self, number: int, count: int, slots: int, gap_ms: int, retry_ms: int | None) -> None:
        """So many creates at one deployment, as fast as it may, with a provider that runs so many jobs at once and
        takes creates no closer than that; one job ends whenever there is nothing else to wait for."""
        desk, taken_at = self.desks[number % len(self.desks)], 0
        for _ in range(count):
            gate, in_s = self.admit([desk], 1)[desk.name]
            for each in [each for each in self.open if each.desk is desk and not each.rendering]:
                while not each.intent_at and (wait := self.send(each)):
                    self.wait(int(wait))
                if each.intent_at and self.out(desk.meter, rendering=True) >= slots:
                    self.turn_away(each, "slots", retry_ms)
                elif each.intent_at and self.now < taken_at + gap_ms:
                    self.turn_away(each, "rate", retry_ms)
                elif each.intent_at:
                    taken_at = self.now
                    self.accept(each)
            ours = [each for each in self.open if each.desk.meter is desk.meter and each.rendering]
            if in_s is not None:
                self.wait(math.ceil(in_s * 1000))
            elif gate == "slot" and ours:
                self.finish(ours[0])

    @rule(number=which, word=st.sampled_from(["resume", "forget"]) | limits)
    def be_told(self, number: int, word: str | dict[str, Any]) -> None:
        """By a person: to go on, to learn anew, or other numbers for all who share a quota."""
        chosen = self.desks[number % len(self.desks)]
        if isinstance(word, str):
            self.do(person.resume(self.store, chosen.name, forget_learned=word == "forget"))
            chosen.resume(forget=word == "forget")
            return
        for desk in self.desks:
            if desk.meter is chosen.meter:
                told = desk.deployment
                facts = {name: getattr(told, name) for name in ("model", "weight", "order")}
                desk.deployment = deployment(told.name, **word, **facts, shared_as=told.quota.shared_as)

    @invariant()
    def numbers_agree(self) -> None:
        """Every number of every quota, and every slot."""
        pipe = self.redis.pipeline(transaction=False)
        for desk in self.desks:
            pipe.hgetall(self.store.keys.deployment(desk.name))
            pipe.zcard(self.store.keys.open(desk.name))
            pipe.hgetall(self.store.keys.quota(desk.deployment.quota.shared_as))
        found = iter(self.do(pipe.execute()))
        for desk in self.desks:
            quota, name = desk.meter, desk.deployment.quota.shared_as
            own, used, shared = decode(next(found)), next(found), decode(next(found))
            assert int(own.get("strikes", 0)) == desk.strikes
            assert int(own.get("settle_ms", 0)) == desk.settle_ms
            if name:
                assert float(own.get("cool_until", 0)) == desk.cool_until
            if quota.slots_cap is not None and quota.rate_cap is not None:
                assert numbers(shared if name else own) == expected(quota)
            assert used == desk.used
        assert Counter(each.desk.name for each in self.open) == +Counter({desk.name: desk.used for desk in self.desks})


def numbers(fields: dict[str, str]) -> dict[str, float | None]:
    """A quota's hash; what is not there is None, or 0 of what counts from there."""
    counted = ("tat", "sent_tat", "cool_until", "slots_ok", "slots_proven", "rate_ok")
    flags = ("slots_growing", "slots_doubt", "rate_doubt")
    slots = ("learned_slots", "slots_base", "slots_hold", "slots_at", "slots_wait")
    learned = (*slots, "learned_per_minute", "rate_proven", "rate_hold", "rate_step", "rate_at")
    return {
        **{name: float(fields.get(name, 0)) for name in (*counted, *flags)},
        **{name: float(fields[name]) if name in fields else None for name in learned},
    }


def expected(quota: LearnedQuota) -> dict[str, float | None]:
    """The same of the reference."""
    return {
        "tat": quota.tat,
        "sent_tat": quota.sent_tat,
        "cool_until": quota.cool_until,
        "slots_ok": quota.slots_ok,
        "slots_proven": quota.proven,
        "rate_ok": quota.rate_ok,
        "slots_growing": quota.growing,
        "slots_doubt": quota.slots_doubt,
        "rate_doubt": quota.rate_doubt,
        "learned_slots": quota.learned_slots,
        "slots_base": quota.base,
        "slots_hold": quota.slots_hold,
        "slots_at": quota.slots_at,
        "slots_wait": quota.slots_wait,
        "learned_per_minute": quota.per_minute,
        "rate_proven": quota.rate_proven,
        "rate_hold": quota.rate_hold,
        "rate_step": quota.rate_step,
        "rate_at": quota.rate_at,
    }


AUTO = {"per_minute": None, "burst": 1, "concurrent": "auto"}
SEVEN_A_MINUTE = {"per_minute": 7, "burst": 1, "concurrent": None}
ALONE = {"model": "sora-2", "weight": 1, "order": 0, "shared_as": ""}


def test_a_decision_goes_by_no_number_that_it_forgets(redis_url: str, namespace: str) -> None:
    """Two slots were learned and are in use when the new numbers, with no such limit, were told for long enough."""
    both = SameNumbers(redis_url, namespace)
    try:
        both.configure([(AUTO, ALONE)])
        both.be_told(0, SEVEN_A_MINUTE)
        both.render(number=0, count=8, slots=2, gap_ms=0, retry_ms=None)
        assert both.desks[0].meter.learned_slots == both.desks[0].used == 2
        both.wait(rules.OUTDATED_MS)
        assert both.admit(both.desks, 1)["d0"][0] == "none"
        assert both.desks[0].used == 3
    finally:
        both.teardown()


@pytest.mark.timeout(900)  # a failure is told only once the shortest way to it is found
def test_the_scripts_and_the_rules_learn_the_same_numbers(redis_url: str, namespace: str) -> None:
    """Over many deployments, some of one quota, whose ceilings and paces are found out by refusals."""
    run_state_machine_as_test(
        lambda: SameNumbers(redis_url, namespace),  # type: ignore[arg-type]
        settings=settings(
            max_examples=30, stateful_step_count=25, deadline=None, suppress_health_check=[HealthCheck.too_slow]
        ),
    )
