from __future__ import annotations

import pytest
from arq.connections import ArqRedis

from orchestrator.ledger.store import Store


@pytest.fixture
def store(redis: ArqRedis, namespace: str) -> Store:
    return Store(redis, namespace)
