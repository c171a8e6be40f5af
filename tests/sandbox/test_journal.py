"""With `state`, a sandbox that comes back knows what it had accepted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

VIDEOS = "/openai/v1/videos"
JOBS = "/openai/v1/video/generations/jobs"


async def test_jobs_go_on_rendering_while_the_sandbox_is_away(open_sandbox: Any, clock: Any, tmp_path: Path) -> None:
    before = await open_sandbox(state=tmp_path / "deep" / "jobs.sqlite")
    ids = [await before.video(prompt=f"Boat {number}") for number in range(3)]
    blocked = await before.video(prompt="forbidden")
    job_id = await before.job(n_variants=2)
    clock.advance(11)
    film = (await before.get(f"{VIDEOS}/{ids[0]}/content")).content
    await before.http.delete(f"{VIDEOS}/{ids[2]}")

    after = await open_sandbox(state=tmp_path / "deep" / "jobs.sqlite")
    page = (await after.get(VIDEOS)).json()["data"]
    assert [(video["id"], video["status"]) for video in page] == [
        (blocked, "failed"),
        (ids[1], "completed"),
        (ids[0], "completed"),
    ]
    assert (await after.get(f"{VIDEOS}/{ids[0]}/content")).content == film
    assert len((await after.get(f"{JOBS}/{job_id}")).json()["generations"]) == 2
    assert [job["id"] for job in await after.seen()] == [*ids, blocked, job_id]
    assert await after.stats() == await before.stats()
    newer = await after.video()
    assert (await after.get(VIDEOS, limit=1)).json()["data"][0]["id"] == newer


async def test_the_quota_is_no_fresh_one_after_a_restart(open_sandbox: Any, clock: Any, tmp_path: Path) -> None:
    knobs: dict[str, Any] = {"state": tmp_path / "jobs.sqlite", "quota": {"per_minute": 1, "concurrent": 1}}
    before = await open_sandbox(**knobs)
    await before.video()
    clock.advance(5)
    after = await open_sandbox(**knobs)
    assert "retry-after" in (await after.order()).headers
    clock.advance(55)
    assert (await after.order()).status_code == 200


async def test_without_state_a_restart_forgets(open_sandbox: Any) -> None:
    before = await open_sandbox()
    video_id = await before.video()
    after = await open_sandbox()
    assert (await after.get(f"{VIDEOS}/{video_id}")).status_code == 404
