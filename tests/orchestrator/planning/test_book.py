"""The plan's admission is the ledger's: the same questions to the scripts and to the book have the same answers.

The scripts run on a real Redis, with its TIME read from a key, so that both have the same clock, to the millisecond.
"""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Coroutine
from decimal import Decimal
from typing import Any, TypeVar

import pytest
from arq.connections import ArqRedis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)

from manifests.window import EVERY_DAY, Window
from orchestrator.admission.controller import ADMIT_MARGIN, SEND_MARGIN, SEND_SLACK_S, Admission
from orchestrator.batches.live_changes import change
from orchestrator.items.decision import Decision
from orchestrator.items.states import Event
from orchestrator.ledger.records import Claim
from orchestrator.planning import Workload
from orchestrator.planning.book import Admitted, Book
from orchestrator.planning.bucket import take_token
from orchestrator.planning.desk import NOTHING, Desk, Gate, Meter, desks
from orchestrator.redis.connection import connect
from orchestrator.settings import Budgets, Deployment
from tests.ledger import accept, deployment, item
from tests.ledger import submit as submit_now
from tests.orchestrator.virtual_clock import on_virtual_time, start_ms, tell

T = TypeVar("T")

#: Mostly one, so that batches and deployments meet.
MODELS = ("sora-2", "sora-2", "sora-2", "sora-2-pro")
NAMES = ("ada", "bob", "cyd")


def seldom(what: st.SearchStrategy[T]) -> st.SearchStrategy[T | None]:
    """Mostly None: where everything is limited at once, each limit is seldom the one that counts."""
    return st.integers(0, 3).flatmap(lambda n: st.none() if n else what)


windows = seldom(
    st.builds(
        lambda start, hours: Window(dt.time(start), dt.time((start + hours) % 24), "Europe/Stockholm", EVERY_DAY),
        st.integers(0, 23),
        st.integers(1, 23),
    )
)
deployments = st.lists(
    st.fixed_dictionaries(
        {
            "model": st.sampled_from(MODELS),
            "per_minute": st.sampled_from([None, None, 1, 7, 60]),
            "burst": st.integers(1, 3),
            "concurrent": seldom(st.integers(1, 4)),
            "price_per_second_usd": st.sampled_from([None, "0.07"]),
            "window": windows,
            "weight": st.sampled_from([1, 1, 3]),
            "order": st.sampled_from([0, 0, 1]),
            "shared_as": st.sampled_from(["", "", "pool"]),
        }
    ),
    min_size=1,
    max_size=4,
)
rows = st.lists(
    st.fixed_dictionaries(
        {
            "model": st.sampled_from(MODELS),
            "priority": st.sampled_from([0, 0, 0, -1, 2]),
            "seconds": st.sampled_from([4, 8]),
            "source": seldom(st.integers(0, 30)),
            "pin": seldom(st.integers(0, 30)),
        }
    ),
    min_size=4,
    max_size=12,
)
amounts = seldom(st.decimals("0.30", "9", places=2))
batches = st.fixed_dictionaries(
    {
        "rows": rows,
        "budget": amounts,
        "window": windows,
        "priority": st.sampled_from([0, 0, 0, 1]),
        "weight": st.sampled_from([1, 2, 3]),
    }
)


