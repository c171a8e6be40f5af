"""A worker is killed (SIGKILL) at each point of each step; whoever works next finishes the night, and it is as if
nothing had happened: each video is made once, paid once, archived whole and told of, and nothing is left over."""

from __future__ import annotations

import asyncio
import csv
import hashlib
import io
import json
import multiprocessing
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from dailies.rendering.crew import crew
from dailies.rendering.probes import probe_stopped
from dailies.session import open_all
from orchestrator.items.states import State
from orchestrator.ledger.store import Store
from orchestrator.settings import load_settings
from tests.ledger import batch_of, item, submit
from tests.main_job.killed_worker import work
from tests.main_job.night import PATIENCE_S, Witness, config, deployment, until
from tests.servers import Container
from workers.sinks import Sink, open_sink

pytestmark = pytest.mark.asyncio

Sandbox = Callable[..., Awaitable[Any]]
#: Processes that are forked from one that has read the program already.
FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(["tests.main_job.killed_worker"])
KEYS = ("first", "second")
PRICE = 400_000  # of four seconds of sora-2, in micro-dollars

CREATE = [
    *("admission.before", "admission.after", "queue.before", "queue.after", "intent.before"),
    *("post.sent", "post.after", "accept.before", "accept.after"),
]
#: An intent is written, and nothing sent. The other item's may be written by then too, or not.
UNSENT = ["intent.after", "post.before"]
POLL = ["look.before", "look.after", "observed.before", "observed.after", "succeeded.before", "succeeded.after"]
ARCHIVE = [
    *("download.before", "download.begun", "stage.before", "stage.after", "commit.before", "commit.after"),
    *("receipt.before", "receipt.after", "archived.before", "archived.after"),
]
REPORT = ["results.before", "results.after", "sheet.before", "sheet.after", "reported.before", "reported.after"]
#: Of an answer that is lost: the job is there and is adopted. Of a create that never arrived: it is sent again.
ADOPT = ["uncertain.before", "uncertain.after", "listing.before", "listing.after", "adopt.before", "adopt.after"]
RESEND = ["resent.before", "resent.after"]
BLOB, BLOCKS = ["put.before", "put.after"], ["block.before", "block.after", "blocks.before", "blocks.after"]
PROBE = ["probe.before", "probe.after", "passed.before", "passed.after"]


@dataclass
class Night:
    """A sandbox, a ledger, an archive, and the configuration that names them."""

    store: Store
    witness: Witness
    sink: Sink
    path: Path
    secrets: dict[str, str]

    async def killed_at(self, point: str) -> None:
        """A worker in a process of its own, until the point; it must have come to it."""
        process = FORKS.Process(target=work, args=(self.path, {**self.secrets, "KILL_AT": point}))
        process.start()
        await asyncio.to_thread(process.join, PATIENCE_S)
        if process.is_alive():
            process.kill()
            await asyncio.to_thread(process.join)
            raise AssertionError(f"no worker came to {point}")
        assert process.exitcode == -signal.SIGKILL

    async def finished(self) -> None:
        """Another worker, until the batch is reported."""
        async with open_all(load_settings(self.path)) as session:
            await probe_stopped(session)
            next_one = crew(session)
            working = asyncio.create_task(next_one.run())

            async def reported() -> bool:
                return working.done() or (await batch_of(self.store)).reported_at is not None

            await until(reported)
            next_one.stop()
            await working

    async def as_if_nothing_had_happened(self, keys: tuple[str, ...] = KEYS) -> None:
        batch = await batch_of(self.store)
        assert batch.counts[State.ARCHIVED] == len(keys), {s: n for s, n in batch.counts.items() if n}
        jobs = {job["prompt"]: job for job in await self.witness.jobs()}
        assert await self.witness.created() == {f"prompt of {key}": 1 for key in keys}
        assert (batch.confirmed, batch.unknown, batch.reserved) == (PRICE * len(keys), 0, 0)

        assert batch.reported_at is not None
        names = {name async for name in self.sink.names("spring")}
        papers = {"results.csv", "results.jsonl", "index.html"}
        assert names == papers | {f"{key}.{kind}" for key in keys for kind in ("mp4", "json", "webp")}
        for key in keys:
            job, receipt = jobs[f"prompt of {key}"], json.loads(await self.sink.read(f"spring/{key}.json"))
            video = await self.sink.read(f"spring/{key}.mp4")
            assert hashlib.sha256(video).hexdigest() == job["sha256"] == receipt["sha256"]
            assert receipt["remote_id"] == job["id"]
        rows = list(csv.DictReader(io.StringIO((await self.sink.read("spring/results.csv")).decode())))
        assert {row["key"]: row["state"] for row in rows} == dict.fromkeys(keys, "archived")
        assert f'"counts":{{"archived":{len(keys)}}}' in (await self.sink.read("spring/index.html")).decode()

        redis, names_of = self.store.redis, self.store.keys
        assert await redis.zcard(names_of.open("east")) == 0
        assert await redis.scard(names_of.fetch("east")) == 0
        assert await redis.zcard(names_of.archive_due) == 0
        assert await redis.hlen(names_of.orphans) == 0


