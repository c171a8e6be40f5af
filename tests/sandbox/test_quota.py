"""Quotas are kept strictly, and the counters tell the truth about them."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest


async def test_a_create_too_many_in_the_window_gets_the_gateway_s_429(open_sandbox: Any, clock: Any) -> None:
    caller = await open_sandbox(quota={"per_minute": 2})
    assert [(await caller.order()).status_code for _ in range(2)] == [200, 200]
    clock.advance(20.5)
    refused = await caller.order()
    assert refused.status_code == 429
    assert refused.headers["retry-after"] == "40"
    assert refused.headers["retry-after-ms"] == "39500"
    assert refused.headers["x-ratelimit-remaining-requests"] == "0"
    error = refused.json()["error"]
    assert error["code"] == "429"
    assert "exceeded call rate limit" in error["message"]
    assert error["message"].endswith("Please retry after 40 seconds.")


async def test_the_window_rolls_and_is_strict_to_its_last_instant(open_sandbox: Any, clock: Any) -> None:
    caller = await open_sandbox(quota={"per_minute": 2})
    statuses = []
    for wait in (0, 30, 29.75, 0.25, 0, 29.75, 0.25):
        clock.advance(wait)
        statuses.append((await caller.order()).status_code)
    assert statuses == [200, 200, 429, 200, 429, 429, 200]
    stats = await caller.stats()
    assert (stats["accepted"], stats["refused_rate"], stats["peak_in_window"]) == (4, 3, 2)


async def test_a_shorter_window_scales_the_number_and_never_below_one(open_sandbox: Any, clock: Any) -> None:
    caller = await open_sandbox(quota={"per_minute": 2}, rate_window_s=3.0)
    assert [(await caller.order()).status_code for _ in range(2)] == [200, 429]
    clock.advance(3)
    assert (await caller.order()).status_code == 200


async def test_refused_creates_fill_the_window_only_when_told_so(open_sandbox: Any, clock: Any) -> None:
    strict = await open_sandbox(quota={"per_minute": 1}, count_refused=True)
    kind = await open_sandbox(quota={"per_minute": 1})
    for caller in (strict, kind):
        await caller.order()
    clock.advance(30)
    for caller in (strict, kind):
        assert (await caller.order()).status_code == 429
    clock.advance(30)
    assert (await strict.order()).status_code == 429
    assert (await kind.order()).status_code == 200
    assert (await strict.stats())["peak_in_window"] == 1, "of accepted ones"


async def test_too_many_running_is_refused_without_a_hint_when_to_retry(open_sandbox: Any, clock: Any) -> None:
    caller = await open_sandbox(quota={"concurrent": 2})
    await caller.video()
    clock.advance(5)
    await caller.video()
    refused = await caller.order()
    assert (refused.status_code, "retry-after" in refused.headers) == (429, False)
    assert refused.json() == {
        "error": {
            "message": "Too many running tasks",
            "type": "video_generation_user_error",
            "param": None,
            "code": None,
        }
    }
    clock.advance(6)
    assert (await caller.order()).status_code == 200, "the first has finished"
    assert (await caller.order()).status_code == 429
    stats = await caller.stats()
    assert (stats["running"], stats["peak_running"], stats["refused_concurrent"]) == (2, 2, 2)


async def test_of_creates_sent_at_once_only_as_many_pass_as_there_are_places(open_sandbox: Any) -> None:
    caller = await open_sandbox(quota={"concurrent": 3})
    answers = await asyncio.gather(*(caller.order() for _ in range(12)))
    assert sorted(answer.status_code for answer in answers) == [200] * 3 + [429] * 9
    assert (await caller.stats())["peak_running"] == 3


async def test_both_apis_and_remix_stand_under_their_deployment_s_quota(open_sandbox: Any, clock: Any) -> None:
    caller = await open_sandbox(quota={"concurrent": 1})
    assert [(await caller.order_job()).status_code for _ in range(2)] == [200, 429]
    source = await caller.video()
    clock.advance(11)
    remix = f"/openai/v1/videos/{source}/remix"
    assert (await caller.http.post(remix, json={"prompt": "again"})).status_code == 200
    assert (await caller.http.post(remix, json={"prompt": "and again"})).status_code == 429


async def test_a_running_job_that_is_deleted_keeps_its_place(open_sandbox: Any, clock: Any) -> None:
    caller = await open_sandbox(quota={"concurrent": 1})
    job_id = await caller.job()
    await caller.http.delete(f"/openai/v1/video/generations/jobs/{job_id}")
    assert (await caller.order_job()).status_code == 429
    clock.advance(11)
    assert (await caller.order_job()).status_code == 200


async def test_invalid_creates_take_nothing_and_are_counted_apart(open_sandbox: Any) -> None:
    caller = await open_sandbox(quota={"per_minute": 1})
    assert (await caller.order(seconds=1)).status_code == 400
    assert (await caller.order(model="elsewhere")).status_code == 404
    assert (await caller.order()).status_code == 200
    stats = await caller.stats()
    assert (stats["accepted"], stats["refused_other"], stats["refused_rate"]) == (1, 1, 0)
    assert (await caller.get("/_sandbox/stats")).json()["unknown_deployment"] == 1


async def test_the_bill_is_by_second_and_api(caller: Any) -> None:
    await caller.video(seconds="3")
    await caller.job(n_seconds=3)
    assert (await caller.stats("tiny"))["bill_usd"] == pytest.approx(0.3)
    assert (await caller.stats("tiny-jobs"))["bill_usd"] == pytest.approx(0.6)
