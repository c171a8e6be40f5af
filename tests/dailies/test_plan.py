"""What is said before any money: the plan, and the question."""

from __future__ import annotations

import asyncio
import json
import os
import pty
import subprocess
import sys
import time
from pathlib import Path

import pytest

from dailies.ordering.planning import instant_of
from dailies.terminal.exits import UsageError
from tests.dailies.typing_it import Place, dailies, here
from tests.main_job.night import deployment

pytestmark = pytest.mark.asyncio


def sheet(folder: Path, rows: int) -> Path:
    path = folder / "spring.csv"
    path.write_text("key,prompt\n" + "".join(f"k{n},prompt {n}\n" for n in range(rows)))
    return path


async def test_a_plan_says_what_is_new_what_it_costs_and_when_it_ends_and_touches_nothing(tmp_path: Path) -> None:
    east = deployment("east", "http://127.0.0.1:1", quota={"per_minute": 2, "concurrent": 2})
    path = here(tmp_path, east)
    before = set(tmp_path.iterdir())
    rows = sheet(tmp_path, 100)
    now = time.time()
    code, out, said = await dailies("plan", str(rows), "--config", str(path), "--json", "--by", "23:59")
    plan = json.loads(out)
    assert code == 0, said
    counts = ("batch", "items", "new", "changed", "unchanged", "removed", "cost_usd", "peak_in_flight", "bottleneck")
    assert [plan[n] for n in counts] == ["spring", 100, 100, 0, 0, 0, 40.0, 2, "slots of east (2 at once)"]
    assert now + 100 / 2 * 180 * 0.9 < plan["creates_end_at"] < plan["archived_by_at"] < now + 100 / 2 * 180 * 1.3
    assert any("assumed" in warning for warning in plan["warnings"])
    assert plan["by"]["archived"] <= 100
    code, out, _ = await dailies("plan", str(rows), "--config", str(path))
    assert (code, out.splitlines()[0]) == (0, "spring: 100 items (100 new)")
    assert "for up to $40.00" in out
    assert set(tmp_path.iterdir()) == before | {rows}, "no state and no archive came to be"


async def test_a_plan_knows_what_was_made_before(place: Place, tmp_path: Path) -> None:
    _, path = place
    rows = sheet(tmp_path, 3)
    assert (await dailies("run", str(rows), "--config", str(path)))[0] == 0
    rows.write_text("key,prompt\nk0,prompt 0\nk1,another\nk9,prompt 9\n")
    code, out, said = await dailies("plan", str(rows), "--config", str(path), "--json", "--by", "08:00")
    plan = json.loads(out)
    assert code == 0, said
    counts = ("new", "changed", "unchanged", "removed", "renders", "there", "cost_usd")
    assert [plan[n] for n in counts] == [1, 1, 1, 1, 2, 1, 0.8]
    assert not [warning for warning in plan["warnings"] if "assumed" in warning], "render times were learned"


async def test_a_plan_says_that_a_deployment_is_paused(place: Place, tmp_path: Path) -> None:
    _, path = place
    code, _, said = await dailies("deployments", "pause", "east", "--for", "2h", "--config", str(path))
    assert code == 0, said
    _, out, _ = await dailies("plan", str(sheet(tmp_path, 3)), "--config", str(path), "--json")
    assert any("east is paused until" in warning for warning in json.loads(out)["warnings"])


async def test_a_plan_says_where_the_budget_ends(tmp_path: Path) -> None:
    path = here(tmp_path, deployment("east", "http://127.0.0.1:1"))
    command = ["plan", str(sheet(tmp_path, 9)), "--budget-usd", "1.30", "--config", str(path), "--json"]
    code, out, _ = await dailies(*command)
    stop = json.loads(out)["budget_stop"]
    assert (code, stop["items"], stop["left"]) == (0, 3, 6)


async def test_a_time_that_is_none_is_bad_usage(tmp_path: Path) -> None:
    path = here(tmp_path, deployment("east", "http://127.0.0.1:1"))
    code, _, said = await dailies("plan", str(sheet(tmp_path, 1)), "--by", "25:00", "--config", str(path))
    assert (code, "like 08:00" in said) == (2, True)
    with pytest.raises(UsageError):
        instant_of("8", 0)


async def test_a_clock_time_is_the_next_one_here() -> None:
    now = time.mktime((2026, 11, 21, 22, 0, 0, 0, 0, -1))
    assert instant_of("08:00", now) == time.mktime((2026, 11, 22, 8, 0, 0, 0, 0, -1))
    assert instant_of("22:30", now) - now == 1800


@pytest.mark.parametrize(("answer", "code", "queued"), [(b"n\n", 2, False), (b"\x04", 2, False), (b"y\n", 0, True)])
async def test_on_a_terminal_much_money_is_asked_for(tmp_path: Path, answer: bytes, code: int, queued: bool) -> None:
    path = here(tmp_path, deployment("east", "http://127.0.0.1:1"))
    keyboard, terminal = pty.openpty()
    command = [sys.executable, "-m", "dailies", "submit", str(sheet(tmp_path, 100)), "--config", str(path)]
    environ = {**os.environ, "SANDBOX_KEY": "any"}
    process = await asyncio.create_subprocess_exec(
        *command, stdin=terminal, stderr=terminal, stdout=subprocess.DEVNULL, env=environ
    )
    os.close(terminal)
    seen = b""
    while b"[y/N]" not in seen:
        seen += await asyncio.to_thread(os.read, keyboard, 1000)
    assert b"100 items (100 new)" in seen
    assert b"Render 100 videos for up to $40.00?" in seen
    os.write(keyboard, answer)
    assert await process.wait() == code
    os.close(keyboard)
    _, out, _ = await dailies("status", "--json", "--config", str(path))
    assert bool(json.loads(out)["batches"]) is queued
