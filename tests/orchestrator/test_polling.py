"""Few looks while a job cannot be done, close ones when it is about to be; a plan reckons with the same looks."""

from __future__ import annotations

import pytest

from orchestrator.polling import next_look, noticed_after
from orchestrator.settings import Poll

POLL = Poll(first_s=20, every_s=10, min_s=2)


@pytest.mark.parametrize(("progress", "gap_s"), [(None, 10), (0, 10), (79, 10), (80, 2), (100, 2)])
def test_a_job_that_is_nearly_done_is_looked_at_closely(progress: int | None, gap_s: float) -> None:
    assert next_look(POLL, progress) == gap_s


@pytest.mark.parametrize(
    ("render_s", "tells_progress", "noticed_s"),
    [
        (5, True, 20),  # done before the first look
        (20, True, 20),
        (63, True, 64),  # 20 30 40 50, then 60 (95 %) 62 64
        (63, False, 70),
        (180, True, 180),  # … 150 (83 %) 152 … 180
    ],
)
def test_a_job_is_noticed_at_the_first_look_after_it_ends(
    render_s: float, tells_progress: bool, noticed_s: float
) -> None:
    assert noticed_after(POLL, render_s, tells_progress=tells_progress) == noticed_s