class SameAnswers(RuleBasedStateMachine):
    """Drives the scripts and the book with the same operations."""

    def __init__(self, url: str, namespace: str) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.redis = self.do(self.connected(url))
        self.store = on_virtual_time(self.redis, namespace)
        self.now = start_ms()
        self.open: list[tuple[Desk, Claim, Admitted]] = []
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

    @initialize(serving=deployments, day=amounts, month=amounts, first=batches, second=batches)
    def configure(
        self,
        serving: list[dict[str, Any]],
        day: Decimal | None,
        month: Decimal | None,
        first: dict[str, Any],
        second: dict[str, Any],
    ) -> None:
        self.budgets = Budgets(day_usd=day, month_usd=month, timezone="Europe/Stockholm")
        pool = next((facts for facts in serving if facts["shared_as"]), {})
        limits = {name: pool.get(name) for name in ("per_minute", "burst", "concurrent")}
        self.serving: list[Deployment] = [
            deployment(f"d{n}", **{**facts, **(limits if facts["shared_as"] else {})})
            for n, facts in enumerate(serving)
        ]
        self.book = Book(self.serving, now=self.now / 1000, budgets=self.budgets)
        self.desks = desks(self.serving, self.now / 1000)
        self.submit(first)
        self.submit(second)

    @precondition(lambda self: len(self.book.batches) < len(NAMES))
    @rule(batch=batches)
    def late(self, batch: dict[str, Any]) -> None:
        self.submit(batch)

    def submit(self, batch: dict[str, Any]) -> None:
        name = NAMES[len(self.book.batches)]
        rows = batch["rows"]
        work = Workload(
            name,
            budget_usd=batch["budget"],
            window=batch["window"],
            priority=batch["priority"],
            weight=batch["weight"],
        )
        items = [
            item(
                f"{name}{n}",
                model=row["model"],
                priority=row["priority"],
                seconds=row["seconds"],
                remix_of=f"{name}{row['source'] % n}" if n and row["source"] is not None else None,
                deployment=self.pin(row),
            )
            for n, row in enumerate(rows)
        ]
        for one in items:
            work.add(one)
        self.do(submit_now(self.store, [], batch=name, deployments=self.serving))
        self.do(change(self.store, name, priority=batch["priority"], weight=batch["weight"]))
        budget_usd = None if batch["budget"] is None else str(batch["budget"])
        self.do(
            submit_now(
                self.store,
                items,
                batch=name,
                deployments=self.serving,
                budget_usd=budget_usd,
                window=batch["window"],
            )
        )
        self.book.submit(work)

    def pin(self, row: dict[str, Any]) -> str | None:
        """One of the deployments that serve the row's model."""
        able = [d.name for d in self.serving if d.model == row["model"]]
        return able[row["pin"] % len(able)] if able and row["pin"] is not None else None

    @rule(ms=st.integers(1, 5_000) | st.integers(1, 200_000) | st.integers(1, 100_000_000))
    def wait(self, ms: int) -> None:
        self.now += ms
        self.do(tell(self.store, self.now))

    @rule(which=st.sets(st.integers(0, 3), min_size=1), most=st.integers(1, 5))
    def ask(self, which: set[int], most: int) -> None:
        among = [desk for n, desk in enumerate(self.desks) if n in which] or self.desks
        asker = Admission(self.store, self.serving, budgets=self.budgets, clock=lambda: self.now / 1000)
        told = self.do(asker.ask(most, allowance_s=600, among=[desk.name for desk in among]))
        found = self.book.ask(among, self.now, most)
        for desk in among:
            mine = [given for other, given in found.admitted if other is desk]
            names = [f"{NAMES[given.batch]}{given.place}" for given in mine]
            gate, at = found.gates[desk.name]
            answer = told[desk.name]
            assert (names, gate, None if at is None else (at - self.now) / 1000) == (
                [claim.ref.item for claim in answer.admitted],
                answer.gate,
                answer.ask_again_in_s,
            )
            self.open += [(desk, claim, given) for claim, given in zip(answer.admitted, mine, strict=True)]

    @precondition(lambda self: self.open)
    @rule(which=st.integers(0, 99))
    def give_back(self, which: int) -> None:
        desk, claim, given = self.open.pop(which % len(self.open))
        self.do(self.store.apply(claim.ref, claim.version, Decision(Event.RETURNED, money="none")))
        self.book.give_back(desk, given)

    @precondition(lambda self: self.open)
    @rule(which=st.integers(0, 99), kept_ms=st.sampled_from([86_400_000, 3_600_000]))
    def finish(self, which: int, kept_ms: int) -> None:
        desk, claim, given = self.open.pop(which % len(self.open))
        no_pace = {"interval_ms": 0, "burst": 1, "slack_ms": 0, "margin": 1}
        word, *_ = self.do(self.store.intend(claim.ref, claim.version, {}, pace=no_pace, due_in_s=60))
        if word == "returned":  # the window of its deployment or its batch closed meanwhile
            self.book.give_back(desk, given)
            return
        _, version = self.do(accept(self.store, claim, f"video_{claim.ref.item}_{claim.attempt}"))
        expires_at = self.now + kept_ms
        done = Decision(Event.SUCCEEDED, {"expires_at": expires_at}, money="confirmed")
        assert self.do(self.store.apply(claim.ref, int(version), done))
        self.book.finish(desk, given, expires_at)


@pytest.mark.timeout(900)  # a failure is told only once the shortest way to it is found
def test_the_scripts_and_the_book_give_the_same_answers(redis_url: str, namespace: str) -> None:
    """Which items, in which order, what stops the next one, and when to ask again."""
    run_state_machine_as_test(
        lambda: SameAnswers(redis_url, namespace),
        settings=settings(
            max_examples=100, stateful_step_count=30, deadline=None, suppress_health_check=[HealthCheck.too_slow]
        ),
    )


def test_want_of_money_is_said_before_a_closed_window() -> None:
    """Whichever of the two comes first in the lane; and it is asked again when the window opens."""
    closed = Window(dt.time(22), dt.time(6), "UTC", EVERY_DAY)
    noon = dt.datetime(2026, 11, 20, 12, tzinfo=dt.UTC).timestamp()
    for poor, shut in (("a", "b"), ("b", "a")):
        book = Book([deployment()], now=noon)
        for work in (Workload(poor, budget_usd=Decimal("0.10")), Workload(shut, window=closed)):
            work.add(item("k"))
            book.submit(work)
        answer = book.ask([Desk(deployment(), Meter(deployment(), NOTHING), noon)], noon * 1000, 1)
        assert answer == ([], {"east": Gate("budget", (noon + 10 * 3600) * 1000)})


@given(
    waits=st.lists(st.integers(0, 90_000), min_size=1, max_size=60),
    per_minute=st.integers(1, 600),
    burst=st.integers(1, 5),
    late_ms=st.integers(0, 60_000),
)
def test_what_is_admitted_at_its_pace_never_waits_for_its_pace_when_it_is_sent(
    waits: list[int], per_minute: int, burst: int, late_ms: int
) -> None:
    """So a plan need not ask the second gate: it is the same bucket, a little faster."""
    interval, now = 60_000 / per_minute, 1_790_000_000_000
    admitted, sent = 0.0, 0.0
    for wait in waits:
        now += wait
        taken, at = take_token(admitted, now, interval * ADMIT_MARGIN, burst)
        if taken is None:
            assert at is not None
            now = at
            taken, _ = take_token(admitted, now, interval * ADMIT_MARGIN, burst)
            assert taken is not None
        admitted = taken
        left, _ = take_token(sent, now + late_ms, interval * SEND_MARGIN, burst, SEND_SLACK_S * 1000)
        assert left is not None
        sent = left
