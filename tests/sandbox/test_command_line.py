"""The sandbox as a program: it says where it listens, obeys its options, and stops when told."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path

import httpx
import pytest

from sandbox.cli import config_from, parser, run
from sandbox.config import SandboxConfig, SandboxDeployment
from sandbox.mischief.faults import DO

ROOT = Path(__file__).resolve().parents[2]
ORDER = {"model": "tiny", "prompt": "A boat", "size": "64x64", "seconds": "1"}


@contextmanager
def running(*options: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The program on a free port and its URL; killed at the end if it still runs."""
    command = [sys.executable, "-m", "sandbox", "--port", "0", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as program:
        assert program.stdout is not None
        try:
            line = program.stdout.readline()
            assert line.startswith("sandbox listening on http://127.0.0.1:")
            yield program, line.split()[-1]
        finally:
            program.kill()


def test_it_serves_what_it_is_told_and_ends_with_0_on_sigterm() -> None:
    with running("--deployment", "name=tiny,model=any,concurrent=1", "--render-s", "600") as (program, url):
        answers = [httpx.post(f"{url}/openai/v1/videos", json=ORDER).status_code for _ in range(2)]
        assert answers == [200, 429]
        program.send_signal(signal.SIGTERM)
        assert program.wait(timeout=20) == 0


def test_a_killed_sandbox_comes_back_with_its_jobs_and_their_very_bytes(tmp_path: Path) -> None:
    options = ("--deployment", "name=tiny,model=any", "--render-s", "0", "--queue-s", "0")
    state = ("--state", str(tmp_path / "jobs.sqlite"))
    with running(*options, *state) as (program, url):
        video_id = httpx.post(f"{url}/openai/v1/videos", json=ORDER).json()["id"]
        film = httpx.get(f"{url}/openai/v1/videos/{video_id}/content").content
        program.kill()
    with running(*options, *state) as (_, url):
        assert httpx.get(f"{url}/openai/v1/videos/{video_id}/content").content == film


def test_every_knob_can_be_set() -> None:
    line = (
        "--deployment name=a,per_minute=2.5,concurrent=3 --deployment name=b,api=jobs --rate-window-s 6 "
        "--count-refused --queue-s 0 --render-s 0.2:0.5 --retention-s 9 --api-key k --block-words bad,worse "
        "--hide-prompts --poll-after-ms 50 --pad-bytes 100 --state s.sqlite --seed 4"
    )
    assert config_from(parser().parse_args(line.split())) == SandboxConfig(
        deployments=(
            SandboxDeployment("a", api="videos", model="sora-2", per_minute=2.5, concurrent=3),
            SandboxDeployment("b", api="jobs", model="sora"),
        ),
        rate_window_s=6,
        count_refused=True,
        queue_s=0,
        render_s=(0.2, 0.5),
        retention_s=9,
        api_key="k",
        block_words=("bad", "worse"),
        hide_prompts=True,
        poll_after_ms=50,
        pad_bytes=100,
        state=Path("s.sqlite"),
        seed=4,
    )


def test_no_options_are_the_defaults() -> None:
    assert config_from(parser().parse_args([])) == SandboxConfig()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--deployment", "sora-2"], "write name="),
        (["--deployment", "api=videos"], "name is missing"),
        (["--deployment", "name=a,api=films"], "must be videos or jobs"),
        (["--deployment", "name=a,concurrent=0"], "at least 1"),
        (["--render-s", "slow"], "write LOW:HIGH"),
        (["--render-s", "3:1"], "is no range"),
        (["--deployment", "name=a", "--deployment", "name=a"], "given twice"),
        (["--retention-s", "0"], "must be above 0"),
        (["--port", "99999"], "from 0 to 65535"),
        (["--port", "65536"], "from 0 to 65535"),
        (["--port=-1"], "from 0 to 65535"),
        (["--port", "http"], "from 0 to 65535"),
    ],
)
def test_wrong_usage_ends_with_2_and_says_what_to_write(
    options: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        run(options)
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert words in said
    assert said.count("\n") == 1


def test_a_taken_port_ends_with_2_and_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(SystemExit) as ended:
            run(["--port", str(port)])
    assert ended.value.code == 2
    assert f"cannot listen on 127.0.0.1:{port}: Address already in use" in capsys.readouterr().err


def test_a_state_file_that_is_something_else_ends_with_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "notes.txt"
    file.write_text("These are notes, and no database at all. " * 100)
    with pytest.raises(SystemExit) as ended:
        run(["--port", "0", "--state", str(file)])
    assert ended.value.code == 2
    assert f"state: {file} cannot be used" in capsys.readouterr().err


def test_help_names_every_knob_and_every_fault(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        run(["--help"])
    shown = capsys.readouterr().out
    knobs = {field.name for field in fields(SandboxConfig)} - {"deployments"}
    assert [knob for knob in sorted(knobs) if "--" + knob.replace("_", "-") not in shown] == []
    assert [fault for fault in DO if f"  {fault} " not in shown] == []
