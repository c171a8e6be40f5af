"""Few looks while a job cannot be done, close ones when it is about to be; a plan reckons with the same looks."""

from __future__ import annotations

import random
import statistics
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from orchestrator.admission.polling import LONGEST_S, UNSEEN, Sight, first_look, next_look, noticed_after, seen
from orchestrator.settings import Poll

POLL = Poll(first_s=20, every_s=10, min_s=2)
QUICK = Poll(first_s=1.5, every_s=0.5, min_s=0.1)
#: A minute and a half, give or take a few seconds.
STEADY = tuple(88.0 + n / 4 for n in range(20))
WIDE = tuple(60.0 + 3 * n for n in range(20))

Draw = Callable[[random.Random, int], float]
#: Percent told at an age of a render that takes so long in all; None: it tells none.
Tell = Callable[[float, float], int | None]


@dataclass
class Seen:
    """What many jobs cost: looks of each, and how long each was finished before it was noticed, as parts of itself."""

    looks: list[int]
    lags: list[float]

    @property
    def mean_looks(self) -> float:
        return statistics.mean(self.looks)

    @property
    def lag(self) -> float:
        return statistics.median(self.lags)

    def worst_lag(self, part: float) -> float:
        """What all but this part of the jobs stay below."""
        return sorted(self.lags)[-round(part * len(self.lags))]


def watch(draw: Draw, tell: Tell, poll: Poll = QUICK, *, jobs: int = 600, learned: int = 40) -> Seen:
    """Jobs one after the other, each learned from in whole seconds as a provider tells them, and each noticed a little
    late; the first `learned` are not counted."""
    dice = random.Random(7)
    last: list[float] = []
    found = Seen([], [])
    for number in range(jobs + learned):
        render = draw(dice, number)
        renders = sorted(last) if len(last) >= 3 else []
        age, sights, looks = first_look(poll, renders, tells_progress=tell is not silent), (), 1
        while age < render:
            sights = seen(sights, age, tell(age, render))
            age += next_look(poll, age, renders, sights) + dice.uniform(0, 0.005) * age
            looks += 1
        if number >= learned:
            found.looks.append(looks)
            found.lags.append(age / render - 1)
        began = dice.random()
        last = [float(int(began + render) - int(began)), *last[:19]]
    return found


def uniform(dice: random.Random, _: int) -> float:
    return dice.uniform(6, 12)


def narrow(dice: random.Random, _: int) -> float:
    return dice.uniform(177, 183)


def long_tailed(dice: random.Random, _: int) -> float:
    return 90 * dice.lognormvariate(0, 0.5)


def two_speeds(dice: random.Random, _: int) -> float:
    return dice.gauss(60, 4) if dice.random() < 0.7 else dice.gauss(240, 10)


def changing(dice: random.Random, number: int) -> float:
    return dice.uniform(60, 80) if number // 150 % 2 else dice.uniform(150, 200)


def evenly(age: float, render: float) -> int:
    return int(100 * age / render)


def after_a_queue(age: float, render: float) -> int:
    return max(0, int(100 * (age - 0.3 * render) / (0.7 * render)))


def in_steps(age: float, render: float) -> int:
    return int(4 * age / render) * 25


def sits_at_99(age: float, render: float) -> int:
    return min(99, int(140 * age / render))


def stands_still(age: float, render: float) -> int:
    return min(40, int(100 * age / render))


def jumps(age: float, render: float) -> int:
    return 5 if age < 0.9 * render else 95


def slows_down(age: float, render: float) -> int:
    return int(100 * (age / render) ** 0.5)


def says_nothing(age: float, render: float) -> int:
    return 0


def silent(age: float, render: float) -> None:
    return None


@pytest.mark.parametrize(
    ("draw", "poll"), [(uniform, QUICK), (narrow, POLL), (long_tailed, POLL), (two_speeds, POLL), (changing, POLL)]
)
def test_progress_that_is_even_is_noticed_at_once_for_about_four_looks(draw: Draw, poll: Poll) -> None:
    found = watch(draw, evenly, poll)
    assert found.mean_looks < 4.2
    assert found.lag < 0.02
    assert found.worst_lag(0.1) < 0.05


def test_renders_drawn_evenly_cost_three_looks_and_a_fiftieth_of_lag() -> None:
    """What the provider's pretender does: six to twelve seconds, and progress."""
    found = watch(uniform, evenly)
    assert found.mean_looks < 3.3
    assert found.lag < 0.02


def test_renders_that_hardly_differ_cost_one_look() -> None:
    for tell in (evenly, silent):
        found = watch(narrow, tell, POLL)
        assert found.mean_looks < 1.4
        assert found.lag < 0.05


@pytest.mark.parametrize(
    ("draw", "poll", "looks", "lag"),
    [
        (uniform, QUICK, 4.0, 0.07),
        (long_tailed, POLL, 6.0, 0.12),
        (two_speeds, POLL, 5.0, 0.05),
        (changing, POLL, 4.5, 0.05),
    ],
)
def test_without_progress_the_learned_times_alone_do_nearly_as_well(
    draw: Draw, poll: Poll, looks: float, lag: float
) -> None:
    found = watch(draw, silent, poll)
    assert found.mean_looks < looks
    assert found.lag < lag


