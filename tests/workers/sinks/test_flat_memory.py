"""A video of any length passes through the same few MiB. Measured in a process of its own, by the kernel's count."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.servers import azurite_process

MIB = 1024 * 1024
GROWTH = 20 * MIB
PROGRAM = Path(__file__).with_name("measure_save.py")


def peak_of(target: str, mib: int) -> int:
    """Peak resident bytes of a process that saves so many MiB."""
    run = subprocess.run(
        [sys.executable, str(PROGRAM), target, str(mib)],
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
        check=True,
    )
    found = json.loads(run.stdout)
    assert found["bytes"] == mib * MIB
    return int(found["peak"])


def test_a_directory_takes_256_mib_in_the_memory_of_1(tmp_path: Path) -> None:
    small, large = (peak_of(str(tmp_path / str(mib)), mib) for mib in (1, 256))
    assert large - small < GROWTH


def test_a_container_takes_256_mib_in_the_memory_of_1(tmp_path: Path) -> None:
    with azurite_process(tmp_path) as azurite:
        small, large = (peak_of(azurite.connection_string, mib) for mib in (1, 256))
    assert large - small < GROWTH
