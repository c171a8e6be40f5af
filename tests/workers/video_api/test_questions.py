"""get, list and delete against every server that answers in a way of its own."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

import workers.video_api.listing as listing
from tests.workers.wire_server import WireServer, answer, drop, hang
from workers.video_api import (
    ApiError,
    BadAnswer,
    Denied,
    Missing,
    RemoteJob,
    RemoteStatus,
    Repeats,
    ServerFault,
    Throttled,
    Unreachable,
)

VIDEO = {
    "id": "video_1",
    "object": "video",
    "model": "sora-2",
    "status": "completed",
    "progress": 100,
    "created_at": 1760627796,
    "completed_at": 1760627863,
    "expires_at": 1760714196,
    "seconds": "4",
    "size": "720x1280",
    "prompt": None,
    "error": None,
    "quality": "high",
}
TASK = {
    "object": "video.generation.job",
    "id": "task_1",
    "status": "succeeded",
    "created_at": 1000,
    "finished_at": 1100,
    "expires_at": 1100 + 86400,
    "generations": [{"object": "video.generation", "id": "gen_1", "job_id": "task_1"}],
    "prompt": "A boat",
    "model": "sora",
    "n_variants": 1,
    "n_seconds": 5,
    "height": 480,
    "width": 854,
    "failure_reason": None,
}


async def test_a_video_object_is_read_whole(bench: Any) -> None:
    server, api = await bench(answer(200, VIDEO, {"openai-poll-after-ms": "2500"}))
    assert await api.get("video_1") == RemoteJob(
        remote_id="video_1",
        status=RemoteStatus.SUCCEEDED,
        raw_status="completed",
        progress=100,
        created_at=1760627796,
        completed_at=1760627863,
        expires_at=1760714196,
        prompt=None,
        model="sora-2",
        size="720x1280",
        seconds=4,
        content_ids=("video_1",),
        poll_after_s=2.5,
    )
    assert server.requests[0].target == "/openai/v1/videos/video_1"


async def test_a_sora_1_job_is_read_whole_and_expires_at_the_earlier_of_its_two_documented_times(bench: Any) -> None:
    server, api = await bench(answer(200, TASK), api="jobs")
    assert await api.get("task_1") == RemoteJob(
        remote_id="task_1",
        status=RemoteStatus.SUCCEEDED,
        raw_status="succeeded",
        created_at=1000,
        completed_at=1100,
        expires_at=1000 + 86400,
        prompt="A boat",
        model="sora",
        size="854x480",
        seconds=5,
        content_ids=("gen_1",),
    )
    assert server.requests[0].target == "/openai/v1/video/generations/jobs/task_1?api-version=preview"


async def test_a_sora_1_job_may_succeed_without_a_single_generation(bench: Any) -> None:
    _, api = await bench(answer(200, TASK | {"generations": []}), answer(200, TASK | {"generations": None}), api="jobs")
    assert [(await api.get("task_1")).content_ids for _ in range(2)] == [(), ()]


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (RemoteStatus.SUCCEEDED, ["completed", "succeeded", "Completed"]),
        (RemoteStatus.FAILED, ["failed", "error"]),
        (RemoteStatus.GONE, ["cancelled", "canceled", "expired", "deleted"]),
        (
            RemoteStatus.RUNNING,
            [
                "queued",
                "pending",
                "not_started",
                "in_progress",
                "processing",
                "running",
                "generating",
                "postprocessing",
                "meditating",
            ],
        ),
    ],
)
async def test_status_words_are_normalised_and_an_unknown_one_means_still_running(
    bench: Any, status: RemoteStatus, words: list[str]
) -> None:
    _, api = await bench(*[answer(200, VIDEO | {"status": word}) for word in words])
    for word in words:
        job = await api.get("video_1")
        assert (job.status, job.raw_status) == (status, word)


async def test_why_a_job_failed_is_told_in_both_dialects(bench: Any) -> None:
    error = {"code": "moderation_blocked", "message": "Your request was blocked by our moderation system."}
    _, videos = await bench(answer(200, VIDEO | {"status": "failed", "error": error}))
    job = await videos.get("video_1")
    assert (job.failure_code, job.failure_message, job.content_ids) == ("moderation_blocked", error["message"], ())
    _, jobs = await bench(answer(200, TASK | {"status": "failed", "failure_reason": "input_moderation"}), api="jobs")
    assert (await jobs.get("task_1")).failure_code == "input_moderation"


@pytest.mark.parametrize("status", [404, 422, 500, 503])
async def test_a_failed_job_that_comes_as_an_http_error_is_a_failed_job(bench: Any, status: int) -> None:
    """vLLM-Omni answers the GET of a failed job with 4xx or 5xx, the job as body, and an integer code."""
    body = VIDEO | {"status": "failed", "error": {"code": 500, "message": "CUDA out of memory"}}
    _, api = await bench(answer(status, body))
    job = await api.get("video_1")
    assert (job.status, job.failure_code) == (RemoteStatus.FAILED, "500")


async def test_an_http_error_with_a_job_that_still_runs_stays_an_error(bench: Any) -> None:
    _, api = await bench(answer(500, VIDEO | {"status": "in_progress"}))
    with pytest.raises(ServerFault):
        await api.get("video_1")


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (401, Denied),
        (403, Denied),
        (404, Missing),
        (410, Missing),
        (429, Throttled),
        (500, ServerFault),
        (503, ServerFault),
        (302, BadAnswer),
        (400, BadAnswer),
        (409, BadAnswer),
    ],
)
async def test_each_status_of_a_get_has_its_error_with_code_words_and_request_id(
    bench: Any, status: int, kind: type[ApiError]
) -> None:
    body = {"error": {"code": "no_luck", "message": "Not today."}}
    head = {"apim-request-id": "r-5", "Retry-After": "4", "Location": "http://127.0.0.1:9/"}
    _, api = await bench(answer(status, body, head))
    with pytest.raises(ApiError) as raised:
        await api.get("video_1")
    error = raised.value
    assert type(error) is kind
    assert (error.status, error.code, error.message) == (status, "no_luck", "Not today.")
    assert (error.request_id, error.retry_after_s) == ("r-5", 4.0)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"error": {"code": "c", "message": "wrapped"}}, "wrapped"),
        ({"code": "c", "message": "bare"}, "bare"),
        ({"detail": "fastapi"}, "fastapi"),
        ({"detail": [{"loc": ["query", "limit"], "msg": "too large", "type": "x"}]}, "query.limit: too large"),
        ({"error": "a string"}, "a string"),
        (b"<html><body>Bad  Gateway</body></html>", "Bad Gateway"),
        (b"upstream \x1b[31mfailed\x00", "upstream [31mfailed"),
        (b"", "an empty body with status 500"),
        ({"error": {"message": "x" * 9000}}, "x" * 499 + "…"),
    ],
)
async def test_error_bodies_of_every_shape_are_told_in_short_plain_words(
    bench: Any, body: object, message: str
) -> None:
    _, api = await bench(answer(500, body))
    with pytest.raises(ServerFault) as raised:
        await api.get("video_1")
    assert raised.value.message == message


@pytest.mark.parametrize("body", [b"<html>", b"", {}, [], {"id": "video_1"}, {"status": "completed"}, b'{"id": "v'])
async def test_a_200_that_is_no_job_is_a_bad_answer(bench: Any, body: object) -> None:
    _, api = await bench(answer(200, body))
    with pytest.raises(BadAnswer):
        await api.get("video_1")


async def test_nonsense_in_fields_never_breaks_the_reading_of_a_job(bench: Any) -> None:
    odd = {
        "progress": "half",
        "created_at": "soon",
        "completed_at": -1,
        "expires_at": 1e400,
        "prompt": 7,
        "size": [],
        "seconds": 8.0,
        "model": {},
        "error": "text",
    }
    _, api = await bench(answer(200, VIDEO | odd, {"openai-poll-after-ms": "soon"}))
    job = await api.get("video_1")
    assert (job.progress, job.created_at, job.completed_at, job.expires_at) == (None, None, None, None)
    assert (job.prompt, job.size, job.seconds, job.model, job.failure_message) == (None, None, 8, None, "text")
    assert job.poll_after_s is None


async def test_no_answer_is_unreachable_and_names_the_host(bench: Any) -> None:
    _, dropped = await bench(drop)
    _, slow = await bench(hang, read_timeout_s=0.2)
    for api in (dropped, slow):
        with pytest.raises(Unreachable, match=r"127\.0\.0\.1"):
            await api.get("video_1")


async def test_an_answer_that_drips_is_bounded_as_a_whole(bench: Any) -> None:
    async def drip(writer: asyncio.StreamWriter) -> None:
        await answer(200, b"{", length=5000)(writer)
        while True:
            writer.write(b" ")
            await asyncio.sleep(0.02)

    _, api = await bench(drip, read_timeout_s=0.2)
    with pytest.raises(Unreachable):
        await api.get("video_1")


async def test_an_answer_of_absurd_size_is_a_bad_answer(bench: Any) -> None:
    _, api = await bench(answer(200, b" " * (9 * 1024 * 1024)))
    with pytest.raises(BadAnswer, match="bytes"):
        await api.get("video_1")


def page(*jobs: tuple[str, float | None], **more: Any) -> dict[str, Any]:
    data = [VIDEO | {"id": name, "created_at": created} for name, created in jobs]
    return {"object": "list", "data": data, "last_id": jobs[-1][0] if jobs else None, **more}


async def ids(api: Any, since: float) -> list[str]:
    return [job.remote_id async for job in api.list(since=since)]


async def test_a_listing_is_paged_newest_first_and_stops_at_the_first_page_that_ends_too_old(bench: Any) -> None:
    server, api = await bench(
        answer(200, page(("e", 50), ("d", 40), has_more=True)),
        answer(200, page(("c", 30), ("b", 20), has_more=True)),
        answer(200, page(("a", 10), has_more=False)),
    )
    assert await ids(api, since=25) == ["e", "d", "c"]
    assert [request.target for request in server.requests] == [
        "/openai/v1/videos?limit=100&order=desc",
        "/openai/v1/videos?limit=100&order=desc&after=d",
    ]


async def test_a_server_that_lists_oldest_first_is_read_to_its_end(bench: Any) -> None:
    _, api = await bench(
        answer(200, page(("a", 10), ("b", 20), has_more=True)), answer(200, page(("c", 30), has_more=False))
    )
    assert await ids(api, since=25) == ["c"]


async def test_a_server_that_ignores_after_has_shown_what_it_shows_and_proven_nothing(bench: Any) -> None:
    """Promise 10: behind its first page there may be the one that is looked for."""
    server, api = await bench(answer(200, page(("b", 20), ("a", 10), has_more=True)))
    jobs = api.list(since=0)
    assert [(await anext(jobs)).remote_id, (await anext(jobs)).remote_id] == ["b", "a"]
    with pytest.raises(Repeats):
        await anext(jobs)
    assert len(server.requests) == 2
    assert await ids(api, since=15) == ["b"]


async def test_a_listing_without_end_is_given_up(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Promise 8: bounded, whatever a server says."""
    monkeypatch.setattr(listing, "MOST_PAGES", 3)
    _, api = await bench(*(answer(200, page((f"video_{n}", 99 - n), has_more=True)) for n in range(5)))
    with pytest.raises(BadAnswer, match="does not end within 3 pages"):
        await ids(api, since=0)


