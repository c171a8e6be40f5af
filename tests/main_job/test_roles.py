"""A fleet in which workers run a part of the steps each, starts before its Redis, and is stopped under load."""

from __future__ import annotations

import signal
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from orchestrator.items.states import State
from orchestrator.ledger.store import Store
from orchestrator.redis.connection import connect
from tests.ledger import batch_of, item, submit
from tests.main_job.night import Witness, config, deployment, running, worker
from tests.servers import free_port, redis_process

pytestmark = pytest.mark.asyncio

Sandbox = Callable[..., Awaitable[Any]]


@pytest.fixture
def store(redis: Any, namespace: str) -> Store:
    return Store(redis, namespace)


def night(tmp_path: Path, url: str, redis_url: str, namespace: str, **more: Any) -> Path:
    return config(
        tmp_path / "dailies.yaml",
        redis_url=redis_url,
        namespace=namespace,
        archive={"url": str(tmp_path / "archive")},
        deployments=[deployment("east", url, **more)],
    )


async def all_archived_once(store: Store, witness: Witness, count: int) -> None:
    batch = await batch_of(store)
    assert batch.counts[State.ARCHIVED] == count, {s: n for s, n in batch.counts.items() if n}
    assert sorted((await witness.created()).values()) == [1] * count


async def test_workers_of_one_step_each_make_a_batch_together(
    store: Store, sandbox: Sandbox, redis_url: str, namespace: str, tmp_path: Path
) -> None:
    """Each runs its own step and no other; the creator waits until somebody archives."""
    server = await sandbox(queue_s=0, render_s=(0.1, 0.2))
    path = night(tmp_path, server.url, redis_url, namespace)
    await submit(store, [item(f"k{n}") for n in range(4)])
    async with (
        worker(path, "--only", "create") as creator,
        worker(path, "--only", "poll, reconcile") as looker,
        running("-m", "dailies", "worker", "--config", str(path), DAILIES_WORKER_ONLY="archive") as archivist,
    ):
        await archivist.saw("batch.reported")
        await looker.saw("item.succeeded")
        told = {each: {line["event"] for line in each.lines} for each in (creator, looker, archivist)}
    assert "item.admitted" in told[creator]
    assert not {"item.succeeded", "item.archived"} & told[creator]
    assert not {"item.admitted", "item.archived"} & told[looker]
    assert not {"item.admitted", "item.succeeded"} & told[archivist]
    await all_archived_once(store, Witness(server.url), 4)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("archve", "there is no step archve: did you mean archive?"),
        ("create,dance", "there is no step dance: choose from create, poll, archive, reconcile"),
        (" , ", "no step is named: leave --only out for all of them"),
    ],
)
async def test_steps_that_there_are_not_are_refused_with_the_mend(
    redis_url: str, namespace: str, tmp_path: Path, asked: str, said: str
) -> None:
    path = night(tmp_path, "http://127.0.0.1:1", redis_url, namespace)
    async with worker(path, "--only", asked) as refused:
        assert await refused.end() == 2
    assert said in "".join(refused.text)


async def test_a_worker_that_is_there_before_its_redis_waits_for_it(
    sandbox: Sandbox, namespace: str, tmp_path: Path
) -> None:
    """Alive and started, so that nobody restarts it, and not ready; a run on the same machine ends instead."""
    server, port = await sandbox(queue_s=0, render_s=(0.1, 0.2)), free_port()
    path = night(tmp_path, server.url, f"redis://127.0.0.1:{port}/0", namespace)
    path.write_text(path.read_text() + "monitor: {port: 0}\n")
    async with worker(path) as early:
        url = (await early.saw("monitor.started"))["url"]
        await early.saw("redis.is_waited_for")
        async with httpx.AsyncClient(timeout=30) as web:
            probes = [await web.get(f"{url}/{each}") for each in ("livez", "startupz", "readyz")]
            assert [probe.status_code for probe in probes] == [200, 200, 503]
            assert "waits for Redis" in probes[2].text
            (tmp_path / "m.csv").write_text("key,prompt\na,a boat\n")
            async with running("-m", "dailies", "run", str(tmp_path / "m.csv"), "--config", str(path)) as at_once:
                assert await at_once.end() == 3
            with redis_process(tmp_path / "redis", port):
                redis = connect(f"redis://127.0.0.1:{port}/0")
                store = Store(redis, namespace)
                await submit(store, [item("a")])
                await early.saw("batch.reported")
                assert (await web.get(f"{url}/readyz")).status_code == 200
                await redis.aclose()
                early.send(signal.SIGTERM)
                assert await early.end() == 0


async def test_a_worker_that_is_stopped_under_load_ends_well_and_delays_nothing(
    store: Store, sandbox: Sandbox, redis_url: str, namespace: str, tmp_path: Path
) -> None:
    """SIGTERM with creates, looks and downloads in hand: exit 0, no create is cut, and what it had claimed is due again
    within one allowance."""
    server = await sandbox(queue_s=0, render_s=(0.1, 0.3))
    witness = Witness(server.url)
    path = night(tmp_path, server.url, redis_url, namespace, quota={"per_minute": None, "burst": 8, "concurrent": 8})
    await submit(store, [item(f"k{n:02}") for n in range(24)])
    await witness.fault(on="content", do="stall", bytes=1000, times=2)
    async with worker(path) as first:
        await first.saw("item.archived")
        await witness.fault(on="create", do="delay", seconds=0.5, times=2)
        first.send(signal.SIGTERM)
        assert await first.end() == 0
    told = {line["event"] for line in first.lines}
    assert "queue.was_not_drained" not in told
    batch = await batch_of(store)
    assert not batch.counts[State.CREATING], "a create was cut: nobody knows what came of it"
    seconds, _ = await store.redis.time()
    for key in (store.keys.open("east"), store.keys.archive_due):
        for ref, due_at in await store.redis.zrange(key, 0, -1, withscores=True):
            assert due_at / 1000 <= int(seconds) + 1 + 2.0, f"{ref} waits longer than its allowance of 2 s"
    async with worker(path) as second:
        await second.saw("batch.reported")
    await all_archived_once(store, witness, 24)


async def test_a_worker_begins_nothing_in_a_ledger_that_a_newer_release_took_over(
    store: Store, sandbox: Sandbox, redis_url: str, namespace: str, tmp_path: Path
) -> None:
    """It is at work when the newer one starts: it drains, and says why it cannot go on."""
    server = await sandbox(queue_s=0, render_s=(0.1, 0.2))
    path = night(tmp_path, server.url, redis_url, namespace)
    await submit(store, [item("a")])
    async with worker(path) as old:
        await old.saw("batch.reported")
        await store.redis.hset(store.keys.meta, "schema", "99")
        await submit(store, [item("a"), item("new")])
        assert await old.end() == 3
    assert "written by a newer release of Dailies (version 99" in "".join(old.text)
    assert list(await Witness(server.url).created()) == ["prompt of a"]
