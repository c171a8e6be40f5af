"""With `state`, a sandbox that comes back knows what it had accepted."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest

from sandbox.journal import Journal

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


async def test_sandboxes_that_share_a_journal_know_each_others_jobs(
    open_sandbox: Any, clock: Any, tmp_path: Path
) -> None:
    """As two `dailies run --sandbox` do: what one has accepted the other may be asked for."""
    one = await open_sandbox(state=tmp_path / "jobs.sqlite")
    other = await open_sandbox(state=tmp_path / "jobs.sqlite")
    ids = [await each.video(prompt=f"Boat {number}") for number, each in enumerate((one, other, one, other, other))]
    job_id = await one.job()
    clock.advance(11)
    for each in (one, other):
        listed = (await each.get(VIDEOS, limit=2)).json()["data"]
        older = (await each.get(VIDEOS, after=listed[-1]["id"])).json()["data"]
        assert [video["id"] for video in (*listed, *older)] == ids[::-1]
        assert [(await each.get(f"{VIDEOS}/{video_id}")).json()["status"] for video_id in ids] == ["completed"] * 5
        (generation,) = (await each.get(f"{JOBS}/{job_id}")).json()["generations"]
        assert (await each.get(f"/openai/v1/video/generations/{generation['id']}/content/video")).status_code == 200
    films = [(await each.get(f"{VIDEOS}/{ids[0]}/content")).content for each in (one, other)]
    assert films[0] == films[1]


async def test_a_journal_that_another_has_just_begun_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever opens it first holds it for a moment."""
    beginner = sqlite3.connect(tmp_path / "jobs.sqlite", isolation_level=None)
    beginner.execute("BEGIN EXCLUSIVE")
    monkeypatch.setattr("sandbox.journal.BUSY_S", 0.0)
    with pytest.raises(ValueError, match="locked"):
        Journal(tmp_path / "jobs.sqlite")
    monkeypatch.setattr("sandbox.journal.BUSY_S", 60.0)
    monkeypatch.setattr("sandbox.journal.time.sleep", lambda _: beginner.close())
    connect = sqlite3.connect
    monkeypatch.setattr("sandbox.journal.sqlite3.connect", lambda path, **more: connect(path, **{**more, "timeout": 0}))
    journal = Journal(tmp_path / "jobs.sqlite")
    assert list(journal.jobs()) == []
    journal.close()