async def test_a_job_without_a_time_of_creation_is_listed(bench: Any) -> None:
    _, api = await bench(answer(200, page(("x", None), has_more=False)))
    assert await ids(api, since=1e12) == ["x"]


async def test_without_has_more_a_short_page_is_the_last_one(bench: Any) -> None:
    server, api = await bench(answer(200, page(("b", 20))))
    assert await ids(api, since=0) == ["b"]
    assert len(server.requests) == 1


async def test_sora_1_is_always_asked_with_a_limit(bench: Any) -> None:
    body = {"object": "list", "data": [TASK], "has_more": False}
    server, api = await bench(answer(200, body), api="jobs")
    assert await ids(api, since=0) == ["task_1"]
    assert server.requests[0].target == "/openai/v1/video/generations/jobs?api-version=preview&limit=10"


@pytest.mark.parametrize("kind", ["videos", "jobs"])
async def test_the_servers_time_is_that_of_its_own_clock_or_none(bench: Any, kind: str) -> None:
    dated = answer(200, page(has_more=False), {"Date": "Thu, 16 Oct 2025 15:16:36 GMT"})
    server, api = await bench(dated, answer(200, page(has_more=False)), answer(503, b""), api=kind)
    assert [await api.server_time(), await api.server_time()] == [1760627796.0, None]
    with pytest.raises(ServerFault):
        await api.server_time()
    assert [("limit=1" in request.target) for request in server.requests] == [True] * 3


