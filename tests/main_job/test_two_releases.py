"""A fleet is renewed, and rolled back, in the middle of a night, with a real earlier release of this program."""

from __future__ import annotations

import io
import signal
import subprocess
import tarfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from orchestrator.items.states import State
from orchestrator.ledger.store import Store
from tests.ledger import batch_of, item, submit
from tests.main_job.night import Witness, any_saw, config, deployment, running, until, worker
from tests.servers import ROOT

pytestmark = pytest.mark.asyncio

Sandbox = Callable[..., Awaitable[Any]]
#: The newest commit whose workers say nothing of their steps, and whose archive's queue knows no contact sheets.
BEFORE = "362a7cdf867bfe411af72e96e71750d1d7eff033"


@pytest.fixture(scope="module")
def earlier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the earlier release, out of the project's own history."""
    found = subprocess.run(["git", "archive", BEFORE], cwd=ROOT, capture_output=True, check=False)
    if found.returncode:
        pytest.skip(f"the history of this copy does not reach back to {BEFORE}: fetch it whole")
    folder = tmp_path_factory.mktemp("earlier")
    with tarfile.open(fileobj=io.BytesIO(found.stdout)) as release:
        release.extractall(folder, filter="data")
    return folder


@pytest.fixture
def store(redis: Any, namespace: str) -> Store:
    return Store(redis, namespace)


def earlier_worker(folder: Path, path: Path) -> Any:
    """`-P`: not what lies in the working directory."""
    arguments = ("-P", "-m", "dailies", "--log-level", "info", "worker", "--config", str(path))
    return running(*arguments, PYTHONPATH=str(folder))


@pytest.mark.parametrize("rolls_back", [False, True], ids=["forward", "back"])
async def test_a_night_goes_on_while_its_workers_are_renewed(
    store: Store, sandbox: Sandbox, redis_url: str, namespace: str, tmp_path: Path, earlier: Path, rolls_back: bool
) -> None:
    """One of each works at once, then the other alone: every item is archived, none is paid twice, no step is lost."""
    server = await sandbox(queue_s=0, render_s=(0.1, 0.3))
    path = config(
        tmp_path / "dailies.yaml",
        redis_url=redis_url,
        namespace=namespace,
        archive={"url": str(tmp_path / "archive")},
        deployments=[deployment("east", server.url)],
    )
    items = [item(f"k{n:02}") for n in range(16)]
    await submit(store, items[:2])
    crew = [earlier_worker(earlier, path), worker(path)]
    if rolls_back:
        crew.reverse()

    async def reported() -> bool:
        return (await batch_of(store)).reported_at is not None

    async with crew[0] as leaving:
        await leaving.saw("batch.reported")
        async with crew[1] as coming:
            await coming.saw("worker.started")
            await submit(store, items)
            await any_saw([leaving, coming], "item.accepted", key="k06")
            leaving.send(signal.SIGTERM)
            assert await leaving.end() == 0
            await until(reported)
    said = await store.redis.zrange(f"{store.keys.prefix}crew", 0, -1)
    assert said, "the newer one says which steps it runs"
    batch = await batch_of(store)
    assert batch.counts[State.ARCHIVED] == 16, {s: n for s, n in batch.counts.items() if n}
    assert set((await Witness(server.url).created()).values()) == {1}
    for each in (leaving, coming):
        assert not [line for line in each.lines if line["level"] == "error"], each.lines
