"""The bound that nights are measured by: no schedule that the quota allows is faster, and one is as fast."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.admission.bounds import Limits, lower_bound, starts
from sandbox.config import SandboxDeployment
from sandbox.job import Job, Order
from sandbox.quota import Quota

#: In eighths of a second, which floats add up exactly.
RENDERS = st.lists(st.integers(4, 48).map(lambda eighths: eighths / 8), min_size=1, max_size=30)
LIMITS = st.builds(
    Limits,
    per_minute=st.none() | st.floats(20, 240),
    concurrent=st.none() | st.integers(1, 6),
    window_s=st.sampled_from([1.0, 5.0, 10.0]),
)


def test_without_limits_it_is_the_longest_render() -> None:
    assert lower_bound([3.0, 5.0, 4.0], [Limits()]) == 5.0


def test_a_rate_lets_as_many_at_once_as_its_window_holds() -> None:
    assert starts([1.0] * 5, [Limits(per_minute=12, window_s=10)]) == [0, 0, 10, 10, 20]


def test_a_rate_alone_ends_with_the_last_render_after_the_last_create() -> None:
    assert lower_bound([3.0] * 21, [Limits(per_minute=120, window_s=10)]) == 13.0


def test_slots_are_taken_in_order_as_they_come_free() -> None:
    assert starts([4.0, 1.0, 1.0, 1.0], [Limits(concurrent=2)]) == [0, 0, 1, 2]


def test_slots_of_equal_renders_need_whole_rounds() -> None:
    assert lower_bound([3.0] * 9, [Limits(concurrent=4)]) == 9.0


def test_both_limits_hold_at_once() -> None:
    assert starts([5.0] * 4, [Limits(per_minute=60, window_s=1, concurrent=2)]) == [0, 1, 5, 6]


def test_two_deployments_take_what_the_other_cannot() -> None:
    limits = [Limits(per_minute=60, window_s=1), Limits(concurrent=1)]
    assert starts([2.0] * 5, limits) == [0, 0, 1, 2, 2]


def test_what_others_were_given_is_not_there_for_us() -> None:
    assert starts([1.0] * 3, [Limits(per_minute=12, window_s=10, taken=(0.0,))]) == [0, 10, 10]


def test_a_create_of_others_that_comes_later_is_not_pushed_away() -> None:
    """They were accepted: a schedule in which they would not have been is none."""
    assert starts([1.0, 1.0], [Limits(per_minute=6, window_s=10, taken=(5.0,))]) == [15, 25]


@given(renders=RENDERS, limits=LIMITS)
def test_the_sandbox_would_accept_every_create_of_the_bound(renders: list[float], limits: Limits) -> None:
    deployment = SandboxDeployment("any", per_minute=limits.per_minute, concurrent=limits.concurrent)
    quota = Quota(deployment, limits.window_s)
    for at, render_s in zip(starts(renders, [limits]), renders, strict=True):
        assert quota.check("any", at) is None
        order = Order("any", "a boat", 1280, 720, 4)
        quota.take(Job("id", "videos", "any", order, 0, at, at, at + render_s, at + 99, None))


@given(renders=RENDERS, limits=LIMITS)
def test_more_quota_never_takes_longer(renders: list[float], limits: Limits) -> None:
    more = Limits(limits.per_minute, None, limits.window_s)
    assert lower_bound(renders, [more]) <= lower_bound(renders, [limits])


@pytest.mark.parametrize("slots", [1, 2, 3])
def test_no_other_way_to_give_out_slots_in_that_order_ends_sooner(slots: int) -> None:
    renders = [3.0, 1.0, 4.0, 1.5, 2.0]
    ends = []
    for assigned in product(range(slots), repeat=len(renders)):
        free, before = [0.0] * slots, 0.0
        for slot, render_s in zip(assigned, renders, strict=True):
            before = max(before, free[slot])
            free[slot] = before + render_s
        ends.append(max(free))
    assert lower_bound(renders, [Limits(concurrent=slots)]) <= min(ends)