@pytest.mark.parametrize("body", [{}, [], {"data": None}, b"<html>"])
async def test_an_answer_that_is_no_list_is_an_error_and_never_an_empty_list(bench: Any, body: object) -> None:
    _, api = await bench(answer(200, body))
    with pytest.raises(BadAnswer):
        await ids(api, since=0)


async def test_a_listing_that_breaks_off_raises(bench: Any) -> None:
    _, api = await bench(answer(200, page(("e", 50), has_more=True)), answer(503, b""))
    with pytest.raises(ServerFault):
        await ids(api, since=0)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, {"id": "video_1", "deleted": True}),
        (204, b""),
        (200, VIDEO | {"status": "deleted"}),
        (404, b""),
        (410, b""),
    ],
)
async def test_a_delete_is_content_when_the_video_is_gone(bench: Any, status: int, body: object) -> None:
    server, api = await bench(answer(status, body, {"Content-Type": "application/json"}))
    await api.delete("video_1")
    assert (server.requests[0].method, server.requests[0].target) == ("DELETE", "/openai/v1/videos/video_1")


async def test_a_delete_that_is_refused_raises(bench: Any) -> None:
    _, api = await bench(answer(409, {"detail": "Cancellation in progress"}))
    with pytest.raises(BadAnswer, match="Cancellation"):
        await api.delete("video_1")


async def test_ids_are_percent_encoded_wherever_they_stand_in_a_path(bench: Any) -> None:
    server, api = await bench(answer(200, VIDEO))
    await api.get("a/b=?")
    await api.delete("a/b=?")
    assert [request.target for request in server.requests] == ["/openai/v1/videos/a%2Fb%3D%3F"] * 2


async def test_a_question_is_never_redirected(bench: Any) -> None:
    async with WireServer([answer(200, VIDEO)]) as other:
        _, api = await bench(answer(307, b"", {"Location": other.url}))
        with pytest.raises(BadAnswer):
            await api.get("video_1")
        assert other.requests == []
