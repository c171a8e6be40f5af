"""The image, built for real, and a night in it."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from tests.helm.chart import ROOT


@pytest.mark.timeout(900)
def test_a_night_in_the_image_as_its_own_user_on_a_root_that_cannot_be_written() -> None:
    """What the image adds to its base is at most 120 MB, and nothing of pip or a compiler is left in it.

    Only where buildah and debootstrap are installed: getting them, and a base, takes minutes.
    """
    done = subprocess.run([sys.executable, ROOT / "scripts/try-image"], capture_output=True, text=True, check=False)
    if done.returncode == 77:
        pytest.skip(f"the image is not built: {done.stdout.strip()}")
    assert done.returncode == 0, done.stdout + done.stderr
    (added,) = re.findall(r"the image adds (\d+) MB", done.stdout)
    assert int(added) <= 120
    assert "as user 10001" in done.stdout
