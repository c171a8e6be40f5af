"""What a plan says is what anybody can work out by hand, where that is possible."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest

from manifests.window import EVERY_DAY, Window
from orchestrator.planning import Learned, Workload
from orchestrator.settings import Auth, Budgets, Limits, Poll
from tests.ledger import deployment, item
from tests.orchestrator.planning.nights import NOW, plan, work

HOUR = 3600
#: Looks that find a job the moment it is done.
SHARP = Poll(first_s=60, every_s=60, min_s=60)
NIGHT = Window(dt.time(22), dt.time(6), "UTC", EVERY_DAY)


def test_a_rate_spaces_creates_by_its_interval_and_the_margin() -> None:
    """Two a minute, kept 2 % slower: a create each 30.6 s, the tenth after nine of them."""
    (found,) = plan(work(10), deployment(per_minute=2, poll=SHARP))
    assert found.creates_start_at == NOW
    assert found.creates_end_at == NOW + 276  # 275.4
    assert found.archived_by_at == NOW + 336
    assert found.archived == 10
    assert found.peak_in_flight == 2
    assert found.bottleneck == "rate of east (2 a minute)"
    assert found.held == pytest.approx(1)


def test_a_burst_leaves_at_once_after_a_pause() -> None:
    (found,) = plan(work(5), deployment(per_minute=2, burst=4, poll=SHARP))
    assert found.creates_end_at == NOW + 31
    assert found.peak_in_flight == 5


def test_slots_are_given_back_when_a_look_finds_the_job_done() -> None:
    """Two at once for 60 s and 2 s for the create: the fifth starts after two rounds."""
    (found,) = plan(work(5), deployment(concurrent=2, poll=SHARP), create_s=2)
    assert found.creates_end_at == NOW + 2 * 62
    assert found.archived_by_at == NOW + 3 * 62
    assert found.peak_in_flight == 2
    assert found.bottleneck == "slots of east (2 at once)"


def test_a_job_holds_its_slot_until_it_is_looked_at() -> None:
    """Done after 63 s, looked at after 20, 30 … 60, and then each 2 s."""
    (found,) = plan(work(2), deployment(concurrent=1), render_s=63)
    assert found.creates_end_at == NOW + 64


def test_two_unequal_deployments_share_the_work_by_what_they_can_do() -> None:
    """A slot of 60 s beside one of 120 s: of nine, six and three."""
    fast, slow = deployment("fast", concurrent=1, poll=SHARP), deployment("slow", concurrent=1, poll=SHARP)
    (found,) = plan(work(9), [fast, slow], renders={"slow": 120})
    assert [(share.deployment, share.items) for share in found.shares] == [("fast", 6), ("slow", 3)]
    assert found.archived_by_at == NOW + 360
    assert (found.peak_in_flight, found.peaks) == (2, {"fast": 1, "slow": 1})


def test_deployments_of_one_quota_have_its_slots_together() -> None:
    """Two slots of 60 s for both: nine take five rounds."""
    both = [deployment(name, concurrent=2, shared_as="account", poll=SHARP) for name in ("east", "west")]
    (found,) = plan(work(9), both)
    assert found.archived_by_at == NOW + 300
    assert found.peak_in_flight == 2


def test_the_deployment_of_smaller_order_is_given_all_that_it_has_room_for() -> None:
    first, second = deployment("first", concurrent=2, poll=SHARP), deployment("second", order=1, poll=SHARP)
    (found,) = plan(work(5), [second, first])
    assert [(share.deployment, share.items) for share in found.shares] == [("second", 3), ("first", 2)]


def test_creates_wait_for_their_window_and_go_on_in_the_next_one() -> None:
    """120 an hour by the rate, 8 hours a night, 941 creates a night with the margin."""
    (found,) = plan(work(1000), deployment(per_minute=2, poll=SHARP, window=NIGHT))
    assert found.creates_start_at == NOW + 2 * HOUR
    assert found.creates_end_at == NOW + 26 * HOUR + round(30.6 * (1000 - 942 - 1))
    assert found.archived_by(NOW + 12 * HOUR) == 942
    assert any("it takes 2 of them" in warning for warning in found.warnings)
    assert found.bottleneck == "window of east (22:00 to 06:00 UTC)"


def test_a_batch_keeps_to_its_own_window_too() -> None:
    (found,) = plan(work(10, window=NIGHT), deployment(per_minute=2, poll=SHARP))
    assert found.creates_start_at == NOW + 2 * HOUR
    assert found.bottleneck == "window of the batch (22:00 to 06:00 UTC)"
    assert found.warnings == ()


def test_a_window_over_midnight_in_the_night_the_clocks_go_back_is_an_hour_longer() -> None:
    saturday = dt.datetime(2026, 10, 24, 12, tzinfo=dt.UTC).timestamp()
    window = Window(dt.time(22), dt.time(6), "Europe/Stockholm", frozenset({5}))
    (found,) = plan(work(1074), deployment(per_minute=2, poll=SHARP, window=window), now=saturday)
    assert found.creates_end_at is not None
    assert found.creates_start_at == saturday + 8 * HOUR
    assert found.creates_end_at - found.creates_start_at == pytest.approx(30.6 * 1053 + 7 * 24 * HOUR, abs=12 * HOUR)
    assert found.archived_by(saturday + 20 * HOUR) == 1059  # nine hours of them: 32,400 / 30.6


def test_a_budget_stops_before_the_item_that_would_break_it() -> None:
    """4 s of sora-2 cost 0.40 dollars: of a dollar, two."""
    (found,) = plan(work(5, budget_usd=Decimal(1)), deployment(per_minute=2, poll=SHARP))
    assert found.budget_stop is not None
    assert (found.budget_stop.items, found.budget_stop.left, found.budget_stop.at) == (2, 3, NOW + 31)
    assert found.archived == 2
    assert found.bottleneck == "budget of spring ($1.00)"
    assert found.warnings == ("the budget of $1.00 stops it after 2 of 5 items",)


def test_what_is_spent_of_a_budget_counts() -> None:
    (found,) = plan(work(5, budget_usd=Decimal(1), spent_usd=Decimal("0.5")), deployment(poll=SHARP))
    assert found.archived == 1


def test_a_days_budget_is_there_again_at_midnight() -> None:
    (found,) = plan(work(5), deployment(poll=SHARP), budgets=Budgets(day_usd=Decimal(1)))
    assert [found.archived_by(NOW + hours * HOUR) for hours in (1, 5, 29)] == [2, 4, 5]
    assert found.bottleneck == "budgets.day_usd ($1.00)"
    assert any("dailies run ends then" in warning for warning in found.warnings)


def test_a_video_that_costs_more_than_a_day_may_is_said_to_wait_for_ever() -> None:
    (found,) = plan(work(2), deployment(poll=SHARP), budgets=Budgets(day_usd=Decimal("0.10")))
    assert (found.archived, found.creates_end_at, found.bottleneck) == (0, None, None)
    assert found.warnings == ("2 items are never created: one costs more than the budget of a day or a month",)


def test_larger_priorities_are_created_first() -> None:
    workload = Workload("spring")
    for n in range(3):
        workload.add(item(f"later{n}", seconds=4))
    workload.add(item("first", seconds=12, priority=1))
    (found,) = plan(workload, deployment(per_minute=2, poll=SHARP), budgets=Budgets(day_usd=Decimal("1.25")))
    assert found.archived_by(NOW + HOUR) == 1


def test_a_remix_waits_for_its_source_and_goes_where_it_was_made() -> None:
    workload = Workload("spring")
    for key, source in (("a", None), ("b", "a"), ("c", "b")):
        workload.add(item(key, remix_of=source))
    (found,) = plan(workload, [deployment("east", poll=SHARP), deployment("west", poll=SHARP)])
    assert found.archived_by_at == NOW + 180
    assert [(share.deployment, share.items) for share in found.shares] == [("east", 3)]


def test_a_remix_of_a_video_that_is_there_waits_for_nothing() -> None:
    workload = Workload("spring")
    workload.add(item("a", remix_of="archived-long-ago"))
    workload.add(item("b", remix_of="video_68e6a1"))
    (found,) = plan(workload, deployment(poll=SHARP))
    assert found.archived_by_at == NOW + 60


def test_archiving_takes_as_many_at_once_as_the_workers_have_hands() -> None:
    """Four hands of 30 s each: ten videos take three turns, with two workers two."""
    for workers, turns in ((1, 3), (2, 2)):
        (found,) = plan(work(10), deployment(poll=SHARP), archive_s=30, workers=workers)
        assert found.archived_by_at == NOW + 60 + 30 * turns


def test_no_more_creates_are_out_than_the_workers_have_hands() -> None:
    (found,) = plan(work(33), deployment(poll=SHARP), create_s=5)
    assert found.creates_end_at == NOW + 10
    assert found.bottleneck == "hands of the workers: start more of them"


def test_a_video_whose_turn_comes_after_its_expiry_is_warned_of() -> None:
    (found,) = plan(work(10), deployment(poll=SHARP, retention_s=100), archive_s=30)
    assert found.archived == 8
    assert found.warnings[0].startswith("2 videos are deleted by the provider before")


def test_batches_that_start_together_take_turns() -> None:
    big, small = plan([work(10, batch="big"), work(3, batch="small")], deployment(per_minute=2, poll=SHARP))
    assert small.creates_end_at == NOW + 153  # 5 × 30.6: every second one
    assert big.creates_end_at == NOW + 367
    assert small.peaks == big.peaks


def test_nothing_to_render_needs_no_time() -> None:
    (found,) = plan(work(0), deployment(per_minute=2))
    assert found.document() == {
        "creates_start_at": None,
        "creates_end_at": None,
        "archived_by_at": None,
        "archived": 0,
        "peak_in_flight": 0,
        "bottleneck": None,
        "held": 0.0,
        "deployments": [],
        "hours": [],
        "budget_stop": None,
        "warnings": [],
    }


def test_the_hours_say_how_many_are_archived_by_each() -> None:
    """One each 30.6 s, from the 61st second on."""
    (found,) = plan(work(300), deployment(per_minute=2, poll=SHARP))
    hours = list(found.hours())
    assert hours == [(NOW + HOUR, 116), (NOW + 2 * HOUR, 234), (NOW + 3 * HOUR, 300)]
    assert found.document()["hours"][0] == {"at": NOW + HOUR, "archived": 116}


def test_costs_are_told_by_deployment_at_its_own_price() -> None:
    own = deployment("own", concurrent=1, poll=SHARP, price_per_second_usd="0.05")
    (found,) = plan(work(4), [own, deployment("list", concurrent=1, poll=SHARP)])
    assert [(s.deployment, s.items, s.cost) for s in found.shares] == [("own", 2, 400_000), ("list", 2, 800_000)]


def test_what_is_not_known_of_a_model_is_said() -> None:
    workload = Workload("spring")
    workload.add(item("a", model="homemade"))
    (found,) = plan(workload, deployment(model="homemade", poll=SHARP))
    assert found.warnings == (
        "east: the price of homemade at 1280x720 is not known and not in the cost: set price_per_second_usd",
        "east: what homemade can make is not known here, so sizes and seconds are unchecked: set limits",
    )
    limits = Limits(sizes=("1280x720",), seconds=(4,))
    (told,) = plan(workload, deployment(model="homemade", poll=SHARP, limits=limits, price_per_second_usd="0.01"))
    assert told.warnings == ()


def test_items_that_nothing_serves_are_said_and_left_out() -> None:
    workload = work(2)
    workload.add(item("pro", model="sora-2-pro"))
    (found,) = plan(workload, deployment(poll=SHARP))
    assert found.archived == 2
    assert found.warnings == ("no deployment serves sora-2-pro: 1 items are not rendered",)


@pytest.mark.parametrize(("days", "word"), [(-30, "is to be retired by Azure on 2026-11-02"), (30, "was to be")])
def test_creates_after_a_models_retirement_are_warned_of(days: int, word: str) -> None:
    azure = deployment(
        poll=SHARP, per_minute=2, endpoint="https://studio.openai.azure.com", auth=Auth(api_key_env="KEY")
    )
    retired = dt.datetime(2026, 11, 2, tzinfo=dt.UTC).timestamp()
    (found,) = plan(work(100_000 if days < 0 else 1), azure, now=retired + days * 86_400)
    assert any(word in warning for warning in found.warnings)
    (early,) = plan(work(10), azure, now=retired - 86_400)
    assert early.warnings == ()


def test_progress_is_told_to_the_end() -> None:
    told: list[tuple[int, int]] = []
    plan(work(30_000), deployment(per_minute=2, poll=SHARP), progress=lambda done, of: told.append((done, of)))
    assert told[-1] == (30_000, 30_000)
    assert told == sorted(told)
    assert len(told) > 2


def test_what_refusals_taught_is_reckoned_with_and_said() -> None:
    """Four at once are configured, and two were seen to be allowed; the pace likewise."""
    east = deployment(concurrent=4, poll=SHARP)
    (found,) = plan(work(6), east, learned={"east": Learned(slots=2)})
    assert found.archived_by_at == NOW + 180
    assert any("more than 2 at once" in warning for warning in found.warnings)
    (found,) = plan(work(4), deployment(per_minute=60, poll=SHARP), learned={"east": Learned(per_minute=6)})
    assert found.creates_end_at == NOW + 31  # 3 × 10.2
    assert any("more than 6 a minute" in warning for warning in found.warnings)
    assert found.bottleneck == "rate of east (6 a minute)"


def test_auto_is_reckoned_with_two_until_more_was_found_out() -> None:
    east = deployment(concurrent="auto", poll=SHARP)
    (found,) = plan(work(6), east)
    assert found.archived_by_at == NOW + 180
    assert any("found out as it goes" in warning for warning in found.warnings)
    (found,) = plan(work(6), east, learned={"east": Learned(slots=6)})
    assert (found.archived_by_at, found.warnings) == (NOW + 60, ())
