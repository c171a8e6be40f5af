"""What the doctor found, as it is read in a log or on a terminal."""

from __future__ import annotations

import io

from rich.console import Console

from dailies.commands.doctor_commands import WIDE
from dailies.providers.doctor import Diagnosis
from dailies.providers.doctor_words import print_diagnosis
from workers.checkup import failed, fine

FOUND = Diagnosis((fine("redis", "reach", "it answers"), failed("east", "access", "refused " * 40, "copy the key")), {})


def test_in_a_log_no_line_is_filled_up_to_the_longest() -> None:
    log = io.StringIO()
    print_diagnosis(FOUND, Console(file=log, width=WIDE))
    lines = log.getvalue().splitlines()
    assert [line.rstrip() for line in lines] == lines
    assert any(line.split() == ["ok", "redis", "reach", "it", "answers"] for line in lines)
    assert max(map(len, lines)) > 320  # and none is wrapped, so that it can be searched


def test_a_terminal_gets_its_table() -> None:
    screen = io.StringIO()
    print_diagnosis(FOUND, Console(file=screen, width=80, force_terminal=True))
    assert "it answers" in screen.getvalue()
    assert "copy the key" in screen.getvalue()
