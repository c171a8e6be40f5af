"""The ledger is lost, or older than what happened since: the same command finds what was made, and pays the rest."""

from __future__ import annotations

import json
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from orchestrator.items.states import State
from orchestrator.ledger.store import Store
from orchestrator.redis.connection import connect
from tests.dailies.typing_it import dailies
from tests.ledger import batch_of, item, submit
from tests.main_job.night import Witness, config, deployment, running, until, worker
from tests.servers import free_port, redis_process

pytestmark = pytest.mark.asyncio

Sandbox = Callable[..., Awaitable[Any]]
Night = tuple[Store, Witness, Path]

ROWS = 8


@pytest.fixture
async def night(redis: Any, redis_url: str, namespace: str, sandbox: Sandbox, tmp_path: Path) -> Night:
    """A Redis outside of the program, two at once at the provider, and a sheet of eight rows."""
    server = await sandbox(queue_s=0, render_s=(0.5, 0.9))
    path = config(
        tmp_path / "dailies.yaml",
        redis_url=redis_url,
        namespace=namespace,
        archive={"url": str(tmp_path / "archive")},
        deployments=[deployment("east", server.url, quota={"per_minute": None, "burst": 1, "concurrent": 2})],
    )
    rows = "".join(f"k{n},prompt of k{n},SE\n" for n in range(ROWS))
    (tmp_path / "spring.csv").write_text(f"key,prompt,Market\n{rows}")
    return Store(redis, namespace), Witness(server.url), path


async def typed(night: Night, *words: str) -> tuple[int, Any, str]:
    """A command's exit code, its document, and what it said."""
    code, out, said = await dailies(*words, "--config", str(night[2]), "--json")
    return code, json.loads(out) if out else None, said


async def emptied_in_mid_run(night: Night) -> None:
    """FLUSHALL while some are archived, some render and some wait; the run ends, and says so."""
    store, _, path = night
    sheet = str(path.parent / "spring.csv")
    async with running("-m", "dailies", "run", sheet, "--config", str(path)) as process:

        async def well_under_way() -> bool:
            batch = await store.read(store.keys.batch("spring"))
            wanted = (State.ARCHIVED, State.RENDERING, State.WAITING)
            return all(int(batch.get(f"n:{state}") or 0) >= 1 for state in wanted)

        await until(well_under_way)
        await store.redis.flushall()
        assert await process.end() == 3, process.text
        assert "lost the ledger" in "".join(process.text) + json.dumps(process.lines)


async def each_is_paid_once(night: Night) -> None:
    _, witness, path = night
    assert await witness.created() == {f"prompt of k{n}": 1 for n in range(ROWS)}
    assert len(list((path.parent / "archive/spring").glob("*.mp4"))) == ROWS


async def test_after_redis_was_emptied_recover_and_the_same_command_pay_nothing_twice(night: Night) -> None:
    await emptied_in_mid_run(night)
    code, found, said = await typed(night, "recover")
    assert code == 0, said
    (batch,) = found["batches"]
    assert batch["receipts"] == batch["restored"] >= 1
    assert (await batch_of(night[0])).counts[State.ARCHIVED] == batch["restored"]
    code, again, _ = await typed(night, "recover", "spring")
    assert (again["batches"][0]["restored"], again["batches"][0]["known"]) == (0, batch["restored"])
    code, done, said = await typed(night, "run", str(night[2].parent / "spring.csv"))
    assert (code, done["items"]["archived"]) == (0, ROWS), said
    await each_is_paid_once(night)


async def test_after_redis_was_emptied_the_same_command_alone_pays_nothing_twice(night: Night) -> None:
    await emptied_in_mid_run(night)
    code, done, said = await typed(night, "run", str(night[2].parent / "spring.csv"))
    assert (code, done["items"]["archived"]) == (0, ROWS), said
    await each_is_paid_once(night)


