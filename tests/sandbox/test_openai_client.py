"""The official client, in an environment of its own because its needs clash with ours, works against the sandbox."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from sandbox.config import SandboxConfig, SandboxDeployment
from sandbox.server import SandboxServer

ROOT = Path(__file__).resolve().parents[2]
HOME = ROOT / ".tools/openai-client"
CHECK = Path(__file__).with_name("openai_client_check.py")


def _install() -> None:
    shutil.rmtree(HOME, ignore_errors=True)
    python = str(HOME / "bin/python")
    uv = shutil.which("uv")
    if uv:
        steps = [[uv, "venv", "-q", str(HOME)], [uv, "pip", "install", "-q", "--python", python, "openai"]]
    else:
        steps = [[sys.executable, "-m", "venv", str(HOME)], [python, "-m", "pip", "install", "-q", "openai"]]
    for step in steps:
        subprocess.run(step, check=True, capture_output=True, text=True, timeout=100)
    (HOME / "ready").touch()


@pytest.fixture(scope="session")
def openai_python() -> str:
    """A Python that has the `openai` package, installed once under .tools."""
    if not (HOME / "ready").exists():
        try:
            _install()
        except (subprocess.SubprocessError, OSError) as error:
            reason = getattr(error, "stderr", None) or str(error)
            pytest.skip(f"the openai package cannot be installed here: {reason.strip().splitlines()[-1]}")
    return str(HOME / "bin/python")


async def test_the_official_client_creates_polls_downloads_lists_remixes_and_deletes(openai_python: str) -> None:
    config = SandboxConfig(
        deployments=(SandboxDeployment("my-sora-2", concurrent=1),),
        api_key="right",
        queue_s=0.05,
        render_s=(0.1, 0.1),
        poll_after_ms=20,
    )
    async with SandboxServer(config) as sandbox:
        process = await asyncio.create_subprocess_exec(
            *(openai_python, "-W", "ignore", str(CHECK), f"{sandbox.url}/openai/v1", "right"),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await process.communicate()
    assert process.returncode == 0, err.decode()
    assert json.loads(out) == {
        "wrong_key": "AuthenticationError",
        "missing_deployment": "NotFoundError",
        "too_many": "Too many running tasks",
        "status": ["completed", "completed"],
        "seconds": "4",
        "film_starts": "ftyp",
        "remixed_from_source": True,
        "listed_newest_first": True,
        "deleted": True,
        "moderated": "moderation_blocked",
    }
