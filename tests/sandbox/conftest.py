"""A sandbox on a real port with a clock that only the test moves, and a caller that knows its paths."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import httpx
import pytest

from sandbox.config import SandboxConfig, SandboxDeployment
from sandbox.server import SandboxServer

VIDEOS = "/openai/v1/videos"
JOBS = "/openai/v1/video/generations/jobs"


class Clock:
    """Unix seconds that stand still until the test moves them."""

    def __init__(self) -> None:
        self.now = 1_790_000_000.25

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds


class Caller:
    """Speaks to one sandbox over its socket. `tiny` takes any size: small films are quick to encode."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self.http = client

    async def order(self, prompt: str = "A paper boat", **fields: Any) -> httpx.Response:
        """A Sora 2 create as JSON."""
        body = {"model": "tiny", "size": "64x64", "seconds": "1", "prompt": prompt, **fields}
        return await self.http.post(VIDEOS, json=body)

    async def order_job(self, prompt: str = "A paper boat", **fields: Any) -> httpx.Response:
        """A Sora 1 create as JSON."""
        body = {"model": "tiny-jobs", "width": 64, "height": 64, "n_seconds": 1, "prompt": prompt, **fields}
        return await self.http.post(JOBS, json=body, params={"api-version": "preview"})

    async def video(self, **fields: Any) -> str:
        """The id of an accepted video."""
        answer = await self.order(**fields)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["id"])

    async def job(self, **fields: Any) -> str:
        """The id of an accepted job."""
        answer = await self.order_job(**fields)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["id"])

    async def get(self, path: str, **params: Any) -> httpx.Response:
        return await self.http.get(path, params=params)

    async def fault(self, **fields: Any) -> None:
        answer = await self.http.post("/_sandbox/faults", json=fields)
        assert answer.status_code == 200, answer.text

    async def stats(self, deployment: str = "tiny") -> dict[str, Any]:
        found: dict[str, Any] = (await self.http.get("/_sandbox/stats")).json()["deployments"][deployment]
        return found

    async def seen(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = (await self.http.get("/_sandbox/jobs")).json()
        return found


Open = Callable[..., Awaitable[Caller]]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def open_sandbox(clock: Clock) -> AsyncIterator[Open]:
    """`await open_sandbox(retention_s=60)` takes SandboxConfig's knobs; `quota` is that of `tiny`.

    A job is queued for 1 s and renders for 10 s of the test's clock.
    """
    async with AsyncExitStack() as stack:

        async def start(quota: dict[str, Any] | None = None, **knobs: Any) -> Caller:
            knobs.setdefault(
                "deployments",
                (
                    SandboxDeployment("tiny", model="any", **(quota or {})),
                    SandboxDeployment("tiny-jobs", api="jobs", model="any", **(quota or {})),
                    SandboxDeployment("my-sora-2", model="sora-2"),
                    SandboxDeployment("my-sora", api="jobs", model="sora"),
                ),
            )
            config = SandboxConfig(**{"queue_s": 1.0, "render_s": (10.0, 10.0), **knobs})
            server = await stack.enter_async_context(SandboxServer(config, clock=clock))
            client = await stack.enter_async_context(httpx.AsyncClient(base_url=server.url))
            return Caller(client)

        yield start


@pytest.fixture
async def caller(open_sandbox: Open) -> Caller:
    """A sandbox with no quota."""
    return await open_sandbox()
