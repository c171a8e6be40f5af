"""What a person says on the command line about a sheet, and what is asked before anything is paid twice."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import pytest

from tests.dailies.typing_it import Place, dailies
from tests.main_job.night import running

pytestmark = pytest.mark.asyncio

SHEET = "SKU,Shot text,Market,Ready\nmug,A mug turning,SE,TRUE\nlamp,A red lamp,NO,FALSE\nboat,A boat,SE,true\n"


def sheet(folder: Path, rows: int, name: str = "spring.csv") -> Path:
    path = folder / name
    with path.open("w", newline="") as stream:
        csv.writer(stream).writerows([["key", "prompt"], *([f"k{n}", f"prompt {n}"] for n in range(rows))])
    return path


async def test_a_sheet_runs_as_it_is_with_everything_said_on_the_command_line(place: Place, tmp_path: Path) -> None:
    witness, path = place
    plan = tmp_path / "Spring plan - Sheet1 (1).csv"
    plan.write_text(SHEET)
    said_of_it = ["--map", "prompt=shot TEXT", "--key", "{SKU}-{Market}", "--set", "seconds=8s"]
    code, out, said = await dailies(
        "run", str(plan), *said_of_it, "--where", "Ready=TRUE", "--config", str(path), "--json"
    )
    assert (code, json.loads(out)["batch"]) == (0, "Spring-plan-Sheet1"), said
    assert await witness.created() == {"A mug turning": 1, "A boat": 1}
    code, out, _ = await dailies("run", str(plan), *said_of_it, "--config", str(path), "--json")
    assert (code, json.loads(out)["items"]["archived"]) == (0, 3), "rows left out before are added by the same command"
    assert await witness.created() == {"A mug turning": 1, "A boat": 1, "A red lamp": 1}


async def test_validate_shows_the_first_items_as_they_would_be_ordered(place: Place, tmp_path: Path) -> None:
    path = sheet(tmp_path, 3)
    code, out, _ = await dailies("validate", str(path), "--show", "2", "--json", "--config", str(place[1]))
    first = {"key": "k0", "prompt": "prompt 0", "model": "sora-2", "size": "720x1280", "seconds": 4}
    assert (code, json.loads(out)["first"]) == (0, [first, {**first, "key": "k1", "prompt": "prompt 1"}])


async def test_a_manifest_comes_from_standard_input(place: Place) -> None:
    script = (
        "import subprocess, sys; "
        "command = [sys.executable, '-m', 'dailies', *sys.argv[1:]]; "
        "sys.exit(subprocess.run(command, input=b'prompt\\nA boat\\n').returncode)"
    )
    command = ["validate", "-", "--format", "csv", "--name", "piped", "--config", str(place[1])]
    async with running("-c", script, *command) as process:
        assert await process.end() == 0
        assert await process.output() == "1 item, no problem\n"


async def test_a_copy_of_a_sheet_is_not_paid_for_again_until_somebody_says_so(place: Place, tmp_path: Path) -> None:
    witness, path = place
    code, _, said = await dailies("run", str(sheet(tmp_path, 11)), "--config", str(path))
    assert code == 0, said
    copy = sheet(tmp_path, 12, "spring-final.csv")
    code, out, said = await dailies("run", str(copy), "--config", str(path))
    assert (code, out) == (2, "")
    assert "11 of 12 rows" in said
    assert "--reuse" in said
    assert len(await witness.jobs()) == 11, "nothing was queued"
    code, out, said = await dailies("run", str(copy), "--reuse", "--config", str(path), "--json")
    document = json.loads(out)
    assert (code, document["items"]["archived"], document["cost_usd"]["confirmed"]) == (0, 12, 0.4), said
    assert len(await witness.jobs()) == 12
    receipt = json.loads((tmp_path / "archive/spring-final/k0.json").read_text())
    assert (receipt["reused"], receipt["cost_usd"]) == ("spring/k0.mp4", 0.0)


async def test_a_lost_ledger_is_made_good_by_the_receipts(place: Place, tmp_path: Path) -> None:
    witness, path = place
    rows = sheet(tmp_path, 2)
    assert (await dailies("run", str(rows), "--config", str(path)))[0] == 0
    shutil.rmtree(tmp_path / "state")
    code, out, said = await dailies("run", str(rows), "--config", str(path), "--json")
    document = json.loads(out)
    assert (code, document["items"]["archived"], document["cost_usd"]["confirmed"]) == (0, 2, 0.8), said
    assert len(await witness.jobs()) == 2
    shutil.rmtree(tmp_path / "state")
    assert (await dailies("run", str(rows), "--again", "--config", str(path)))[0] == 0
    assert len(await witness.jobs()) == 4


async def test_a_changed_default_does_not_render_a_whole_batch_again(place: Place, tmp_path: Path) -> None:
    witness, path = place
    rows = sheet(tmp_path, 11)
    assert (await dailies("run", str(rows), "--config", str(path)))[0] == 0
    code, _, said = await dailies("run", str(rows), "--set", "seconds=8", "--config", str(path))
    assert code == 2
    assert "11 rows" in said
    assert "$8.80" in said
    assert len(await witness.jobs()) == 11


async def test_a_batch_stopped_at_its_budget_goes_on_with_a_larger_one(place: Place, tmp_path: Path) -> None:
    witness, path = place
    rows = sheet(tmp_path, 2)
    command = ["run", str(rows), "--budget-usd", "$0.50", "--config", str(path), "--json"]
    code, out, _ = await dailies(*command)
    stopped = json.loads(out)["stopped"]
    assert (code, stopped["reason"]) == (1, "budget")
    assert "dailies set spring --budget-usd" in stopped["resume"]
    code, out, said = await dailies("set", "spring", "--budget-usd", "0.80", "--config", str(path), "--json")
    assert (code, json.loads(out)["stopped"]) == (0, None), said
    code, out, said = await dailies(*command)
    assert (code, json.loads(out)["items"]["archived"]) == (0, 2), f"the manifest's own budget did not change: {said}"
    assert len(await witness.jobs()) == 2
