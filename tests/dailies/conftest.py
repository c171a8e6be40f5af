from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from tests.dailies.typing_it import Place, here
from tests.main_job.night import Witness, deployment

Sandbox = Callable[..., Awaitable[Any]]


@pytest.fixture
async def place(sandbox: Sandbox, tmp_path: Path) -> Place:
    """A sandbox that asks for the key `any`, and a configuration with an embedded Redis and a directory."""
    server = await sandbox(queue_s=0, render_s=(0.2, 0.3), api_key="any")
    path = here(tmp_path, deployment("east", server.url))
    return Witness(server.url), path
