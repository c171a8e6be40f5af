"""A window in one line, as `--window` takes it."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from dailies.cli import app
from manifests import load
from manifests.selecting.adjustments import Adjustments
from manifests.window import BadWindow
from manifests.window_line import EXAMPLE, window_of


@pytest.mark.parametrize(
    ("line", "window"),
    [
        (EXAMPLE, "22:00 to 06:00 Europe/Stockholm, mon tue wed thu fri"),
        ("22:00-06:00", "22:00 to 06:00 UTC"),
        (" 9:00 - 24:00 fri-mon, wed ", "09:00 to 00:00 UTC, mon wed fri sat sun"),
        ("00:00-00:00 europe/stockholm", "00:00 to 00:00 Europe/Stockholm"),
    ],
)
def test_hours_place_and_days_are_read_from_one_line(line: str, window: str) -> None:
    assert str(window_of(line)) == window


@pytest.mark.parametrize(
    ("line", "field"),
    [("at night", "start"), ("22-06", "start"), ("22:00-6", "end"), ("22:00-06:00 Stokholm/X", "timezone")],
)
def test_what_is_wrong_is_named(line: str, field: str) -> None:
    with pytest.raises(BadWindow) as wrong:
        window_of(line)
    assert wrong.value.field == field


def test_the_option_goes_before_the_files_own_window(tmp_path: Path) -> None:
    """A CSV cannot say one at all."""
    night = tmp_path / "night.yaml"
    night.write_text('window: {start: "20:00", end: "21:00"}\nitems:\n  - prompt: A paper boat\n')
    assert str(load(night).window) == "20:00 to 21:00 UTC"
    assert str(load(night, adjustments=Adjustments(window=window_of("22:00-06:00"))).window) == "22:00 to 06:00 UTC"


def test_a_window_that_cannot_be_read_ends_the_command_with_one_line(tmp_path: Path) -> None:
    rows = tmp_path / "night.csv"
    rows.write_text("prompt\nA paper boat\n")
    done = CliRunner().invoke(app, ["validate", str(rows), "--window", "22:00-25:00"])
    assert done.exit_code == 2
    assert done.stderr.startswith("--window: end: must be a time of day")
