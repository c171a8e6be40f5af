"""The videos API (Sora 2), call by call."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

import pytest

from sandbox.films.scene import FilmSpec
from sandbox.films.stills import thumbnail

VIDEOS = "/openai/v1/videos"
PICTURE = thumbnail(FilmSpec(64, 64, 1, audio=False), "WEBP")
JPEG = thumbnail(FilmSpec(64, 64, 1, audio=False), "JPEG")


async def test_a_video_goes_from_queued_to_completed_by_the_clock_alone(caller: Any, clock: Any) -> None:
    video = (await caller.order("A boat")).json()
    assert video == {
        "id": video["id"],
        "object": "video",
        "model": "any",
        "status": "queued",
        "progress": 0,
        "created_at": 1_790_000_000,
        "completed_at": None,
        "expires_at": None,
        "prompt": "A boat",
        "seconds": "1",
        "size": "64x64",
        "remixed_from_video_id": None,
        "error": None,
    }
    assert video["id"].startswith("video_")
    clock.advance(6)
    half = (await caller.get(f"{VIDEOS}/{video['id']}")).json()
    assert (half["status"], half["progress"]) == ("in_progress", 50)
    clock.advance(5)
    done = (await caller.get(f"{VIDEOS}/{video['id']}")).json()
    assert (done["status"], done["progress"]) == ("completed", 100)
    assert (done["completed_at"], done["expires_at"]) == (1_790_000_011, 1_790_086_400)


async def test_the_same_api_answers_below_openai_s_own_prefix(caller: Any) -> None:
    video_id = await caller.video()
    assert (await caller.get(f"/v1/videos/{video_id}")).json()["id"] == video_id


async def test_every_answer_has_a_request_id_and_the_sandbox_s_date(caller: Any) -> None:
    for path in (VIDEOS, f"{VIDEOS}/video_none", "/nowhere", "/_sandbox/stats"):
        headers = (await caller.get(path)).headers
        assert headers["apim-request-id"]
        assert headers.get_list("date") == ["Mon, 21 Sep 2026 14:13:20 GMT"]


async def test_a_form_creates_as_json_does_and_its_picture_is_kept_by_hash(caller: Any) -> None:
    fields = {"model": "tiny", "prompt": "A boat", "size": "64x64", "seconds": "1"}
    picture = {"input_reference": ("boat.webp", PICTURE, "image/webp")}
    answer = await caller.http.post(VIDEOS, data=fields, files=picture)
    assert answer.status_code == 200, answer.text
    as_data_url = f"data:image/jpeg;base64,{base64.b64encode(JPEG).decode()}"
    assert (await caller.order(input_reference={"image_url": as_data_url})).status_code == 200
    hashes = [job["input_reference_sha256"] for job in await caller.seen()]
    assert hashes == [hashlib.sha256(PICTURE).hexdigest(), hashlib.sha256(JPEG).hexdigest()]


async def test_defaults_are_four_seconds_upright(caller: Any) -> None:
    answer = await caller.http.post(VIDEOS, json={"model": "my-sora-2", "prompt": "A boat"})
    assert (answer.json()["seconds"], answer.json()["size"]) == ("4", "720x1280")


@pytest.mark.parametrize(
    ("fields", "param", "message"),
    [
        ({"model": None}, "model", "Missing required parameter: 'model'."),
        ({"prompt": None}, "prompt", "Missing required parameter: 'prompt'."),
        ({"prompt": "x" * 32_001}, "prompt", "maximum length 32000"),
        ({"seconds": 4}, "seconds", "expected one of '4', '8', or '12', but got an integer instead"),
        ({"seconds": "04"}, "seconds", "Invalid value: '04'."),
        ({"prompt": "\ud800"}, "prompt", "surrogate"),
        ({"seconds": "5"}, "seconds", "Supported values are: '4', '8', and '12'."),
        ({"size": "480x480"}, "size", "Supported values are: '720x1280', and '1280x720'."),
        ({"size": "big"}, "size", "Invalid value: 'big'"),
        ({"n": 2}, "n", "Unknown parameter: 'n'."),
        ({"input_reference": {"file_id": "file-1"}}, "input_reference", "image_url"),
        ({"input_reference": {"image_url": "http://a/b.png"}}, "input_reference.image_url", "data URL"),
        ({"input_reference": {"image_url": "data:image/png;base64,AAAA"}}, "input_reference", "no JPEG"),
    ],
)
async def test_a_create_with_a_wrong_field_is_refused_by_name(
    caller: Any, fields: dict[str, Any], param: str, message: str
) -> None:
    body = {"model": "my-sora-2", "prompt": "A boat", "size": "720x1280", "seconds": "4", **fields}
    sent = json.dumps({key: body[key] for key in body if body[key] is not None})
    answer = await caller.http.post(VIDEOS, content=sent, headers={"content-type": "application/json"})
    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == param
    assert message in answer.json()["error"]["message"]
    assert await caller.seen() == []


async def test_a_reference_of_another_size_than_the_video_is_refused(caller: Any) -> None:
    fields = {"model": "tiny", "prompt": "A boat", "size": "64x128", "seconds": "1"}
    answer = await caller.http.post(VIDEOS, data=fields, files={"input_reference": ("a.webp", PICTURE, "image/webp")})
    assert answer.status_code == 400
    assert "it is 64x64, but 64x128 was requested" in answer.json()["error"]["message"]


async def test_a_body_that_is_no_json_is_refused(caller: Any) -> None:
    answer = await caller.http.post(VIDEOS, content=b"{", headers={"content-type": "application/json"})
    assert answer.status_code == 400


async def test_a_missing_deployment_looks_like_too_many_running_but_for_status_and_message(caller: Any) -> None:
    answer = await caller.order(model="elsewhere")
    assert answer.status_code == 404
    assert answer.json()["error"] == {
        "message": "The API deployment 'elsewhere' for this resource does not exist. If you created the "
        "deployment within the last 5 minutes, please wait a moment and try again.",
        "type": "video_generation_user_error",
        "param": None,
        "code": None,
    }
    assert (await caller.order(model="my-sora")).status_code == 404, "it speaks the other API"


async def test_a_wrong_key_is_denied_and_either_way_of_sending_the_right_one_is_taken(open_sandbox: Any) -> None:
    caller = await open_sandbox(api_key="right")
    for headers in ({}, {"api-key": "wrong"}, {"authorization": "Bearer wrong"}):
        answer = await caller.http.get(VIDEOS, headers=headers)
        assert (answer.status_code, answer.json()["error"]["code"]) == (401, "401")
    for headers in ({"api-key": "right"}, {"authorization": "Bearer right"}):
        assert (await caller.http.get(VIDEOS, headers=headers)).status_code == 200


async def test_a_blocked_word_fails_the_job_at_its_end_and_costs_nothing(caller: Any, clock: Any) -> None:
    video_id = await caller.video(prompt="Something FORBIDDEN, really")
    await caller.video(prompt="unforbiddenly good")
    assert (await caller.get(f"{VIDEOS}/{video_id}")).json()["error"] is None
    clock.advance(11)
    failed = (await caller.get(f"{VIDEOS}/{video_id}")).json()
    assert (failed["status"], failed["completed_at"], failed["expires_at"]) == ("failed", None, None)
    assert failed["error"] == {
        "code": "moderation_blocked",
        "message": "Your request was blocked by our moderation system.",
    }
    assert (await caller.get(f"{VIDEOS}/{video_id}/content")).status_code == 404
    assert (await caller.stats())["bill_usd"] == pytest.approx(0.1)


async def test_prompts_are_hidden_when_told_so(open_sandbox: Any) -> None:
    caller = await open_sandbox(hide_prompts=True)
    created = (await caller.order("A secret")).json()
    listed = (await caller.get(VIDEOS)).json()["data"][0]
    assert (created["prompt"], listed["prompt"]) == (None, None)
    assert [job["prompt"] for job in await caller.seen()] == ["A secret"]


async def test_an_expired_video_is_gone_everywhere(open_sandbox: Any, clock: Any) -> None:
    caller = await open_sandbox(retention_s=60)
    video_id = await caller.video()
    clock.advance(59)
    assert (await caller.get(f"{VIDEOS}/{video_id}/content")).status_code == 200
    clock.advance(1)
    for path in ("", "/content"):
        assert (await caller.get(f"{VIDEOS}/{video_id}{path}")).status_code == 404
    assert (await caller.get(VIDEOS)).json()["data"] == []


async def test_the_list_is_paged_in_either_order(caller: Any) -> None:
    ids = [await caller.video() for _ in range(5)]
    newest = (await caller.get(VIDEOS, limit=2)).json()
    assert [video["id"] for video in newest["data"]] == [ids[4], ids[3]]
    assert (newest["object"], newest["first_id"], newest["last_id"], newest["has_more"]) == (
        *("list", ids[4], ids[3]),
        True,
    )
    rest = (await caller.get(VIDEOS, limit=3, after=newest["last_id"])).json()
    assert [video["id"] for video in rest["data"]] == [ids[2], ids[1], ids[0]]
    assert rest["has_more"] is False
    oldest = (await caller.get(VIDEOS, limit=2, order="asc", after=ids[0])).json()
    assert [video["id"] for video in oldest["data"]] == [ids[1], ids[2]]
    nothing = (await caller.get(VIDEOS, limit=0)).json()
    assert (nothing["data"], nothing["first_id"], nothing["has_more"]) == ([], None, True)


async def test_a_wrong_page_is_refused(caller: Any) -> None:
    for params in ({"limit": 101}, {"limit": "many"}, {"order": "up"}, {"after": "video_none"}):
        assert (await caller.get(VIDEOS, **params)).status_code == 400


async def test_a_remix_takes_size_and_length_of_a_completed_source_only(caller: Any, clock: Any) -> None:
    source = await caller.video(size="64x128", seconds="2")
    remix = f"{VIDEOS}/{source}/remix"
    early = await caller.http.post(remix, json={"prompt": "Now at night"})
    assert early.status_code == 400
    clock.advance(11)
    assert (await caller.http.post(remix, json={})).status_code == 400
    made = (await caller.http.post(remix, json={"prompt": "Now at night"})).json()
    assert (made["remixed_from_video_id"], made["size"], made["seconds"]) == (source, "64x128", "2")
    assert (await caller.http.post(remix, files={"prompt": (None, "At dawn")})).status_code == 200
    lost = await caller.http.post(f"{VIDEOS}/video_none/remix", json={"prompt": "x"})
    assert lost.status_code == 404
    assert "deployment" not in lost.text


async def test_a_video_is_deleted_once_it_is_finished(caller: Any, clock: Any) -> None:
    video_id = await caller.video()
    assert (await caller.http.delete(f"{VIDEOS}/{video_id}")).status_code == 409
    clock.advance(11)
    gone = await caller.http.delete(f"{VIDEOS}/{video_id}")
    assert gone.json() == {"id": video_id, "object": "video.deleted", "deleted": True}
    assert (await caller.get(f"{VIDEOS}/{video_id}")).status_code == 404
    assert (await caller.http.delete(f"{VIDEOS}/{video_id}")).status_code == 404


async def test_callers_are_told_when_to_look_again_until_the_video_is_finished(open_sandbox: Any, clock: Any) -> None:
    caller = await open_sandbox(poll_after_ms=250)
    answer = await caller.order()
    assert answer.headers["openai-poll-after-ms"] == "250"
    clock.advance(11)
    done = await caller.get(f"{VIDEOS}/{answer.json()['id']}")
    assert "openai-poll-after-ms" not in done.headers


async def test_looks_are_counted_and_the_first_after_the_end_is_dated(caller: Any, clock: Any) -> None:
    video_id = await caller.video()
    await caller.get(f"{VIDEOS}/{video_id}")
    [before] = await caller.seen()
    assert (before["gets"], before["first_get_after_finish_at"], before["finished_at"]) == (1, None, None)
    clock.advance(13)
    await caller.get(f"{VIDEOS}/{video_id}")
    [after] = await caller.seen()
    assert (after["gets"], after["first_get_after_finish_at"]) == (2, clock())
    assert (after["created_at"], after["finished_at"]) == (clock() - 13, clock() - 2)


async def test_a_dated_api_version_is_not_supported(caller: Any) -> None:
    answer = await caller.get(VIDEOS, **{"api-version": "2024-10-21"})
    assert (answer.status_code, answer.json()["error"]["message"]) == (400, "API version not supported")
    assert (await caller.get(VIDEOS, **{"api-version": "preview"})).status_code == 200


async def test_unknown_paths_and_methods_answer_errors_in_json(caller: Any) -> None:
    assert (await caller.get("/openai/v1/nothing")).json()["error"]["message"] == "Resource not found"
    assert (await caller.http.put(VIDEOS)).status_code == 405