@pytest.fixture(params=["directory"])
async def night(
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    sandbox: Sandbox,
    redis: Any,
    redis_url: str,
    namespace: str,
    tmp_path: Path,
) -> AsyncIterator[Night]:
    large = 5 << 20 if request.param == "container of large videos" else 0  # more than a block
    server = await sandbox(queue_s=0, render_s=(0.5, 0.7), pad_bytes=large)
    archive: dict[str, Any] = {"url": str(tmp_path / "archive")}
    secrets = {"SANDBOX_KEY": "any"}
    if request.param != "directory":
        container: Container = request.getfixturevalue("azurite_container")
        archive = {"url": f"{container.url}/night", "auth": {"connection_string_env": "BLOBS"}}
        secrets["BLOBS"] = container.connection_string
    path = config(
        tmp_path / "dailies.yaml",
        redis_url=redis_url,
        namespace=namespace,
        archive=archive,
        deployments=[deployment("east", server.url, create_timeout_s=0.8, settle_s=0.2)],
        claim_s=1.0,
    )
    for name, value in secrets.items():
        monkeypatch.setenv(name, value)
    async with open_sink(load_settings(path).archive, secrets) as sink:
        yield Night(Store(redis, namespace), Witness(server.url), sink, path, secrets)
    assert not list(tmp_path.rglob("*.part"))


@pytest.mark.parametrize("point", [*CREATE, *POLL, *ARCHIVE, *REPORT])
async def test_a_night_is_as_if_no_worker_had_been_killed(night: Night, point: str) -> None:
    await submit(night.store, [item(key) for key in KEYS])
    await night.killed_at(point)
    await night.finished()
    await night.as_if_nothing_had_happened()


@pytest.mark.parametrize("point", UNSENT)
async def test_a_create_that_was_never_sent_is_sent_although_a_worker_was_killed_right_before(
    night: Night, point: str
) -> None:
    await submit(night.store, [item("first")])
    await night.finished()  # so that the list shows a job that we know: an empty one proves nothing (promise 10)
    await submit(night.store, [item(key) for key in KEYS])
    await night.killed_at(point)
    await night.finished()
    await night.as_if_nothing_had_happened()


@pytest.mark.parametrize("point", ADOPT)
async def test_a_job_whose_answer_was_lost_is_adopted_although_a_worker_was_killed_at_that(
    night: Night, point: str
) -> None:
    await submit(night.store, [item(key) for key in KEYS])
    await night.witness.fault(on="create", do="drop_after")
    await night.killed_at(point)
    await night.finished()
    await night.as_if_nothing_had_happened()


@pytest.mark.parametrize("point", RESEND)
async def test_a_create_that_never_arrived_is_sent_again_once_although_a_worker_was_killed_at_that(
    night: Night, point: str
) -> None:
    await submit(night.store, [item("first")])
    await night.finished()  # so that the list shows a job that we know
    await submit(night.store, [item(key) for key in KEYS])
    await night.witness.fault(on="create", do="drop")
    await night.killed_at(point)
    await night.finished()
    await night.as_if_nothing_had_happened()


@pytest.mark.parametrize("night", ["container"], indirect=True)
@pytest.mark.parametrize("point", BLOB)
async def test_a_small_video_is_in_its_container_once_although_a_worker_was_killed_at_that(
    night: Night, point: str
) -> None:
    await submit(night.store, [item(key) for key in KEYS])
    await night.killed_at(point)
    await night.finished()
    await night.as_if_nothing_had_happened()


@pytest.mark.parametrize("night", ["container of large videos"], indirect=True)
@pytest.mark.parametrize("point", BLOCKS)
async def test_blocks_of_a_killed_upload_never_mix_with_those_of_the_next(night: Night, point: str) -> None:
    await submit(night.store, [item(key) for key in KEYS])
    await night.killed_at(point)
    await night.finished()
    await night.as_if_nothing_had_happened()


@pytest.mark.parametrize("point", PROBE)
async def test_a_deployment_that_was_stopped_is_probed_although_a_worker_was_killed_at_that(
    night: Night, point: str
) -> None:
    await submit(night.store, [item(key) for key in KEYS])
    await night.store.judge("east", {"stop": "auth", "message": "wrong key"})
    await night.killed_at(point)
    await night.finished()
    await night.as_if_nothing_had_happened()
