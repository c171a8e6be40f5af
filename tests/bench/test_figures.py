"""What a night of the bench comes to, from what was seen of it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from bench.admission.bounds import Limits
from bench.admission.figures import Seen, figures, late_refusals


def job(prompt: str, created_at: float, finished_at: float | None, gets: int = 2) -> Mapping[str, Any]:
    return {"prompt": prompt, "created_at": created_at, "finished_at": finished_at, "gets": gets}


def seen(**parts: Any) -> Seen:
    night: dict[str, Any] = {
        "videos": 2,
        "jobs": [job("a", 100.0, 104.0), job("b", 104.5, 108.5, gets=4)],
        "others": [],
        "archived": {"a": 104.2, "b": 109.0},
        "refused": 1,
        "counts": [],
    }
    return Seen(**(night | parts))


def test_a_nights_end_is_measured_from_its_first_create_by_what_the_slots_allow() -> None:
    assert figures(seen(), [Limits(concurrent=1)]).ratio == 9.0 / 8.0


def test_lags_are_shares_of_the_mean_render() -> None:
    found = figures(seen(), [Limits(concurrent=1)])
    assert (round(found.lag, 9), round(found.worst_lag, 9)) == (0.0875, 0.125)


def test_polls_and_refusals_are_told_a_video() -> None:
    found = figures(seen(), [Limits(concurrent=1)])
    assert (found.polls, found.refused) == (3.0, 0.5)


def test_a_night_that_left_a_video_out_has_no_makespan() -> None:
    found = figures(seen(jobs=[job("a", 100.0, 104.0)], archived={"a": 104.2}), [Limits(concurrent=1)])
    assert (found.ratio, found.archived, found.videos) == (math.inf, 1, 2)


def test_a_night_in_which_nothing_was_made_has_no_lag_either() -> None:
    found = figures(seen(jobs=[], archived={}), [Limits(concurrent=1)])
    assert (found.archived, found.ratio, found.lag) == (0, math.inf, math.inf)


def test_a_video_made_twice_is_told_and_measured_by_its_first() -> None:
    jobs = [job("a", 100.0, 104.0), job("a", 100.0, 106.0), job("b", 104.5, 108.5)]
    found = figures(seen(jobs=jobs), [Limits(concurrent=1)])
    assert (found.extra, found.ratio) == (1, 9.0 / 8.0)


def test_what_a_neighbour_was_given_lengthens_the_bound() -> None:
    alone = figures(seen(), [Limits(per_minute=30, window_s=2)])
    beside = figures(seen(others=[101.0]), [Limits(per_minute=30, window_s=2)])
    assert beside.ratio < alone.ratio


def test_refusals_count_as_late_once_a_third_of_the_videos_was_accepted() -> None:
    assert late_refusals([(0, 0), (5, 9), (10, 10), (20, 12), (30, 12)], videos=30) == 0.1


def test_nothing_is_late_where_nothing_was_accepted_any_more() -> None:
    assert late_refusals([(0, 0), (10, 4)], videos=30) == 0.0
