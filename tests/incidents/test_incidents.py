"""Five nights that go wrong, each seen in the metric that its alert watches, and mended by the runbook alone."""

from __future__ import annotations

import signal
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import yaml

from tests.incidents.on_call import OnCall
from tests.main_job.night import Witness, config, deployment, until, worker
from tests.servers import free_port, redis_process

Sandbox = Callable[..., Awaitable[Any]]


def settings(tmp_path: Path, redis_url: str, namespace: str, server: Any, **more: Any) -> OnCall:
    """A directory for archive, one deployment, and metrics."""
    path = config(
        tmp_path / "dailies.yaml",
        redis_url=redis_url,
        namespace=namespace,
        archive={"url": str(tmp_path / "archive")},
        deployments=[deployment("east", server.url, **more)],
    )
    return OnCall.of(path, Witness(server.url))


async def test_a_wrong_key(sandbox: Sandbox, redis_url: str, namespace: str, tmp_path: Path) -> None:
    """The deployment stops; the key's file is mended, and the night ends as ordered."""
    server = await sandbox(queue_s=0, render_s=(0.1, 0.2), api_key="any")
    (tmp_path / "key").write_text("wrong")
    night = settings(tmp_path, redis_url, namespace, server, auth={"api_key_file": str(tmp_path / "key")})
    await night.submits("one", "two")
    async with worker(night.path) as ours:
        await night.sees("dailies_deployment_stopped", 1, deployment="east", reason="auth")
        code, said = await night.types("DailiesDeploymentStopped", 1)
        assert (code, "auth" in said) == (0, True)
        code, said = await night.types("DailiesDeploymentStopped", 2)
        assert code == 3
        (tmp_path / "key").write_text("any")
        code, said = await night.types("DailiesDeploymentStopped", 2)
        assert code == 0, said
        code, said = await night.types("DailiesDeploymentStopped", 3, NAME="east")
        assert code == 0, said
        await night.ends_well(ours)
        assert await night.metric("dailies_deployment_stopped", deployment="east", reason="auth") in (None, 0)


async def test_an_archive_that_refuses(sandbox: Sandbox, redis_url: str, namespace: str, tmp_path: Path) -> None:
    """Nothing more is ordered; the volume is mended, and what was made is archived without a new render."""
    server = await sandbox(queue_s=0, render_s=(0.1, 0.2))
    night = settings(tmp_path, redis_url, namespace, server)
    archive = tmp_path / "archive"
    async with worker(night.path) as ours:
        await ours.saw("worker.started")
        await until(lambda: exists(archive))
        archive.rename(tmp_path / "away")
        archive.write_text("a file where the volume should be")
        await night.submits("one", "two")
        await night.sees("dailies_archive_refusing", 1)
        code, said = await night.types("DailiesArchiveRefusing", 2)
        assert (code, "the archive refuses videos" in said) == (0, True), said
        code, said = await night.types("DailiesArchiveRefusing", 1)
        assert code == 3, said
        archive.unlink()
        (tmp_path / "away").rename(archive)
        code, said = await night.types("DailiesArchiveRefusing", 3)
        assert code == 0, said
        ours.send(signal.SIGTERM)
        await ours.end()
    async with worker(night.path) as mended:
        await night.ends_well(mended, ours)
    assert all(count == 1 for count in (await night.witness.created()).values())


async def sent(night: OnCall) -> bool:
    return bool(await night.witness.jobs())


async def exists(path: Path) -> bool:
    return path.exists()


async def test_redis_gone(sandbox: Sandbox, namespace: str, tmp_path: Path) -> None:
    """The workers wait, and go on by themselves when it is back."""
    server = await sandbox(queue_s=0, render_s=(0.1, 0.2))
    port, data = free_port(), tmp_path / "redis"
    with redis_process(data, port) as redis:
        night = settings(tmp_path, redis.url, namespace, server)
        await night.submits("one", "two")
    async with worker(night.path) as ours:
        await night.sees("dailies_ledger_up", 0)
        code, said = await night.types("DailiesLedgerDown", 1)
        assert code == 3, said
        with redis_process(data, port):
            await night.sees("dailies_ledger_up", 1)
            code, said = await night.types("DailiesLedgerDown", 3)
            assert code == 0, said
            await night.ends_well(ours)
    assert all(count == 1 for count in (await night.witness.created()).values())


async def test_a_video_that_expires_soon(sandbox: Sandbox, redis_url: str, namespace: str, tmp_path: Path) -> None:
    """Who archives has died; one more is started by hand, and fetches it."""
    server = await sandbox(queue_s=0, render_s=(1, 1.2), retention_s=3000)
    night = settings(tmp_path, redis_url, namespace, server)
    await night.submits("one")
    async with worker(night.path, "--only", "create,poll,reconcile"):
        async with no_metrics(night, "--only", "archive") as archivist:
            await until(lambda: sent(night))
            archivist.send(signal.SIGKILL)
            await archivist.end()

        async def soon() -> bool:
            least = await night.metric("dailies_expiry_least_seconds")
            return least is not None and least < 3600

        await until(soon)
        code, said = await night.types("DailiesExpiryUnder1h", 1)
        assert code == 0, said
        code, said = await night.types("DailiesExpiryUnder1h", 3, BATCH="night")
        assert (code, "one" in said) == (0, True), said
        async with night.worker("DailiesExpiryUnder1h", 2) as by_hand:
            await night.ends_well(by_hand)
        assert await night.metric("dailies_expiry_least_seconds") is None


def no_metrics(night: OnCall, *more: str) -> Any:
    """A worker beside another one: they are not on one machine in truth, and share no port."""
    path = night.path.with_name("beside.yaml")
    path.write_text(yaml.safe_dump(yaml.safe_load(night.path.read_text()) | {"monitor": {}}))
    return worker(path, *more)


async def test_a_held_item(sandbox: Sandbox, redis_url: str, namespace: str, tmp_path: Path) -> None:
    """The answer to a create was lost, and no list could be had; the job is found, and given to its item."""
    server = await sandbox(queue_s=0, render_s=(0.1, 0.2))
    night = settings(tmp_path, redis_url, namespace, server, max_render_s=2)
    await night.witness.fault(on="create", do="drop_after", times=1)
    await night.submits("one")
    async with worker(night.path) as ours:
        await until(lambda: sent(night))
        await night.witness.fault(on="list", do="status", status=503, times=None)
        await night.sees("dailies_held_items", 1)
        await night.witness.clear()
        code, said = await night.types("DailiesItemsHeld", 2)
        assert code == 1, said
        (job,) = await night.witness.jobs()
        assert job["id"] in said
        code, said = await night.types("DailiesItemsHeld", 3, BATCH="night", KEY="one", ID=job["id"])
        assert code == 0, said
        await night.ends_well(ours)
        await night.sees("dailies_held_items", 0)
    assert all(count == 1 for count in (await night.witness.created()).values())
