"""Faults hit the requests that they are meant for, as often as told, and do what they say."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

VIDEOS = "/openai/v1/videos"
JOBS = "/openai/v1/video/generations/jobs"


async def test_a_dropped_answer_leaves_an_accepted_job_behind(caller: Any) -> None:
    await caller.fault(on="create", do="drop_after")
    with pytest.raises(httpx.RemoteProtocolError):
        await caller.order("lost")
    assert [job["prompt"] for job in await caller.seen()] == ["lost"]
    assert (await caller.order("next")).status_code == 200


async def test_a_dropped_request_leaves_nothing(caller: Any) -> None:
    await caller.fault(on="create", do="drop")
    with pytest.raises(httpx.RemoteProtocolError):
        await caller.order()
    assert await caller.seen() == []


async def test_an_answer_is_replaced_before_or_after_the_job_is_accepted(caller: Any) -> None:
    await caller.fault(on="create", do="status", status=503, body="busy", headers={"retry-after": "7"})
    before = await caller.order()
    assert (before.status_code, before.text, before.headers["retry-after"]) == (503, "busy", "7")
    assert await caller.seen() == []
    await caller.fault(on="create", do="status_after", body={"odd": True})
    after = await caller.order()
    assert (after.status_code, after.json()) == (500, {"odd": True})
    assert len(await caller.seen()) == 1


async def test_silence_after_the_job_is_accepted_ends_with_the_connection(caller: Any) -> None:
    await caller.fault(on="create", do="hang_after", seconds=0.01)
    with pytest.raises(httpx.RemoteProtocolError):
        await caller.order()
    assert len(await caller.seen()) == 1


async def test_a_caller_that_gives_up_on_silence_ends_it(caller: Any) -> None:
    await caller.fault(on="create", do="hang_after")
    with pytest.raises(httpx.ReadTimeout):
        await caller.http.post(
            VIDEOS,
            json={"model": "tiny", "prompt": "a", "size": "64x64", "seconds": "1"},
            timeout=httpx.Timeout(30, read=1),
        )
    assert len(await caller.seen()) == 1


async def test_a_job_told_to_fail_ends_with_the_given_code(caller: Any, clock: Any) -> None:
    await caller.fault(on="create", do="fail", code="internal_error", message="Sorry")
    video_id = await caller.video()
    clock.advance(11)
    failed = (await caller.get(f"{VIDEOS}/{video_id}")).json()
    assert failed["error"] == {"code": "internal_error", "message": "Sorry"}


async def test_a_download_is_cut_in_the_open_or_in_secret(caller: Any, clock: Any) -> None:
    video_id = await caller.video()
    clock.advance(11)
    path = f"{VIDEOS}/{video_id}/content"
    whole = await caller.get(path)
    for do in ("truncate", "stall"):
        await caller.fault(on="content", do=do, seconds=0.01)
        with pytest.raises(httpx.RemoteProtocolError):
            await caller.get(path)
    await caller.fault(on="content", do="truncate", bytes=100, length=False)
    secret = await caller.get(path)
    assert "content-length" not in secret.headers
    assert secret.content == whole.content[:100]
    assert (await caller.get(path)).content == whole.content


async def test_a_fault_waits_for_its_call_and_its_deployment(caller: Any) -> None:
    await caller.fault(on="create", do="status", deployment="tiny-jobs")
    await caller.fault(on="list", do="status", status=502)
    assert (await caller.order()).status_code == 200
    assert (await caller.order_job()).status_code == 500
    assert (await caller.get(VIDEOS)).status_code == 502
    assert (await caller.get(VIDEOS)).status_code == 200


async def test_faults_come_as_often_as_told_in_their_order(caller: Any) -> None:
    video_id = await caller.video()
    path = f"{VIDEOS}/{video_id}"
    await caller.fault(on="get", do="status", status=500, times=2)
    await caller.fault(on="get", do="status", status=501, times=None)
    assert [(await caller.get(path)).status_code for _ in range(4)] == [500, 500, 501, 501]
    assert (await caller.http.delete("/_sandbox/faults")).status_code == 204
    assert (await caller.get(path)).status_code == 200


async def test_a_fault_by_chance_hits_some_and_spares_some(open_sandbox: Any) -> None:
    caller = await open_sandbox(seed=7)
    await caller.fault(on="list", do="status", times=None, chance=0.5)
    statuses = {(await caller.get(VIDEOS)).status_code for _ in range(40)}
    assert statuses == {200, 500}


async def test_a_request_that_is_refused_anyway_uses_no_fault_up(open_sandbox: Any) -> None:
    caller = await open_sandbox(quota={"concurrent": 1})
    await caller.fault(on="create", do="delay", seconds=0)
    assert (await caller.order()).status_code == 200
    await caller.fault(on="create", do="drop_after")
    assert (await caller.order()).status_code == 429
    with pytest.raises(httpx.RemoteProtocolError):
        await caller.order_job()


async def test_prompts_are_left_out_of_one_answer_and_stand_in_the_next(caller: Any) -> None:
    """Of both APIs, wherever they stand."""
    await caller.order()
    job_id = await caller.job()
    for path in (VIDEOS, JOBS, f"{JOBS}/{job_id}"):
        on = "get" if path.endswith(job_id) else "list"
        await caller.fault(on=on, do="hide_prompts")
        hidden, shown = [(await caller.get(path)).json() for _ in range(2)]
        first, second = [page["data"][0] if on == "list" else page for page in (hidden, shown)]
        assert (first["prompt"], second["prompt"]) == (None, "A paper boat")
        assert first | {"prompt": second["prompt"]} == second


async def test_a_list_that_lags_does_not_show_the_newest_jobs(caller: Any, clock: Any) -> None:
    old = await caller.video()
    clock.advance(10)
    new = await caller.video()
    await caller.fault(on="list", do="lag", seconds=5)
    lagging = (await caller.get(VIDEOS)).json()
    assert ([job["id"] for job in lagging["data"]], lagging["first_id"]) == ([old], old)
    assert [job["id"] for job in (await caller.get(VIDEOS)).json()["data"]] == [new, old]


@pytest.mark.parametrize(
    ("fault", "problem"),
    [
        ({"on": "create", "do": "explode"}, "do: 'explode' is none of"),
        ({"on": "dream", "do": "drop"}, "on: 'dream' is none of"),
        ({"on": "create"}, "do: is missing"),
        ({"on": "create", "do": "truncate"}, "goes with on: content only"),
        ({"on": "create", "do": "drop", "often": 2}, "often: no such field"),
        ({"on": "create", "do": "drop", "times": "all"}, "times: 'all' is of the wrong type"),
        ([], "a fault is a JSON object"),
    ],
)
async def test_a_fault_that_makes_no_sense_is_refused(caller: Any, fault: Any, problem: str) -> None:
    answer = await caller.http.post("/_sandbox/faults", json=fault)
    assert answer.status_code == 400
    assert problem in answer.json()["problem"]