async def test_a_whole_batch_comes_back_with_its_facts_and_its_results_stay(night: Night) -> None:
    store, _, path = night
    sheet, results = str(path.parent / "spring.csv"), path.parent / "archive/spring/results.csv"
    assert (await typed(night, "run", sheet))[0] == 0
    _, before, _ = await typed(night, "status", "spring", "--items")
    written = results.read_bytes()
    await store.redis.flushall()
    code, found, said = await typed(night, "recover", "spring")
    assert (code, found["batches"][0]["restored"]) == (0, ROWS), said
    _, after, _ = await typed(night, "status", "spring", "--items")
    assert (after["final"], after["cost_usd"]) == (True, before["cost_usd"])
    assert sorted(after["rows"], key=str) == sorted(before["rows"], key=str)
    _, out, _ = await dailies("results", "spring", "--config", str(path))
    assert out.splitlines()[0].startswith("prompt,model,size,seconds,Market,key,state")
    assert (await batch_of(store)).reported_at is not None
    assert results.read_bytes() == written


async def test_recover_refuses_a_batch_without_a_receipt_and_trust_opens_unseen(night: Night) -> None:
    code, _, said = await typed(night, "recover", "summer")
    assert code == 2
    assert "no receipt" in said
    await night[1].fault(on="list", do="status", status=404, times=None)
    code, found, _ = await typed(night, "recover")
    assert (code, found["endpoints"][0]["needs_person"]) == (1, True)
    code, found, _ = await typed(night, "recover", "--trust")
    assert (code, found["endpoints"][0]["open"]) == (0, True)


async def test_an_older_copy_of_the_ledger_sends_nothing_again(
    sandbox: Sandbox, namespace: str, tmp_path: Path
) -> None:
    """Redis comes back from a backup: some of what it takes for unsent is archived since, and some renders."""
    server = await sandbox(queue_s=0, render_s=(0.5, 0.9))
    witness, port, data = Witness(server.url), free_port(), tmp_path / "redis"
    with redis_process(data, port) as first:
        path = config(
            tmp_path / "dailies.yaml",
            redis_url=first.url,
            namespace=namespace,
            archive={"url": str(tmp_path / "archive"), "delete_remote": True},
            deployments=[deployment("east", server.url, quota={"per_minute": None, "burst": 1, "concurrent": 2})],
        )
        redis = connect(first.url)
        store = Store(redis, namespace)
        await submit(store, [item(f"k{n}") for n in range(ROWS)])
        async with worker(path) as one:
            await one.saw("item.archived")
            shutil.copytree(data, tmp_path / "backup")

            async def further() -> bool:
                batch = await batch_of(store)
                return batch.counts[State.ARCHIVED] >= 4 and batch.counts[State.RENDERING] >= 1

            await until(further)
            await redis.aclose()
    shutil.rmtree(data)
    shutil.copytree(tmp_path / "backup", data)
    with redis_process(data, port) as second:
        redis = connect(second.url)
        store = Store(redis, namespace)
        async with worker(path) as two:
            await two.saw("scope.recovered")
            await two.saw("batch.reported")
        batch = await batch_of(store)
        assert batch.counts[State.ARCHIVED] == ROWS, {s: n for s, n in batch.counts.items() if n}
        await redis.aclose()
    assert await witness.created() == {f"prompt of k{n}": 1 for n in range(ROWS)}


async def test_a_batch_is_forgotten_once_it_is_final_and_the_archive_keeps_it(night: Night) -> None:
    store, _, path = night
    sheet = str(path.parent / "spring.csv")
    await submit(store, [item("moves")], batch="summer")
    code, _, said = await typed(night, "forget", "summer")
    assert code == 2
    assert "not final" in said
    assert (await typed(night, "cancel", "summer", "--yes"))[0] == 0
    code, _, said = await typed(night, "forget", "summer")
    assert code == 2
    assert "results" in said
    assert (await typed(night, "run", sheet))[0] == 0
    assert (await typed(night, "forget", "spring"))[0] == 0
    assert not await store.redis.exists(store.keys.batch("spring"))
    assert len(list((path.parent / "archive/spring").glob("*.mp4"))) == ROWS
    code, done, _ = await typed(night, "run", sheet)
    assert (code, done["items"]["archived"]) == (0, ROWS)
    await each_is_paid_once(night)
    code, found, _ = await typed(night, "recover")
    assert found["endpoints"][0]["strays"] == []
