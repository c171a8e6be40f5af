"""README's first command, typed by a newcomer."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.timeout(600)
def test_readmes_first_command_gives_playable_videos_and_receipts_in_an_empty_environment() -> None:
    """A clone of the last commit, a fresh virtual environment, and nothing but Python on PATH."""
    tried = subprocess.run(
        [sys.executable, ROOT / "scripts/try-readme"], capture_output=True, text=True, timeout=570, check=False
    )
    assert tried.returncode == 0, tried.stdout + tried.stderr
