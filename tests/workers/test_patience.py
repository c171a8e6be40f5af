"""Posters that hang hold nothing up for long, and one that comes at once is never missed."""

from __future__ import annotations

import pytest

from workers.patience import LEAST_S, MOST_S, PURSE_S, Patience


class Watch:
    """A clock that passes by what each poster takes."""

    def __init__(self) -> None:
        self.now, self.patience = 0.0, Patience(lambda: self.now)

    def comes_after(self, seconds: float) -> bool:
        """Whether a poster that comes after so long is still waited for."""
        with self.patience.waiting() as given:
            self.now += min(given, seconds)
        return seconds <= given


@pytest.mark.parametrize("every", [1, 2, 3])
def test_a_hundred_posters_that_hang_cost_no_more_than_half_a_second_each(every: int) -> None:
    """Each, or each second or third one; else it would be five seconds a video."""
    watch = Watch()
    for number in range(100):
        watch.comes_after(1e9 if number % every == 0 else 0.1)
    assert watch.now <= PURSE_S + 100 * LEAST_S


def test_a_poster_that_comes_at_once_is_had_however_many_hung_before() -> None:
    watch = Watch()
    assert not any(watch.comes_after(1e9) for _ in range(50))
    assert watch.comes_after(LEAST_S - 0.1)


def test_where_they_come_a_slow_one_is_waited_for_as_ever() -> None:
    watch = Watch()
    for _ in range(40):
        assert not watch.comes_after(1e9)
    for _ in range(40):
        assert watch.comes_after(0.1)
    assert watch.comes_after(MOST_S)


def test_several_at_once_share_what_there_is() -> None:
    patience = Patience(lambda: 0.0)
    with patience.waiting() as a, patience.waiting() as b, patience.waiting() as c, patience.waiting() as d:
        assert a + b + c + d == PURSE_S + 4 * LEAST_S
    with patience.waiting() as again:
        assert again == MOST_S
