"""These tests need a redis-server that has TLS, Sentinel and clusters."""

from __future__ import annotations

import shutil

import pytest


@pytest.fixture(autouse=True, scope="session")
def redis_is_installed() -> None:
    if shutil.which("redis-server") is None:
        pytest.skip("redis-server is not installed: run sh scripts/install-redis")
