from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from arq.connections import ArqRedis

from orchestrator.ledger.store import Store
from tests.workers.creating import Desk, desk_at


@pytest.fixture
def store(redis: ArqRedis, namespace: str) -> Store:
    return Store(redis, namespace)


@pytest.fixture
async def desk(store: Store) -> AsyncIterator[Desk]:
    """Create and reconcile by hand against a sandbox whose clock the test moves."""
    async with desk_at(store) as made:
        yield made
