"""The whole job on a cluster, without a cluster's client: all keys are in one slot, and its owner is followed."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests.redis.houses import Cluster
from tests.redis.nights import RedisStage, played

pytestmark = pytest.mark.asyncio


async def test_one_cluster_enabled_server_that_owns_all_slots_is_enough(tmp_path: Path) -> None:
    await played(tmp_path, Cluster(tmp_path / "redis", 1))


async def test_on_three_nodes_the_owner_is_killed_and_its_replica_goes_on(tmp_path: Path) -> None:
    """The configuration names a node that owns none of our keys."""
    house = Cluster(tmp_path / "redis", 3)

    async def killed(_: RedisStage) -> None:
        house.strike(signal.SIGKILL)
        await house.succeeded()

    await played(tmp_path, house, killed)