@pytest.mark.parametrize("tell", [after_a_queue, in_steps, sits_at_99, stands_still, jumps, slows_down, says_nothing])
@pytest.mark.parametrize(("draw", "poll"), [(uniform, QUICK), (two_speeds, POLL), (changing, POLL)])
def test_progress_that_is_odd_costs_hardly_more_than_none(draw: Draw, poll: Poll, tell: Tell) -> None:
    found, without = watch(draw, tell, poll), watch(draw, silent, poll)
    assert found.mean_looks < without.mean_looks + 2
    assert found.lag < without.lag + 0.03
    assert found.worst_lag(0.05) < 0.55


@pytest.mark.parametrize("steps", [4, 10])
def test_a_round_figure_is_not_taken_for_more_than_a_step(steps: int) -> None:
    """75 may be all that is told between three quarters and the end."""
    found = watch(uniform, lambda age, render: int(steps * age / render) * 100 // steps)
    assert found.mean_looks < 4
    assert found.lag < (0.065 if steps == 4 else 0.045)


def test_a_provider_that_became_slower_or_faster_is_known_again_within_twenty_renders() -> None:
    for before, after in ((60.0, 180.0), (180.0, 60.0)):
        found = watch(lambda dice, n, a=before, b=after: dice.uniform(0.95, 1.05) * (a if n < 40 else b), silent, POLL)
        assert statistics.median(found.lags[20:]) < 0.05
        assert statistics.mean(found.looks[20:]) < 2
        assert max(found.looks) < 30


def test_until_something_is_learned_the_configured_gaps_count() -> None:
    assert first_look(POLL, (), tells_progress=True) == 20
    assert next_look(POLL, 20, ()) == 10
    assert next_look(POLL, 500, ()) == 10


def test_until_something_is_learned_one_reading_of_progress_only_brings_a_look_forward() -> None:
    early, late = next_look(POLL, 20, (), [Sight(20, 3)]), next_look(POLL, 60, (), [Sight(60, 93)])
    assert early == 10
    assert 2 <= late < 5


def test_nobody_looks_before_a_job_might_be_done() -> None:
    assert first_look(POLL, STEADY, tells_progress=False) > 88
    assert first_look(POLL, WIDE, tells_progress=True) == 60


def test_two_readings_foretell_the_end_whatever_the_queue_was() -> None:
    """It rendered from 40 s on, a percent a second."""
    assert 140 - 80 <= next_look(Poll(every_s=60), 80, (), [Sight(50, 11), Sight(80, 41)]) <= 62


def test_a_job_that_outlived_all_others_is_looked_at_ever_more_seldom_up_to_the_usual_gap() -> None:
    gaps = [next_look(POLL, age, STEADY) for age in (94, 120, 180, 1000)]
    assert gaps == sorted(gaps)
    assert gaps[-1] == 10


def test_progress_that_sits_at_99_does_not_cause_looks_without_end() -> None:
    age, looks, sights = 100.0, 0, seen((), 100.0, 99)
    while age < 3600:
        age += next_look(POLL, age, STEADY, seen(sights, age, 99))
        looks += 1
    assert looks < 3600 / 10 + 20


@pytest.mark.parametrize("tell", [evenly, after_a_queue, jumps, stands_still, silent])
def test_no_job_is_unseen_for_longer_than_half_its_age_or_the_usual_gap(tell: Tell) -> None:
    for renders in ((), STEADY, WIDE, (60.0, 61.0, 900.0)):
        age, sights = first_look(POLL, renders, tells_progress=True), ()
        while age < 2000:
            sights = seen(sights, age, tell(age, 2000))
            gap = next_look(POLL, age, renders, sights)
            assert POLL.min_s <= gap <= max(POLL.every_s, UNSEEN * age)
            age += gap


def test_no_gap_is_longer_than_a_claim_script_takes_for_real() -> None:
    """A due time further off is taken for a clock that stepped back."""
    assert first_look(POLL, (9000.0, 9000.0, 9000.0), tells_progress=False) == LONGEST_S


def test_looks_are_never_closer_than_told() -> None:
    assert next_look(POLL, 89.9, STEADY, [Sight(89.9, 99)]) == 2


def test_progress_is_remembered_from_when_it_was_first_told() -> None:
    sights = seen((), 5, 10)
    assert seen(sights, 9, 10) == (Sight(5, 10),)
    assert seen(sights, 9, 20) == (Sight(5, 10), Sight(9, 20))
    assert len(seen(seen(seen(sights, 9, 20), 12, 30), 15, 40)) == 3
    assert seen(sights, 9, 100)[-1] == Sight(9, 99)


def test_progress_that_goes_back_begins_anew_and_none_is_none() -> None:
    assert seen((Sight(5, 50), Sight(9, 60)), 12, 4) == (Sight(12, 4),)
    assert seen((Sight(5, 50),), 12, None) == seen((Sight(5, 50),), 12, 0) == ()


@pytest.mark.parametrize(
    ("render_s", "tells_progress", "noticed_s"),
    [
        (5, True, 20),  # done before the first look
        (20, True, 20),
        (63, False, 70),  # 20 30 … 60 70
        (185, False, 190),
    ],
)
def test_a_plan_reckons_with_the_looks_of_a_kind_that_was_never_seen(
    render_s: float, tells_progress: bool, noticed_s: float
) -> None:
    assert noticed_after(POLL, render_s, tells_progress=tells_progress) == noticed_s


def test_a_plan_reckons_with_progress() -> None:
    assert 63 <= noticed_after(POLL, 63, tells_progress=True) < 66


def test_a_plan_reckons_with_the_mean_lag_of_what_was_learned() -> None:
    for renders in (STEADY, WIDE):
        mean = statistics.mean(renders)
        lag = noticed_after(POLL, mean, tells_progress=False, renders=renders) - mean
        assert 0 < lag < 0.06 * mean
