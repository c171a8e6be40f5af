"""What the settings and the manifest say about hours and money reaches the workers, and a run says what holds it."""

from __future__ import annotations

import datetime as dt
import json
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.dailies.typing_it import dailies
from tests.main_job.night import Process, Witness, running, until

pytestmark = pytest.mark.asyncio

Place = tuple[Witness, Path]


def with_settings(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    document = yaml.safe_load(path.read_text())
    change(document)
    path.write_text(yaml.safe_dump(document))


def later_today() -> dict[str, str]:
    """A window that opens in four hours or so."""
    hour = dt.datetime.now(dt.UTC).hour
    return {"start": f"{(hour + 4) % 24}:00", "end": f"{(hour + 6) % 24}:00"}


def manifest(tmp_path: Path, **heading: Any) -> Path:
    path = tmp_path / "spring.yaml"
    items = [{"key": key, "prompt": f"a {key}"} for key in ("boat", "lamp")]
    path.write_text(yaml.safe_dump({"version": 1, "name": "spring", **heading, "items": items}))
    return path


async def said(process: Process, words: str) -> None:
    async def found() -> bool:
        return words in "".join(process.text)

    await until(found)


async def test_the_status_of_a_batch_outside_its_hours_says_until_when(place: Place, tmp_path: Path) -> None:
    """Whoever submits in the afternoon sees that nothing is wrong."""
    path = place[1]
    await dailies("submit", str(manifest(tmp_path, window=later_today())), "--config", str(path))
    _, out, _ = await dailies("status", "spring", "--config", str(path), "--json")
    opens_at = dt.datetime.fromtimestamp(json.loads(out)["window_opens_at"], dt.UTC)
    assert (opens_at.minute, opens_at.second) == (0, 0)
    assert dt.timedelta(hours=2) < opens_at - dt.datetime.now(dt.UTC) <= dt.timedelta(hours=4)
    _, out, _ = await dailies("status", "spring", "--config", str(path))
    assert f"outside the hours in which its videos may be ordered, until {opens_at:%Y-%m-%dT%H:00:00Z}" in out
    assert "creates a minute" not in out


async def test_a_run_ends_when_the_days_budget_is_spent_and_says_how_to_go_on(place: Place, tmp_path: Path) -> None:
    witness, path = place
    with_settings(path, lambda s: s.update(budgets={"day_usd": 0.5}))
    code, out, _ = await dailies("run", str(manifest(tmp_path)), "--config", str(path), "--json")
    document = json.loads(out)
    assert (code, document["items"]["archived"], document["items"]["waiting"]) == (1, 1, 1)
    assert document["stopped"]["reason"] == "budget_day"
    assert "$0.40 of $0.50 are spent or bound" in document["stopped"]["resume"]
    assert len(await witness.jobs()) == 1
    code, out, _ = await dailies("status", "spring", "--config", str(path), "--json")
    assert json.loads(out)["stopped"]["reason"] == "budget_day"


@pytest.mark.parametrize("whose", ["manifest", "deployment"])
async def test_a_run_outside_a_window_waits_and_says_until_when(place: Place, tmp_path: Path, whose: str) -> None:
    witness, path = place
    window = later_today()
    if whose == "deployment":
        with_settings(path, lambda s: s["deployments"][0].update(window=window))
    batch = manifest(tmp_path, **({"window": window} if whose == "manifest" else {}))
    async with running("-m", "dailies", "run", str(batch), "--config", str(path)) as run:
        await said(run, "east: outside the window, until 20")
        run.send(signal.SIGINT)
        assert await run.end() == 130
    assert await witness.jobs() == []


async def test_a_rehearsal_does_not_wait_for_the_night(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    config = tmp_path / "dailies.yaml"
    config.write_text(yaml.safe_dump({"state_dir": str(tmp_path / "state"), "budgets": {"day_usd": 0.01}}))
    batch = manifest(tmp_path, window=later_today())
    code, out, _ = await dailies("run", str(batch), "--sandbox", "--config", str(config), "--json")
    assert (code, json.loads(out)["items"]["archived"]) == (0, 2)


async def test_a_price_that_nobody_knows_is_told_under_the_settings_budget(place: Place, tmp_path: Path) -> None:
    _, path = place
    with_settings(path, lambda s: s.update(budgets={"month_usd": 100}))
    with_settings(path, lambda s: s["deployments"][0].update(model="mystery-9"))
    batch = manifest(tmp_path, defaults={"model": "mystery-9", "size": "64x64", "seconds": 1})
    code, out, _ = await dailies("validate", str(batch), "--config", str(path), "--json")
    (problem,) = json.loads(out)["problems"]
    assert (code, problem["path"]) == (2, "budgets")
    assert problem["hint"].endswith("or leave budgets of the settings out")
