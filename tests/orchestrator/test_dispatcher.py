"""The dispatcher's rounds: everybody's turn comes, and a fault is told as what it is."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import pytest
import structlog
from redis.exceptions import ConnectionError, ReadOnlyError, ResponseError, WatchError  # noqa: A004

from manifests.window import EVERY_DAY, Window
from orchestrator.admission import dispatcher
from orchestrator.admission.controller import Admission, Answer
from orchestrator.admission.dispatcher import Allowances, Dispatcher
from orchestrator.ledger.records import Claim
from orchestrator.ledger.store import Store
from orchestrator.settings import Budgets, Deployment
from tests.ledger import deployment, item, submit

pytestmark = pytest.mark.asyncio


class Hands:
    """A worker with so many slots, which are free again in each round; `faults` are raised first, one a round."""

    def __init__(self, slots: int = 16, faults: Sequence[Exception] = ()) -> None:
        self.taken: list[Claim] = []
        self.rested = asyncio.Event()
        self._slots, self._faults = slots, list(faults)

    async def free(self) -> Mapping[str, int]:
        if self._faults:
            raise self._faults.pop(0)
        return {"steps": self._slots, "polls": 0, "archive": 0}

    async def take_on(self, claims: Sequence[Claim]) -> None:
        self.taken += claims
        self.rested.set()


def dispatching(store: Store, hands: Hands, *deployments: Deployment) -> Dispatcher:
    return Dispatcher(
        store,
        hands,
        Admission(store, deployments),
        steps=("create",),
        deployments=[d.name for d in deployments],
        allowances=Allowances(30, 7200),
    )


@asynccontextmanager
async def running(loop: Dispatcher) -> Any:
    task = asyncio.create_task(loop.run())
    yield
    loop.stop()
    await task


async def test_a_deployment_without_limits_starves_no_other(store: Store) -> None:
    """It could fill every slot in each round."""
    greedy, modest = deployment("greedy"), deployment("modest", model="sora", api="jobs")
    both = [greedy, modest]
    await submit(store, [item(f"g{n}") for n in range(100)], batch="many", deployments=both)
    rows = [item(f"m{n}", model="sora", size="480x480") for n in range(4)]
    await submit(store, rows, batch="few", deployments=both)
    hands = Hands()
    loop = dispatching(store, hands, greedy, modest)
    await loop._round()
    await loop._round()
    assert Counter(claim.ref.batch for claim in hands.taken) == {"few": 4, "many": 28}


async def test_slots_that_come_free_one_by_one_go_to_each_in_turn(store: Store) -> None:
    east, west = deployment("east"), deployment("west", model="sora", api="jobs")
    await submit(store, [item(f"e{n}") for n in range(9)], batch="e", deployments=[east, west])
    rows = [item(f"w{n}", model="sora", size="480x480") for n in range(9)]
    await submit(store, rows, batch="w", deployments=[east, west])
    hands = Hands(slots=1)
    loop = dispatching(store, hands, east, west)
    for _ in range(6):
        await loop._round()
    assert "".join(claim.ref.batch for claim in hands.taken) == "ewewew"


async def test_a_fault_of_ours_is_told_each_time_and_never_as_redis_being_away(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dispatcher, "IDLE_S", 0.01)
    hands = Hands(faults=[ResponseError("user_script:1: attempt to compare nil with number")] * 3)
    with structlog.testing.capture_logs() as lines:
        async with running(dispatching(store, hands, deployment())):
            await hands.rested.wait()
    told = [line for line in lines if line["event"] == "round.failed"]
    assert [(line["log_level"], line["exc_info"]) for line in told] == [("error", True)] * 3
    assert not [line for line in lines if line["event"].startswith("redis.")]


async def test_a_redis_that_is_away_or_fails_over_is_told_once(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatcher, "IDLE_S", 0.01)
    lost = WatchError("A ConnectionError occurred while watching one or more keys")  # as a step is put on its queue
    hands = Hands(faults=[ConnectionError("refused"), ReadOnlyError("a replica"), lost])
    with structlog.testing.capture_logs() as lines:
        async with running(dispatching(store, hands, deployment())):
            await hands.rested.wait()
    assert [line["event"] for line in lines] == ["redis.went_away", "redis.came_back"]


class Given(Hands):
    """Says when it was given something."""

    def __init__(self) -> None:
        super().__init__()
        self.given = asyncio.Event()

    async def take_on(self, claims: Sequence[Claim]) -> None:
        await super().take_on(claims)
        if claims:
            self.given.set()


@pytest.mark.parametrize("held_back", ["window", "budget"])
async def test_a_batch_that_waits_for_hours_lets_none_wait_that_comes_meanwhile(
    store: Store, monkeypatch: pytest.MonkeyPatch, held_back: str
) -> None:
    """The answer says exactly when the window opens or the day ends, but something else may be admitted before."""
    monkeypatch.setattr(dispatcher, "IDLE_S", 0.01)
    hour = dt.datetime.now(dt.UTC).hour
    night = Window(dt.time((hour + 4) % 24), dt.time((hour + 6) % 24), "UTC", EVERY_DAY)
    await submit(store, [item("late", seconds=12)], batch="first", window=night if held_back == "window" else None)
    budgets = Budgets(day_usd=Decimal(1))
    asked = asyncio.Event()

    class Asking(Admission):
        async def ask(
            self, most: int, *, allowance_s: float, among: Collection[str] | None = None
        ) -> dict[str, Answer]:
            answers = await super().ask(most, allowance_s=allowance_s, among=among)
            if answers["east"].gate == held_back:
                asked.set()
            return answers

    hands = Given()
    loop = dispatching(store, hands, deployment())
    loop._admission = Asking(store, [deployment()], budgets=budgets)
    async with running(loop):
        await asked.wait()
        wait_s = loop.answers["east"].ask_again_in_s
        assert wait_s is not None
        assert wait_s > 60 or held_back == "budget"
        await submit(store, [item("now")], batch="second")
        async with asyncio.timeout(100):
            await hands.given.wait()
    assert [claim.ref.item for claim in hands.taken] == ["now"]
