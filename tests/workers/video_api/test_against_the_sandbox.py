"""Both clients through the whole life of a video, against a server with a mind of its own."""

from __future__ import annotations

import asyncio
import hashlib
import math
import time
from typing import Any

import httpx
import pytest

from sandbox.config import SandboxDeployment
from workers.archiving.mp4 import BoxWalker, Mp4
from workers.identity.credentials import ApiKey, Bearer
from workers.video_api import (
    Accepted,
    Denied,
    Image,
    Missing,
    Order,
    RefusalKind,
    Refused,
    RemoteJob,
    RemoteStatus,
    Unknown,
    connect,
)

LIMITS = {"create_timeout_s": 20.0, "read_timeout_s": 20.0}
FAST = {"queue_s": 0.0, "render_s": (0.01, 0.02)}
SORA_2 = Order(prompt="A paper boat", model="sora-2", size="720x1280", seconds=4)
SORA_1 = Order(prompt="A paper boat", model="sora", size="480x480", seconds=5)


async def finished(api: Any, remote_id: str) -> RemoteJob:
    """Looks until the job is at its end; the test's own time limit bounds it."""
    while True:
        job: RemoteJob = await api.get(remote_id)
        if job.status.terminal:
            return job
        await asyncio.sleep(0.01)


async def accepted(api: Any, order: Order) -> Accepted:
    outcome = await api.create(order, send_by=math.inf)
    assert isinstance(outcome, Accepted), outcome
    return outcome


async def watched(api: Any, content_id: str) -> tuple[str, Mp4]:
    digest, walker, length = hashlib.sha256(), BoxWalker(), 0
    async with api.content(content_id) as content:
        async for chunk in content.chunks:
            digest.update(chunk)
            walker.feed(chunk)
            length += len(chunk)
        assert content.length in (None, length)
        assert content.content_type == "video/mp4"
    return digest.hexdigest(), walker.finish()


@pytest.mark.parametrize(("kind", "order"), [("videos", SORA_2), ("jobs", SORA_1)], ids=["sora-2", "sora-1"])
async def test_a_video_is_ordered_watched_fetched_byte_for_byte_listed_and_deleted(
    sandbox: Any, kind: Any, order: Order
) -> None:
    server = await sandbox(api_key="open", **FAST)
    async with connect(kind, server.url, ApiKey("open"), **LIMITS) as api:
        began = time.time()
        order_taken = await accepted(api, order)
        assert order_taken.request_id
        assert began - 1 <= (order_taken.server_time or 0) <= time.time()
        job = await finished(api, order_taken.remote_id)
        assert (job.status, job.size, job.seconds) == (RemoteStatus.SUCCEEDED, order.size, order.seconds)
        assert job.expires_at == pytest.approx((job.created_at or 0) + 86400, abs=2)
        (content_id,) = job.content_ids
        sha256, video = await watched(api, content_id)
        async with httpx.AsyncClient() as client:
            (served,) = (await client.get(f"{server.url}/_sandbox/jobs")).json()
        assert sha256 == served["sha256"]
        assert (video.complete, f"{video.width}x{video.height}") == (True, order.size)
        assert video.duration_s == pytest.approx(order.seconds, abs=0.3)
        assert [job.remote_id async for job in api.list(since=began - 5)] == [order_taken.remote_id]
        assert [job.remote_id async for job in api.list(since=began + 3600)] == []
        await api.delete(order_taken.remote_id)
        await api.delete(order_taken.remote_id)
        with pytest.raises(Missing):
            await api.get(order_taken.remote_id)


@pytest.mark.parametrize("kind", ["videos", "jobs"])
async def test_a_listing_longer_than_a_page_is_read_to_the_last_job_newest_first(sandbox: Any, kind: Any) -> None:
    order, number = (SORA_2, 103) if kind == "videos" else (SORA_1, 23)
    server = await sandbox(queue_s=60)
    async with connect(kind, server.url, ApiKey("any"), **LIMITS) as api:
        ids = [(await accepted(api, order)).remote_id for _ in range(number)]
        assert [job.remote_id async for job in api.list(since=0)] == ids[::-1]


async def test_a_remix_changes_a_finished_video(sandbox: Any) -> None:
    server = await sandbox(**FAST)
    async with connect("videos", server.url, Bearer("any"), **LIMITS) as api:
        source = await accepted(api, SORA_2)
        await finished(api, source.remote_id)
        remix = Order(prompt="At dusk", model="sora-2", size="720x1280", seconds=4, remix_of=source.remote_id)
        taken = await accepted(api, remix)
        assert taken.remote_id != source.remote_id
        assert (await finished(api, taken.remote_id)).status is RemoteStatus.SUCCEEDED
        lost = Order(prompt="At dusk", model="sora-2", size="720x1280", seconds=4, remix_of="video_nobody_made")
        outcome = await api.create(lost, send_by=math.inf)
        assert isinstance(outcome, Refused)
        assert outcome.kind is RefusalKind.SOURCE_MISSING


