"""The jobs API (Sora 1), call by call."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest

from sandbox.films.scene import FilmSpec
from sandbox.films.stills import thumbnail

JOBS = "/openai/v1/video/generations/jobs"
GENERATIONS = "/openai/v1/video/generations"
PICTURE = thumbnail(FilmSpec(64, 64, 1, audio=False), "JPEG")


async def test_a_job_passes_through_its_states_by_the_clock_alone(caller: Any, clock: Any) -> None:
    created = (await caller.order_job("A boat")).json()
    assert created["object"] == "video.generation.job"
    assert created["id"].startswith("task_")
    assert (created["generations"], created["finished_at"], created["prompt"]) == ([], None, "A boat")
    states = [created["status"]]
    for step in (1.5, 4, 4.5, 1):
        clock.advance(step)
        states.append((await caller.get(f"{JOBS}/{created['id']}")).json()["status"])
    assert states == ["queued", "preprocessing", "running", "processing", "succeeded"]
    done = (await caller.get(f"{JOBS}/{created['id']}")).json()
    assert (done["finished_at"], done["expires_at"]) == (1_790_000_011, 1_790_086_400)
    [generation] = done["generations"]
    alone = (await caller.get(f"{GENERATIONS}/{generation['id']}")).json()
    assert alone == generation
    assert (alone["object"], alone["job_id"]) == ("video.generation", created["id"])
    assert (alone["width"], alone["height"], alone["n_seconds"], alone["prompt"]) == (64, 64, 1, "A boat")


async def test_each_variant_is_a_film_of_its_own(caller: Any, clock: Any) -> None:
    job_id = await caller.job(n_variants=3)
    clock.advance(11)
    names = [item["id"] for item in (await caller.get(f"{JOBS}/{job_id}")).json()["generations"]]
    films = [(await caller.get(f"{GENERATIONS}/{name}/content/video")).content for name in names]
    assert len(set(films)) == 3
    [seen] = await caller.seen()
    assert seen["contents"] == {name: hashlib.sha256(film).hexdigest() for name, film in zip(names, films, strict=True)}
    assert (await caller.stats("tiny-jobs"))["bill_usd"] == pytest.approx(0.6)


async def test_content_waits_for_the_end(caller: Any) -> None:
    job_id = await caller.job()
    name = next(iter((await caller.seen())[0]["contents"]))
    assert (await caller.get(f"{GENERATIONS}/{name}/content/video")).status_code == 404
    assert (await caller.get(f"{GENERATIONS}/{job_id}/content/video")).status_code == 404


async def test_a_thumbnail_is_a_jpeg(caller: Any, clock: Any) -> None:
    job_id = await caller.job()
    clock.advance(11)
    name = (await caller.get(f"{JOBS}/{job_id}")).json()["generations"][0]["id"]
    answer = await caller.get(f"{GENERATIONS}/{name}/content/thumbnail")
    assert (answer.headers["content-type"], answer.content[:3]) == ("image/jpg", b"\xff\xd8\xff")


async def test_a_form_brings_numbers_as_text_and_files_by_name(caller: Any) -> None:
    fields = {"model": "tiny-jobs", "prompt": "A boat", "width": "64", "height": "64", "n_seconds": "1"}
    items = [{"frame_index": 0, "type": "image", "file_name": "a.jpg"}]
    answer = await caller.http.post(
        JOBS,
        data={**fields, "inpaint_items": json.dumps(items)},
        files=[("files", ("a.jpg", PICTURE, "image/jpeg"))],
    )
    assert answer.status_code == 200, answer.text
    whole = {"left_fraction": 0.0, "top_fraction": 0.0, "right_fraction": 1.0, "bottom_fraction": 1.0}
    assert answer.json()["inpaint_items"] == [{**items[0], "crop_bounds": whole}]
    [seen] = await caller.seen()
    assert seen["input_reference_sha256"] == hashlib.sha256(PICTURE).hexdigest()


@pytest.mark.parametrize(
    ("item", "param"),
    [
        ({"type": "image", "file_name": "b.jpg"}, "inpaint_items[0].file_name"),
        ({"type": "sound", "file_name": "a.jpg"}, "inpaint_items[0].type"),
        ({"type": "image", "file_name": "a.jpg", "frame_index": "0"}, "inpaint_items[0].frame_index"),
        (
            {"type": "image", "file_name": "a.jpg", "crop_bounds": {"left_fraction": 2}},
            "inpaint_items[0].crop_bounds",
        ),
    ],
)
async def test_a_wrong_inpaint_item_is_refused_by_name(caller: Any, item: dict[str, Any], param: str) -> None:
    fields = {"model": "tiny-jobs", "prompt": "A boat", "width": "64", "height": "64"}
    answer = await caller.http.post(
        JOBS,
        data={**fields, "inpaint_items": json.dumps([item])},
        files=[("files", ("a.jpg", PICTURE, "image/jpeg"))],
    )
    assert (answer.status_code, answer.json()["param"]) == (400, param)


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"prompt": None}, "prompt"),
        ({"model": None}, "model"),
        ({"width": None}, "width"),
        ({"width": "480"}, "width"),
        ({"width": 500}, "width"),
        ({"n_seconds": 21}, "n_seconds"),
        ({"prompt": "x" * 4_001}, "prompt"),
        ({"n_variants": 5}, "n_variants"),
        ({"width": 1920, "height": 1080, "n_variants": 2}, "n_variants"),
        ({"width": 1920, "height": 1080, "n_seconds": 11}, "n_seconds"),
    ],
)
async def test_a_create_with_a_wrong_field_is_refused_without_the_outer_error(
    caller: Any, fields: dict[str, Any], param: str
) -> None:
    body = {"model": "my-sora", "prompt": "A boat", "width": 480, "height": 480, **fields}
    answer = await caller.http.post(JOBS, json={key: body[key] for key in body if body[key] is not None})
    assert (answer.status_code, answer.json()["param"]) == (400, param)
    assert await caller.seen() == []


async def test_moderation_is_a_failure_reason(caller: Any, clock: Any) -> None:
    job_id = await caller.job(prompt="forbidden")
    clock.advance(11)
    job = (await caller.get(f"{JOBS}/{job_id}")).json()
    assert (job["status"], job["failure_reason"], job["generations"]) == ("failed", "input_moderation", [])


async def test_a_deleted_job_answers_204_and_takes_its_films_along(caller: Any, clock: Any) -> None:
    job_id = await caller.job()
    clock.advance(11)
    name = (await caller.get(f"{JOBS}/{job_id}")).json()["generations"][0]["id"]
    answer = await caller.http.delete(f"{JOBS}/{job_id}")
    assert (answer.status_code, answer.content) == (204, b"")
    assert (await caller.get(f"{JOBS}/{job_id}")).status_code == 404
    assert (await caller.get(f"{GENERATIONS}/{name}/content/video")).status_code == 404


async def test_the_list_pages_both_ways_and_filters_by_status(caller: Any, clock: Any) -> None:
    ids = [await caller.job() for _ in range(3)]
    clock.advance(11)
    ids += [await caller.job() for _ in range(2)]

    async def listed(**params: Any) -> list[str]:
        page = (await caller.get(JOBS, **{"limit": 10, **params})).json()
        assert page["object"] == "list"
        return [job["id"] for job in page["data"]]

    assert await listed() == ids[::-1]
    assert await listed(after=ids[3], limit=2) == [ids[2], ids[1]]
    assert await listed(before=ids[1], limit=2) == [ids[3], ids[2]]
    assert await listed(statuses="succeeded,failed") == ids[2::-1]
    assert await listed(statuses="queued") == [ids[4], ids[3]]
    assert (await caller.get(JOBS, limit=10, statuses="asleep")).status_code == 400


async def test_a_videos_deployment_is_missing_here(caller: Any) -> None:
    answer = await caller.order_job(model="tiny")
    assert answer.status_code == 404
    assert answer.json()["error"]["type"] == "video_generation_user_error"


async def test_one_api_s_ids_mean_nothing_to_the_other(caller: Any) -> None:
    video_id, job_id = await caller.video(), await caller.job()
    assert (await caller.get(f"{JOBS}/{video_id}")).status_code == 404
    assert (await caller.get(f"/openai/v1/videos/{job_id}")).status_code == 404
