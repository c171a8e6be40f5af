"""Workers die and are stopped at the worst moments: the batch ends, and nothing is created twice."""

from __future__ import annotations

import os
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from orchestrator.items.states import State
from orchestrator.ledger import views
from orchestrator.ledger.keys import Ref
from orchestrator.ledger.store import Store
from tests.ledger import batch_of, item, submit
from tests.main_job.night import Witness, any_saw, config, deployment, running, until, worker
from tests.servers import redis_process

pytestmark = pytest.mark.asyncio

Sandbox = Callable[..., Awaitable[Any]]


@pytest.fixture
def store(redis: Any, namespace: str) -> Store:
    return Store(redis, namespace)


@pytest.fixture
async def night(sandbox: Sandbox, redis_url: str, namespace: str, tmp_path: Path) -> tuple[Witness, Path]:
    """A sandbox that renders in a tenth of a second, and a configuration for workers."""
    server = await sandbox(queue_s=0, render_s=(0.1, 0.2))
    path = config(
        tmp_path / "dailies.yaml",
        redis_url=redis_url,
        namespace=namespace,
        archive={"url": str(tmp_path / "archive")},
        deployments=[deployment("east", server.url)],
    )
    return Witness(server.url), path


async def all_archived_once(store: Store, witness: Witness, count: int) -> None:
    batch = await batch_of(store)
    others = [each async for each in views.items(store, batch.name, set(State) - {State.ARCHIVED})]
    assert batch.counts[State.ARCHIVED] == count, others
    created = await witness.created()
    assert len(created) == count
    assert set(created.values()) == {1}


async def test_a_worker_killed_while_its_create_is_out_pays_once(store: Store, night: tuple[Witness, Path]) -> None:
    """The provider took the order and the answer never came: the job is found in its list and adopted."""
    witness, path = night
    await submit(store, [item(f"k{n}") for n in range(4)])
    await witness.fault(on="create", do="hang_after", times=1)
    async with worker(path) as first:

        async def hung() -> bool:
            return sum((await witness.created()).values()) >= 1

        await until(hung)
        first.send(signal.SIGKILL)
        await first.end()
    async with worker(path) as second:
        await second.saw("batch.reported")
    await all_archived_once(store, witness, 4)


async def test_a_worker_killed_while_its_jobs_render_loses_nothing(store: Store, night: tuple[Witness, Path]) -> None:
    witness, path = night
    await submit(store, [item(f"k{n}") for n in range(6)])
    async with worker(path) as first:
        await first.saw("item.accepted")
        first.send(signal.SIGKILL)
        await first.end()
    async with worker(path) as second:
        await second.saw("batch.reported")
    await all_archived_once(store, witness, 6)


async def test_a_worker_killed_in_mid_download_is_followed_by_one_that_archives(
    store: Store, night: tuple[Witness, Path], tmp_path: Path
) -> None:
    witness, path = night
    await submit(store, [item(f"k{n}") for n in range(3)])
    await witness.fault(on="content", do="stall", bytes=1000, times=3)
    async with worker(path) as first:

        async def downloading() -> bool:
            return any(job["downloads"] for job in await witness.jobs())

        await until(downloading)
        first.send(signal.SIGKILL)
        await first.end()
    await witness.clear()  # the line is good again: what is left over is the kill's alone
    async with worker(path) as second:
        await second.saw("batch.reported")
    await all_archived_once(store, witness, 3)
    assert not list((tmp_path / "archive").rglob("*.part"))


async def test_a_worker_stopped_between_intent_and_post_never_sends_late(
    store: Store, night: tuple[Witness, Path]
) -> None:
    """It sleeps past its send-by instant; another worker proves that nothing was sent, and sends; it wakes."""
    witness, path = night
    await submit(store, [item("first")])
    async with worker(path) as before:
        await before.saw("batch.reported")  # so that the listing has a job that we know
        before.send(signal.SIGTERM)
        assert await before.end() == 0
    await submit(store, [item("first"), item("stopped")])
    async with running("-m", "tests.main_job.stopping_worker", str(path)) as sleeper:

        async def asleep() -> bool:
            return Path(f"/proc/{sleeper.pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "T"

        await until(asleep)
        async with worker(path) as other:
            await other.saw("item.resent", key="stopped")
            await other.saw("item.archived", key="stopped")
            sleeper.send(signal.SIGCONT)
            await sleeper.saw("create.answered", outcome="NotSent")
            await sleeper.saw("decision.went_stale", key="stopped")
    await all_archived_once(store, witness, 2)
    found = await store.load(Ref("spring", "stopped"))
    assert found is not None
    assert found.made == 2


async def test_a_worker_asked_to_stop_lets_its_create_end(
    store: Store, night: tuple[Witness, Path], redis_url: str, namespace: str
) -> None:
    """SIGTERM while the answer is on its way: the answer is recorded, exit 0, nothing is unknown."""
    witness, path = night
    # However slow this machine is, the answer comes in time.
    patient = deployment("east", witness.url, create_timeout_s=30)
    archive = {"url": str(path.parent / "archive")}
    config(path, redis_url=redis_url, namespace=namespace, archive=archive, deployments=[patient])
    await submit(store, [item("a")])
    await witness.fault(on="create", do="delay", seconds=1.0, times=1)
    async with worker(path) as first:
        await first.saw("item.intended")
        first.send(signal.SIGTERM)
        assert await first.end() == 0
        assert any(line["event"] == "item.accepted" for line in first.lines)
    async with worker(path) as second:
        await second.saw("batch.reported")
    await all_archived_once(store, witness, 1)


async def test_workers_wait_for_a_redis_that_restarts_and_go_on(
    sandbox: Sandbox, namespace: str, tmp_path: Path
) -> None:
    from orchestrator.redis.connection import connect

    server = await sandbox(queue_s=0, render_s=(0.3, 0.5))
    witness = Witness(server.url)
    data = tmp_path / "redis"
    data.mkdir()
    with redis_process(data) as first:
        port = int(first.url.rsplit(":", 1)[1].split("/")[0])
        path = config(
            tmp_path / "dailies.yaml",
            redis_url=first.url,
            namespace=namespace,
            archive={"url": str(tmp_path / "archive")},
            deployments=[deployment("east", server.url)],
        )
        redis = connect(first.url)
        await submit(Store(redis, namespace), [item(f"k{n}") for n in range(12)])
        await redis.aclose()
        async with worker(path) as one, worker(path) as two:
            await any_saw([one, two], "item.archived")
            os.kill(first.pid, signal.SIGKILL)
            with redis_process(data, port=port):
                await any_saw([one, two], "batch.reported")
                redis = connect(first.url)
                await all_archived_once(Store(redis, namespace), witness, 12)
                await redis.aclose()
