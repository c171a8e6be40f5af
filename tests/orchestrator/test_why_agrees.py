"""What is said of an item is what admission then does: the same gate, and the same time, whatever the ledger holds."""

from __future__ import annotations

import asyncio
import datetime as dt
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from manifests.window import EVERY_DAY, Window
from orchestrator.admission.controller import Admission
from orchestrator.ledger.keys import Ref
from orchestrator.reasons.why import why
from orchestrator.redis.connection import connect
from orchestrator.settings import Budgets
from tests.ledger import admit, deployment, item, submit
from tests.orchestrator.virtual_clock import on_virtual_time, start_ms, tell


def seldom(what: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Mostly None: where everything is limited at once, each limit is seldom the one that counts."""
    return st.integers(0, 4).flatmap(lambda n: st.none() if n else what)


windows = seldom(
    st.builds(
        lambda start, hours: Window(dt.time(start), dt.time((start + hours) % 24), "Europe/Stockholm", EVERY_DAY),
        st.integers(0, 23),
        st.integers(1, 23),
    )
)
verdicts = st.sampled_from(
    [
        {"stop": "auth", "message": "wrong key"},
        {"cool_ms": 30_000, "reason": "rate_limited"},
        {"cool_ms": 90_000_000, "reason": "quota_exhausted"},
        {"refused": "slots", "reason": "too_many_running"},
        {"refused": "rate", "reason": "rate_limited", "retry_ms": 7_000},
        {"pause": True, "reason": "", "by": ""},
        {"pause": True, "reason": "", "by": "", "for_ms": 60_000},
    ]
)
deployments = st.lists(
    st.fixed_dictionaries(
        {
            "per_minute": st.sampled_from([None, 1, 60]),
            "burst": st.integers(1, 2),
            "concurrent": st.sampled_from([None, None, 1, 2, "auto"]),
            "price_per_second_usd": st.sampled_from([None, "0.07"]),
            "window": windows,
        }
    ),
    min_size=1,
    max_size=3,
)
ledgers = st.fixed_dictionaries(
    {
        "deployments": deployments,
        "verdicts": st.lists(st.tuples(st.integers(0, 2), verdicts), max_size=2),
        "earlier": st.integers(0, 3),
        "budget": seldom(st.sampled_from(["0.30", "0.90"])),
        "day": seldom(st.sampled_from(["0.30", "0.90"])),
        "window": windows,
        "pin": seldom(st.integers(0, 2)),
        "archive_closed": st.sampled_from([False] * 7 + [True]),
        "archives": st.sampled_from([True] * 7 + [False]),
        "behind": st.sampled_from([False] * 7 + [True]),
        "wait_ms": st.sampled_from([0, 1, 500, 40_000, 86_500_000]),
        "asked": st.integers(0, 2),
    }
)


async def agree(url: str, namespace: str, now: int, told: dict[str, Any]) -> None:
    async with connect(url) as redis:
        await redis.flushall()
        store = on_virtual_time(redis, namespace)
        await tell(store, now)
        serving = [deployment(f"d{n}", **facts) for n, facts in enumerate(told["deployments"])]
        budgets = Budgets(day_usd=told["day"], timezone="Europe/Stockholm")
        await submit(store, [item(f"e{n}") for n in range(told["earlier"])], batch="earlier", deployments=serving)
        for each in serving:
            await admit(store, each, most=1)
        for at, verdict in told["verdicts"]:
            await store.judge(serving[at % len(serving)].name, verdict)
        if told["archive_closed"]:
            await redis.hset(store.keys.meta, "archive_closed_until", now + 20_000)
        if told["behind"]:
            await redis.zadd(f"{store.keys.prefix}expiries", {"done/x": now + 100_000})
            await redis.hset(store.keys.timings("@all"), "archive", "90000 20 1")
        await redis.delete(f"{store.keys.prefix}ready:sora-2")  # what is left of it does not compete
        pin = None if told["pin"] is None else serving[told["pin"] % len(serving)].name
        rows = [item("a", deployment=pin)]
        await submit(store, rows, deployments=serving, budget_usd=told["budget"], window=told["window"])
        now += told["wait_ms"]
        await tell(store, now)

        asked = serving[told["asked"] % len(serving)]
        asker = Admission(store, [asked], budgets=budgets, archives=told["archives"], clock=lambda: now / 1000)
        await asker.ask(0, allowance_s=600)  # it is known by now that somebody creates, who archives or not
        found = await why(store, Ref("spring", "a"), serving, budgets)
        assert found is not None
        answer = (await asker.ask(1, allowance_s=600))[asked.name]
        gates = {gate.name: gate for gate in found.deployments}
        if pin not in (None, asked.name):
            assert asked.name not in gates
            return
        said = gates[asked.name]
        if answer.admitted:
            assert (said.gate, said.until) == ("none", None)
            assert found.gate == "none"
            return
        in_s = None if said.until is None else said.until - now / 1000
        assert said.gate == answer.gate
        assert (in_s is None) == (answer.ask_again_in_s is None)
        assert in_s is None or answer.ask_again_in_s is None or abs(in_s - answer.ask_again_in_s) < 0.002
        if len(gates) == 1 and found.gate != said.gate:
            assert said.gate in ("rate", "slot"), "money or hours lack besides, and no token helps then"
            assert found.gate in ("budget", "window")


@pytest.mark.timeout(900)  # a failure is told only once the shortest way to it is found
def test_why_says_what_admission_then_does(redis_url: str, namespace: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Windows are told from the machine's clock, as workers do; the ledger's own is at most a day ahead of it."""
    began = start_ms()  # both stand: no full hour passes in the middle of an example
    monkeypatch.setattr("orchestrator.reasons.explanation.time", SimpleNamespace(time=lambda: began / 1000))

    @given(told=ledgers)
    @settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    def agrees(told: dict[str, Any]) -> None:
        asyncio.run(agree(redis_url, namespace, began, told))

    agrees()
