"""Sentinel gives the night another primary in its middle: nothing is lost, nothing is paid twice."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests.chaos.driver import SETTLE_S
from tests.chaos.stage import until
from tests.redis.houses import Guarded, ask, port_of
from tests.redis.nights import RedisStage, played

pytestmark = pytest.mark.asyncio


async def test_a_primary_that_is_killed_in_mid_night_costs_nothing(tmp_path: Path) -> None:
    house = Guarded(tmp_path / "redis")

    async def killed(_: RedisStage) -> None:
        house.strike(signal.SIGKILL)
        await house.succeeded()

    await played(tmp_path, house, killed)


async def test_a_primary_that_wakes_late_costs_nothing(tmp_path: Path) -> None:
    """What was sent to it while it slept, and what it takes before it learns that it is none any more, is forgotten."""
    house = Guarded(tmp_path / "redis")

    async def asleep(stage: RedisStage) -> None:
        house.strike(signal.SIGSTOP)
        await house.succeeded()
        house.strike(signal.SIGCONT)

        async def demoted() -> bool:
            return ask(port_of(house.owner), "INFO", "replication")["role"] == "slave"

        assert await until(demoted, SETTLE_S)

    await played(tmp_path, house, asleep)
