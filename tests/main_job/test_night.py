"""The main job on real parts: 60 items, two APIs, three worker processes, a real Redis and a real Azurite."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import signal
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest
from azure.storage.blob import ContainerClient

from orchestrator.items.states import State
from orchestrator.ledger.keys import Keys
from orchestrator.ledger.store import Store
from sandbox.config import SandboxDeployment
from tests.ledger import batch_of
from tests.main_job.night import Witness, any_saw, config, deployment, running
from tests.servers import AZURITE_API_VERSION, Container

pytestmark = pytest.mark.asyncio

Sandbox = Callable[..., Awaitable[Any]]

#: What the sandbox allows, of which one limit binds each: twenty creates in any ten seconds; three jobs at once.
SERVED = (
    SandboxDeployment("wire-sora-2", api="videos", model="sora-2", per_minute=120, concurrent=5),
    SandboxDeployment("wire-sora-1", api="jobs", model="sora", concurrent=3),
)
BY_RATE = {"per_minute": 120, "burst": 1, "concurrent": 5}
BY_SLOTS = {"per_minute": None, "burst": 1, "concurrent": 3}


def manifest(path: Path, model: str, count: int = 30) -> Path:
    """A JSONL manifest of small videos."""
    size = "480x480" if model == "sora" else "1280x720"
    rows = [
        {"key": f"{model}-{n}", "prompt": f"{model} take {n}", "model": model, "size": size, "seconds": 4}
        for n in range(count)
    ]
    path.write_text("\n".join(json.dumps(row) for row in rows) + "\n")
    return path


def served_by(url: str, **more: Any) -> list[dict[str, Any]]:
    """Both deployments as configured by the user."""
    return [
        deployment("two", url, model="sora-2", deployment="wire-sora-2", quota=BY_RATE, **more),
        deployment("one", url, api="jobs", model="sora", deployment="wire-sora-1", quota=BY_SLOTS, **more),
    ]


async def all_created_once_within_quota(witness: Witness, count: int = 60) -> list[dict[str, Any]]:
    created = await witness.created()
    assert len(created) == count
    assert set(created.values()) == {1}
    stats = (await witness.stats())["deployments"]
    for name, seen in stats.items():
        refused = (seen["refused_rate"], seen["refused_concurrent"], seen["refused_other"])
        assert refused == (0, 0, 0), name
    assert stats["wire-sora-2"]["peak_running"] <= 5
    assert stats["wire-sora-2"]["peak_in_window"] <= 20
    assert stats["wire-sora-1"]["peak_running"] == 3  # every slot is used, and none more
    return await witness.jobs()


async def test_three_workers_render_two_batches_within_quota_and_every_byte_arrives(
    sandbox: Sandbox, redis: Any, redis_url: str, namespace: str, azurite_container: Container, tmp_path: Path
) -> None:
    server = await sandbox(deployments=SERVED, rate_window_s=10, queue_s=0.1, render_s=(0.6, 1.0))
    witness = Witness(server.url)
    path = config(
        tmp_path / "dailies.yaml",
        redis_url=redis_url,
        namespace=namespace,
        archive={"url": f"{azurite_container.url}/night", "auth": {"connection_string_env": "BLOBS"}},
        deployments=served_by(server.url),
    )
    secrets = {"BLOBS": azurite_container.connection_string}
    batches = [manifest(tmp_path / f"{model}.jsonl", model) for model in ("sora-2", "sora")]
    async with running("-m", "dailies", "submit", "--config", str(path), *map(str, batches), **secrets) as submit:
        assert await submit.end() == 0
        assert (await submit.output()).split() == ["sora-2", "sora"]
    async with AsyncExitStack() as stack:
        crew = [
            await stack.enter_async_context(
                running("-m", "dailies", "--log-level", "info", "worker", "--config", str(path), **secrets)
            )
            for _ in range(3)
        ]
        for batch in ("sora-2", "sora"):
            await any_saw(crew, "batch.reported", batch=batch)
        for each in crew:
            each.send(signal.SIGTERM)
        assert [await each.end() for each in crew] == [0, 0, 0]
        lines = [line for each in crew for line in each.lines]
        takers = {line["batch"] + line["key"] for line in lines if line["event"] == "item.archived"}
        assert len(takers) == 60
        assert sum(any(line["event"] == "item.intended" for line in each.lines) for each in crew) > 1

    store = Store(redis, namespace)
    for batch in ("sora-2", "sora"):
        assert (await batch_of(store, batch)).counts[State.ARCHIVED] == 30
    jobs = await all_created_once_within_quota(witness)
    served = {job["prompt"]: job["sha256"] for job in jobs}
    with ContainerClient.from_connection_string(
        azurite_container.connection_string, azurite_container.name, api_version=AZURITE_API_VERSION
    ) as container:
        for batch in ("sora-2", "sora"):
            for n in range(30):
                stem = f"night/{batch}/{batch}-{n}"
                video = container.download_blob(f"{stem}.mp4").readall()
                receipt = json.loads(container.download_blob(f"{stem}.json").readall())
                assert hashlib.sha256(video).hexdigest() == served[f"{batch} take {n}"] == receipt["sha256"]
            table = container.download_blob(f"night/{batch}/results.csv", encoding="utf-8").readall()
            assert {row["state"] for row in csv.DictReader(io.StringIO(table))} == {"archived"}
            page = container.download_blob(f"night/{batch}/index.html", encoding="utf-8").readall()
            assert '"counts":{"archived":30}' in page

    prefix = Keys(namespace).prefix
    left = [key.decode() async for key in redis.scan_iter(count=1000)]
    assert all(key.startswith(prefix) or f"{{{namespace}}}" in key for key in left)
    lasting = [key for key in left if "arq" not in key]
    assert [k for k in lasting if not any(fnmatch(k.removeprefix(prefix), p) for p in Keys.LASTING)] == []
    # Of arq nothing is left but the health keys, which expire by themselves.
    assert [k for k in left if "arq" in k and not k.startswith(f"{prefix}arq:health:")] == []


async def test_one_process_with_the_embedded_redis_and_a_directory_gives_the_same(
    sandbox: Sandbox, namespace: str, tmp_path: Path
) -> None:
    server = await sandbox(deployments=SERVED, rate_window_s=10, queue_s=0.1, render_s=(0.6, 1.0))
    witness = Witness(server.url)
    path = config(
        tmp_path / "dailies.yaml",
        redis_url=None,
        namespace=namespace,
        archive={"url": str(tmp_path / "archive")},
        deployments=served_by(server.url),
    )
    batches = [str(manifest(tmp_path / f"{model}.jsonl", model)) for model in ("sora-2", "sora")]
    async with running("-m", "dailies", "run", "--config", str(path), "--json", *batches) as run:
        assert await run.end() == 0, run.text
        document = json.loads(await run.output())
    assert [b["items"]["archived"] for b in document["batches"]] == [30, 30]
    assert all(b["final"] and b["stopped"] is None for b in document["batches"])
    served = {job["prompt"]: job["sha256"] for job in await all_created_once_within_quota(witness)}
    for batch in ("sora-2", "sora"):
        for n in range(30):
            video = (tmp_path / "archive" / batch / f"{batch}-{n}.mp4").read_bytes()
            assert hashlib.sha256(video).hexdigest() == served[f"{batch} take {n}"]

    async with running("-m", "dailies", "run", "--config", str(path), "--json", *batches) as again:
        assert await again.end() == 0
    assert sum((await witness.created()).values()) == 60
