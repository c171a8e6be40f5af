"""The command line as a person types it: exit codes, documents, and what it says when something is wrong."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from sandbox.config import SandboxDeployment
from tests.dailies.typing_it import dailies, here
from tests.main_job.night import Witness, config, deployment, environment, running

pytestmark = pytest.mark.asyncio

Sandbox = Callable[..., Awaitable[Any]]
ITEMS = "\n".join(["key,prompt,market", "boat,A paper boat,SE", "lamp,A red lamp,NO", ""])


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    path = tmp_path / "spring.csv"
    path.write_text(ITEMS)
    return path


async def test_a_run_ends_with_videos_receipts_and_documents(
    place: tuple[Witness, Path], rows: Path, tmp_path: Path
) -> None:
    _, path = place
    code, out, said = await dailies("run", str(rows), "--config", str(path), "--json")
    assert code == 0, said
    document = json.loads(out)
    assert document["batch"] == "spring"
    assert document["final"] is True
    assert document["stopped"] is None
    assert document["items"] == {
        "total": 2, "waiting": 0, "admitted": 0, "creating": 0, "rendering": 0, "archiving": 0,
        "archived": 2, "failed": 0, "cancelled": 0, "expired": 0, "held": 0,
    }  # fmt: skip
    assert document["cost_usd"] == {"estimated": 0.8, "confirmed": 0.8, "unknown": 0.0}
    folder = tmp_path / "archive/spring"
    assert {p.name for p in folder.iterdir()} == {
        "boat.mp4", "boat.json", "boat.webp", "lamp.mp4", "lamp.json", "lamp.webp",
        "results.csv", "results.jsonl", "index.html",
    }  # fmt: skip
    receipt = json.loads((folder / "boat.json").read_text())
    assert (receipt["prompt"], receipt["labels"], receipt["mismatch"]) == ("A paper boat", {"market": "SE"}, [])

    code, out, _ = await dailies("results", "spring", "--config", str(path))
    table = list(csv.DictReader(io.StringIO(out)))
    assert code == 0
    assert list(table[0])[:5] == ["key (manifest)", "prompt", "market", "key", "state"]
    assert [(r["key"], r["market"], r["state"], r["billed"]) for r in table] == [
        ("boat", "SE", "archived", "yes"),
        ("lamp", "NO", "archived", "yes"),
    ]
    code, out, _ = await dailies("status", "spring", "--items", "--json", "--config", str(path))
    assert (code, [row["key"] for row in json.loads(out)["rows"]]) == (0, ["boat", "lamp"])
    code, out, _ = await dailies("show", "spring", "boat", "--json", "--config", str(path))
    life = json.loads(out)
    assert (code, life["state"], len(life["attempts"])) == (0, "archived", 1)
    assert life["attempts"][0]["remote_id"] == receipt["remote_id"]
    assert life["attempts"][0]["request_id"]


async def test_a_wrong_manifest_is_refused_with_every_problem_and_nothing_is_queued(
    place: tuple[Witness, Path], tmp_path: Path
) -> None:
    witness, path = place
    bad = tmp_path / "bad.csv"
    bad.write_text("key,prompt,seconds\na,,4\nb,A boat,5\n")
    code, out, said = await dailies("run", str(bad), "--config", str(path))
    assert (code, out) == (2, "")
    assert "bad.csv:2" in said
    assert "bad.csv:3" in said
    code, out, _ = await dailies("validate", str(bad), "--json", "--config", str(path))
    document = json.loads(out)
    assert (code, document["ok"], document["problem_count"]) == (2, False, 2)
    assert await witness.jobs() == []
    code, out, _ = await dailies("status", "--json", "--config", str(path))
    assert (code, json.loads(out)) == (0, {"batches": []})


async def test_an_unknown_key_in_the_configuration_names_the_nearest(tmp_path: Path, rows: Path) -> None:
    path = tmp_path / "dailies.yaml"
    path.write_text("deploymentz: []\n")
    code, _, said = await dailies("run", str(rows), "--config", str(path))
    assert code == 2
    assert "deployments" in said


async def test_without_a_deployment_the_command_says_what_to_set(tmp_path: Path, rows: Path) -> None:
    path = tmp_path / "dailies.yaml"
    path.write_text(f"state_dir: {tmp_path / 'state'}\n")
    code, _, said = await dailies("run", str(rows), "--config", str(path))
    assert code == 2
    assert "AZURE_OPENAI_ENDPOINT" in said
    assert "--sandbox" in said


async def test_items_that_failed_make_the_exit_code_1_and_are_named(
    place: tuple[Witness, Path], tmp_path: Path
) -> None:
    _, path = place
    some = tmp_path / "some.csv"
    some.write_text("key,prompt\ngood,A boat\nbad,a forbidden boat\n")
    code, out, _ = await dailies("run", str(some), "--config", str(path), "--json")
    assert (code, json.loads(out)["items"]["failed"]) == (1, 1)
    code, out, _ = await dailies("status", "some", "--state", "failed", "--json", "--config", str(path))
    assert [(r["key"], r["reason"]) for r in json.loads(out)["rows"]] == [("bad", "moderation_blocked")]


async def test_a_wrong_key_stops_the_deployment_keeps_the_items_and_a_mended_one_goes_on(
    place: tuple[Witness, Path], rows: Path
) -> None:
    witness, path = place
    code, out, _ = await dailies("run", str(rows), "--config", str(path), "--json", SANDBOX_KEY="wrong")
    document = json.loads(out)
    assert (code, document["items"]["waiting"]) == (3, 2)
    assert document["stopped"]["reason"] == "deployments_stopped"
    assert await witness.jobs() == []
    code, out, said = await dailies("run", str(rows), "--config", str(path), "--json")
    assert (code, json.loads(out)["items"]["archived"]) == (0, 2), said
    assert set((await witness.created()).values()) == {1}


async def test_a_deployment_that_does_not_exist_is_exit_3(place: tuple[Witness, Path], rows: Path) -> None:
    _, path = place
    path.write_text(path.read_text().replace("model: sora-2", "model: sora-2\n  deployment: nowhere"))
    code, out, _ = await dailies("run", str(rows), "--config", str(path), "--json")
    assert (code, json.loads(out)["stopped"]["reason"]) == (3, "deployments_stopped")


async def test_an_archive_that_cannot_be_written_is_exit_3_before_anything_is_paid(
    place: tuple[Witness, Path], rows: Path, tmp_path: Path
) -> None:
    witness, path = place
    (tmp_path / "archive").write_text("a file, not a folder")
    code, _, said = await dailies("run", str(rows), "--config", str(path))
    assert code == 3
    assert str(tmp_path / "archive") in said
    assert await witness.jobs() == []


async def test_a_redis_that_cannot_be_reached_is_exit_3(tmp_path: Path, rows: Path) -> None:
    path = config(
        tmp_path / "dailies.yaml",
        redis_url="redis://:hush-hush-hush@127.0.0.1:1/0",
        namespace="cli",
        archive={"url": str(tmp_path / "archive")},
        deployments=[deployment("east", "http://127.0.0.1:1")],
    )
    code, _, said = await dailies("run", str(rows), "--config", str(path))
    assert code == 3
    assert "redis.url" in said
    assert "Connect call failed" in said
    assert ".;" not in said
    assert "hush" not in said


async def test_an_embedded_redis_that_is_killed_is_started_again_and_the_run_goes_on(
    sandbox: Sandbox, rows: Path, tmp_path: Path
) -> None:
    server = await sandbox(queue_s=0, render_s=(1.0, 1.0))
    path = here(tmp_path, deployment("east", server.url))
    async with running("-m", "dailies", "run", str(rows), "--config", str(path), "--json") as run:
        await run.saw("item.accepted", key="lamp")
        url = json.loads((tmp_path / "state/redis/server.json").read_text())["url"]
        with Redis.from_url(url) as client:
            os.kill(int(client.info("server")["process_id"]), signal.SIGKILL)
        assert await run.end() == 0
        assert json.loads(await run.output())["items"]["archived"] == 2
    assert set((await Witness(server.url).created()).values()) == {1}


async def test_ctrl_c_says_by_when_to_run_again_and_the_same_command_goes_on(
    sandbox: Sandbox, rows: Path, tmp_path: Path
) -> None:
    server = await sandbox(queue_s=0, render_s=(2.0, 2.0))
    path = here(tmp_path, deployment("east", server.url))
    witness = Witness(server.url)
    async with running("-m", "dailies", "run", str(rows), "--config", str(path)) as run:
        await run.saw("item.accepted", key="boat")
        await run.saw("item.accepted", key="lamp")
        run.send(signal.SIGINT)
        assert await run.end() == 130
        assert "2 video(s) are still rendering or not archived: run again before 20" in "".join(run.text)
    code, out, _ = await dailies("run", str(rows), "--config", str(path), "--json")
    assert (code, json.loads(out)["items"]["archived"]) == (0, 2)
    assert set((await witness.created()).values()) == {1}


async def test_a_budget_that_is_used_up_stops_the_batch_and_says_so(
    place: tuple[Witness, Path], tmp_path: Path
) -> None:
    _, path = place
    batch = tmp_path / "small.yaml"
    batch.write_text("version: 1\nname: small\nbudget_usd: 0.5\nitems:\n- {key: a, prompt: x}\n- {key: b, prompt: y}\n")
    code, out, _ = await dailies("run", str(batch), "--config", str(path), "--json")
    document = json.loads(out)
    assert (code, document["items"]["archived"], document["items"]["waiting"]) == (1, 1, 1)
    assert document["stopped"]["reason"] == "budget"


async def test_a_run_admits_only_its_own_batches(place: tuple[Witness, Path], rows: Path, tmp_path: Path) -> None:
    witness, path = place
    other = tmp_path / "other.csv"
    other.write_text("key,prompt\nx,Somebody else's\n")
    assert (await dailies("submit", str(other), "--config", str(path)))[0] == 0
    assert (await dailies("run", str(rows), "--config", str(path)))[0] == 0
    assert "Somebody else's" not in await witness.created()


async def test_a_configuration_that_drops_a_deployment_with_open_jobs_is_refused(
    sandbox: Sandbox, rows: Path, tmp_path: Path
) -> None:
    server = await sandbox(queue_s=0, render_s=(30.0, 30.0))
    path = here(tmp_path, deployment("east", server.url))
    async with running("-m", "dailies", "run", str(rows), "--config", str(path)) as run:
        await run.saw("item.accepted")
        run.send(signal.SIGTERM)
        assert await run.end() == 143
    here(tmp_path, deployment("west", server.url))
    code, _, said = await dailies("run", str(rows), "--config", str(path))
    assert code == 3
    assert "east" in said


async def test_an_input_image_and_a_remix_reach_the_provider(sandbox: Sandbox, tmp_path: Path) -> None:
    import hashlib

    import av
    import numpy as np

    served = (SandboxDeployment("sora-2"), SandboxDeployment("sora", "jobs"))
    server = await sandbox(queue_s=0, render_s=(0.1, 0.2), deployments=served)
    path = here(tmp_path, deployment("two", server.url), deployment("one", server.url, api="jobs", model="sora"))
    picture = tmp_path / "start.png"
    with av.open(str(picture), "w", format="image2") as file:
        stream = file.add_stream("png", rate=1)
        stream.width, stream.height, stream.pix_fmt = 1280, 720, "rgb24"
        file.mux(stream.encode(av.VideoFrame.from_ndarray(np.zeros((720, 1280, 3), np.uint8), format="rgb24")))
        file.mux(stream.encode(None))
    batch = tmp_path / "made.yaml"
    batch.write_text(
        "version: 1\nname: made\nitems:\n"
        "- {key: start, prompt: From a picture, size: 1280x720, input_reference: start.png}\n"
        "- {key: old, prompt: From a picture too, model: sora, size: 1280x720, input_reference: start.png}\n"
        "- {key: again, prompt: The same in snow, size: 1280x720, remix_of: start}\n"
    )
    code, out, said = await dailies("run", str(batch), "--config", str(path), "--json")
    assert (code, json.loads(out)["items"]["archived"]) == (0, 3), said
    jobs = {job["prompt"]: job for job in await Witness(server.url).jobs()}
    sha256 = hashlib.sha256(picture.read_bytes()).hexdigest()
    assert jobs["From a picture"]["input_reference_sha256"] == sha256
    assert jobs["From a picture too"]["input_reference_sha256"] == sha256
    assert jobs["The same in snow"]["remixed_from"] == jobs["From a picture"]["id"]


async def test_the_sandbox_option_touches_nothing_that_is_configured(rows: Path, tmp_path: Path) -> None:
    """No credential is read, state and archive are its own: a rehearsal marks no real row done."""
    path = tmp_path / "dailies.yaml"
    path.write_text(
        f"state_dir: {tmp_path / 'state'}\narchive: {{url: {tmp_path / 'real'}}}\n"
        "deployments:\n- {name: real, endpoint: https://127.0.0.1:1, model: sora-2, auth: {api_key_env: NOT_SET}}\n"
    )
    async with running(
        "-c", f"import os; os.chdir({str(tmp_path)!r}); from dailies.__main__ import main; main()",
        "run", str(rows), "--config", str(path), "--sandbox", "--json",
    ) as run:  # fmt: skip
        assert await run.end() == 0, run.text
        assert json.loads(await run.output())["items"]["archived"] == 2
    assert not (tmp_path / "real").exists()
    assert (tmp_path / "archive-sandbox/spring/boat.mp4").is_file()
    assert {p.name for p in (tmp_path / "state").iterdir()} == {"sandbox"}


async def test_the_release_and_short_help_are_told_without_any_settings(tmp_path: Path) -> None:
    code, out, _ = await dailies("--version", DAILIES_CONFIG=str(tmp_path / "none.yaml"))
    assert (code, out) == (0, f"dailies {version('dailies')}\n")
    assert (await dailies("plan", "-h"))[1] == (await dailies("plan", "--help"))[1]


async def test_help_of_every_command_teaches() -> None:
    code, out, _ = await dailies("--help")
    assert code == 0
    for command in ("run", "validate", "submit", "worker", "status", "show", "results", "sandbox"):
        assert command in out
    code, out, _ = await dailies("sandbox", "--help")
    assert code == 0
    assert "--rate-window-s" in out


async def test_a_model_that_we_do_not_know_and_nobody_prices_passes_and_runs(sandbox: Sandbox, tmp_path: Path) -> None:
    server = await sandbox(queue_s=0, render_s=(0.1, 0.2), deployments=(SandboxDeployment("any", model="mystery-9"),))
    path = here(tmp_path, deployment("east", server.url, model="mystery-9", deployment="any"))
    batch = tmp_path / "new.csv"
    batch.write_text("key,prompt,model,size,seconds\na,A boat,mystery-9,64x64,1\nb,forbidden,mystery-9,64x64,1\n")
    code, out, said = await dailies("run", str(batch), "--config", str(path), "--json")
    document = json.loads(out)
    assert (code, document["items"]["archived"], document["items"]["failed"]) == (1, 1, 1), said


async def test_an_endpoint_that_nobody_answers_is_exit_3_before_anything_is_queued(rows: Path, tmp_path: Path) -> None:
    path = here(tmp_path, deployment("east", "http://127.0.0.1:1"))
    code, _, said = await dailies("run", str(rows), "--config", str(path))
    assert code == 3
    assert "east (http://127.0.0.1:1)" in said
    code, out, _ = await dailies("status", "--json", "--config", str(path))
    assert json.loads(out) == {"batches": []}


async def test_of_several_manifests_one_that_cannot_be_priced_refuses_all(
    place: tuple[Witness, Path], rows: Path, tmp_path: Path
) -> None:
    _, path = place
    path.write_text(path.read_text().replace("model: sora-2", "model: mystery-9"))
    priced = tmp_path / "priced.yaml"
    items = "- {prompt: x, model: mystery-9, size: 64x64, seconds: 1}"
    priced.write_text(f"version: 1\nname: priced\nbudget_usd: 5\nitems:\n{items}\n")
    rows.write_text("key,prompt,model\na,A boat,mystery-9\n")
    code, _, said = await dailies("submit", str(rows), str(priced), "--config", str(path))
    assert code == 2
    assert "price_per_second_usd" in said
    assert (await dailies("validate", str(priced), "--config", str(path)))[0] == 2
    code, out, _ = await dailies("status", "--json", "--config", str(path))
    assert json.loads(out) == {"batches": []}


async def test_a_reader_that_has_enough_is_no_failure_of_ours(place: tuple[Witness, Path], rows: Path) -> None:
    _, path = place
    assert (await dailies("submit", str(rows), "--config", str(path)))[0] == 0
    read, write = os.pipe()
    os.close(read)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "dailies", "results", "spring", "--config", str(path),
        stdout=write, stderr=asyncio.subprocess.PIPE, env=environment(),
    )  # fmt: skip
    os.close(write)
    _, said = await process.communicate()
    assert (process.returncode, b"Redis" in said) == (0, False)


async def test_a_log_level_that_does_not_exist_is_bad_usage() -> None:
    code, _, said = await dailies("--log-level", "loud", "status")
    assert code == 2
    assert "Traceback" not in said
