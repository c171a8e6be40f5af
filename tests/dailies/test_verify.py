"""`dailies verify`, typed: the archive alone suffices, and the exit code says what was found."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

from tests.dailies.typing_it import Place, dailies
from tests.main_job.night import config

ROOT = Path(__file__).resolve().parents[2]
MANIFEST = """
name: spring
defaults: {model: sora-2, seconds: 4, size: 1280x720}
items:
  - {key: boat, prompt: A paper boat}
  - {key: lamp, prompt: A lamp}
"""


def without_redis(tmp_path: Path) -> Path:
    """A configuration that names a Redis where there is none, and no deployment."""
    archive = {"url": str(tmp_path / "archive")}
    path = tmp_path / "gone.yaml"
    return config(path, redis_url="redis://127.0.0.1:1/0", namespace="cli", archive=archive, deployments=[])


async def test_a_night_is_verified_when_the_ledger_is_gone(place: Place, tmp_path: Path) -> None:
    _, settings = place
    (tmp_path / "spring.yaml").write_text(MANIFEST)
    code, _, said = await dailies("run", str(tmp_path / "spring.yaml"), "--config", str(settings))
    assert code == 0, said
    command = ("verify", "spring", "--config", str(without_redis(tmp_path)))

    code, out, said = await dailies(*command, "--json")
    found = json.loads(out)
    assert (code, found["batch"], found["checked"], found["ok"]) == (0, "spring", 2, True), said
    assert (found["missing"], found["changed"], found["extra"]) == ([], [], [])
    assert found["bytes"] == sum(path.stat().st_size for path in (tmp_path / "archive/spring").glob("*.mp4"))
    code, out, _ = await dailies(*command, "--quick")
    assert (code, out) == (
        0,
        "spring: 2 videos compared by their properties; everything is there, as its receipts say\n",
    )

    video = tmp_path / "archive/spring/boat.mp4"
    with video.open("r+b") as file:
        file.seek(-1, 2)
        file.write(b"?")
    (tmp_path / "archive/spring/lamp.mp4").unlink()
    (tmp_path / "archive/spring/notes.txt").write_text("mine")
    code, out, _ = await dailies(*command, "--json")
    found = json.loads(out)
    assert (code, found["ok"]) == (1, False)
    assert (found["missing"], found["changed"], found["extra"]) == (["lamp.mp4"], ["boat.mp4"], ["notes.txt"])
    code, out, _ = await dailies(*command)
    assert code == 1
    for line in (
        "missing: 1 file",
        "  lamp.mp4: the video that its receipt stands for",
        "  boat.mp4: its bytes have another SHA-256",
        "  notes.txt: no receipt names it",
    ):
        assert line in out.splitlines()

    code, _, said = await dailies("verify", "autumn", "--config", str(without_redis(tmp_path)))
    assert code == 2
    assert "there is no batch autumn in file://" in said


async def test_a_video_that_is_lost_for_good_is_made_anew_as_the_page_says(place: Place, tmp_path: Path) -> None:
    _, settings = place
    manifest = tmp_path / "spring.yaml"
    manifest.write_text(MANIFEST)
    code, _, said = await dailies("run", str(manifest), "--config", str(settings))
    assert code == 0, said
    kept, lost = (tmp_path / "archive" / "spring" / name for name in ("boat.mp4", "lamp.mp4"))
    at_first = kept.stat().st_mtime_ns
    lost.unlink()
    (row,) = re.findall(r"(?m)^\| `missing` .*$", (ROOT / "docs/verifying.md").read_text(encoding="utf-8"))
    for line in re.findall(r"`dailies ([^`]*)`", row):
        words = [{"BATCH": "spring", "MANIFEST": str(manifest), "KEY": "lamp"}.get(w, w) for w in shlex.split(line)]
        code, _, said = await dailies(*words, "--config", str(settings))
        assert code == 0, said
    assert lost.exists()
    assert kept.stat().st_mtime_ns == at_first
    code, out, said = await dailies("verify", "spring", "--config", str(settings), "--json")
    assert (code, json.loads(out)["checked"]) == (0, 2), out + said