@pytest.mark.parametrize(("kind", "order"), [("videos", SORA_2), ("jobs", SORA_1)], ids=["sora-2", "sora-1"])
async def test_a_picture_arrives_byte_for_byte(sandbox: Any, kind: Any, order: Order, picture: bytes) -> None:
    server = await sandbox(**FAST)
    async with connect(kind, server.url, ApiKey("any"), **LIMITS) as api:
        image = Image("boat über.png", "image/png", picture)
        with_image = Order(order.prompt, order.model, "720x1280", order.seconds, image=image)
        await accepted(api, with_image)
    async with httpx.AsyncClient() as client:
        (served,) = (await client.get(f"{server.url}/_sandbox/jobs")).json()
    assert served["input_reference_sha256"] == hashlib.sha256(picture).hexdigest()


async def test_the_two_429s_of_a_full_deployment_are_told_apart(sandbox: Any) -> None:
    slots = SandboxDeployment("slots", concurrent=1)
    rate = SandboxDeployment("rate", per_minute=1)
    server = await sandbox(deployments=(slots, rate), queue_s=0, render_s=(60, 61))
    async with connect("videos", server.url, ApiKey("any"), **LIMITS) as api:
        refusals = []
        for name in ("slots", "rate"):
            order = Order(prompt="x", model=name, size="720x1280", seconds=4)
            await accepted(api, order)
            refusals.append(await api.create(order, send_by=math.inf))
    running, limited = refusals
    assert (running.kind, running.retry_after_s) == (RefusalKind.TOO_MANY_RUNNING, None)
    assert limited.kind is RefusalKind.RATE_LIMITED
    assert 0 < limited.retry_after_s <= 60


async def test_a_wrong_key_and_a_missing_deployment_are_named(sandbox: Any) -> None:
    server = await sandbox(api_key="right")
    async with connect("videos", server.url, ApiKey("wrong"), **LIMITS) as api:
        outcome = await api.create(SORA_2, send_by=math.inf)
        assert isinstance(outcome, Refused)
        assert outcome.kind is RefusalKind.AUTH
        with pytest.raises(Denied):
            await anext(api.list(since=0))
    async with connect("videos", server.url, ApiKey("right"), **LIMITS) as api:
        outcome = await api.create(Order("x", "nobody", "720x1280", 4), send_by=math.inf)
        assert isinstance(outcome, Refused)
        assert outcome.kind is RefusalKind.DEPLOYMENT_MISSING


async def test_moderation_shows_as_the_reason_of_a_failed_job(sandbox: Any) -> None:
    server = await sandbox(**FAST)
    async with connect("jobs", server.url, ApiKey("any"), **LIMITS) as api:
        taken = await accepted(api, Order("a forbidden boat", "sora", "480x480", 5))
        job = await finished(api, taken.remote_id)
        assert (job.status, job.failure_code, job.content_ids) == (RemoteStatus.FAILED, "input_moderation", ())


async def test_an_order_that_was_taken_although_its_answer_was_lost_is_unknown_and_stands_in_the_list(
    sandbox: Any,
) -> None:
    server = await sandbox(**FAST)
    async with httpx.AsyncClient() as client:
        for fault in ({"do": "drop_after"}, {"do": "status_after", "status": 500}):
            await client.post(f"{server.url}/_sandbox/faults", json={"on": "create", "times": 1, **fault})
    async with connect("videos", server.url, ApiKey("any"), **LIMITS) as api:
        for status in (None, 500):
            outcome = await api.create(SORA_2, send_by=math.inf)
            assert isinstance(outcome, Unknown)
            assert outcome.status == status
        assert len([job async for job in api.list(since=0)]) == 2


@pytest.fixture(scope="module")
def picture() -> bytes:
    import io

    import av
    import numpy as np

    out = io.BytesIO()
    with av.open(out, "w", format="image2pipe") as container:
        stream = container.add_stream("png", rate=1)
        stream.width, stream.height, stream.pix_fmt = 720, 1280, "rgb24"
        frame = av.VideoFrame.from_ndarray(np.zeros((1280, 720, 3), dtype=np.uint8), format="rgb24")
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return out.getvalue()
