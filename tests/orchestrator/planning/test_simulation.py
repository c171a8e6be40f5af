"""Whatever the quotas: none is overrun, nothing is left behind, and more of them is never worse."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.admission.controller import ADMIT_MARGIN, interval_s
from orchestrator.planning import Forecast
from orchestrator.settings import Deployment
from tests.ledger import deployment
from tests.orchestrator.planning.nights import NOW, plan, work


@dataclass(frozen=True)
class Limits:
    """The quota of one deployment."""

    per_minute: int | None
    burst: int
    concurrent: int | None

    def deployment(self, name: str) -> Deployment:
        return deployment(name, per_minute=self.per_minute, burst=self.burst, concurrent=self.concurrent)


limits = st.builds(
    Limits,
    per_minute=st.none() | st.integers(1, 90),
    burst=st.integers(1, 4),
    concurrent=st.none() | st.integers(1, 9),
)
nights = {
    "quotas": st.lists(limits, min_size=1, max_size=3),
    "count": st.integers(0, 80),
    "render_s": st.integers(1, 400),
    "create_s": st.integers(0, 20),
    "archive_s": st.integers(0, 60),
}


def run(quotas: list[Limits], count: int, render_s: int, create_s: int, archive_s: int) -> Forecast:
    serving = [quota.deployment(f"d{n}") for n, quota in enumerate(quotas)]
    (found,) = plan(work(count), serving, render_s=render_s, create_s=create_s, archive_s=archive_s)
    return found


@settings(deadline=None)
@given(**nights)
def test_no_more_are_in_flight_than_there_are_slots(
    quotas: list[Limits], count: int, render_s: int, create_s: int, archive_s: int
) -> None:
    found = run(quotas, count, render_s, create_s, archive_s)
    for n, quota in enumerate(quotas):
        assert found.peaks[f"d{n}"] <= (quota.concurrent or count)
    assert found.peak_in_flight <= min(count, sum(found.peaks.values()))


@settings(deadline=None)
@given(**nights)
def test_everything_is_archived_in_the_end_and_in_its_order(
    quotas: list[Limits], count: int, render_s: int, create_s: int, archive_s: int
) -> None:
    found = run(quotas, count, render_s, create_s, archive_s)
    assert found.archived == sum(share.items for share in found.shares) == count
    if count:
        assert found.creates_start_at == NOW
        assert found.archived_by_at is not None
        assert found.creates_end_at is not None
        assert found.archived_by_at >= found.creates_end_at + create_s + render_s + archive_s - 1
        assert found.archived_by(found.archived_by_at) == count > found.archived_by(found.archived_by_at - 1)
        assert found.archived_by(NOW - 1) == 0
        hours = [archived for _, archived in found.hours()]
        assert hours == sorted(set(hours))
        assert hours[-1] == count


@settings(deadline=None)
@given(**nights)
def test_creates_are_no_closer_than_the_rate_allows(
    quotas: list[Limits], count: int, render_s: int, create_s: int, archive_s: int
) -> None:
    found = run(quotas, count, render_s, create_s, archive_s)
    made = {share.deployment: share.items for share in found.shares}
    spans = [
        (made.get(f"d{n}", 0) - q.burst) * interval_s(q.deployment("d")) * ADMIT_MARGIN for n, q in enumerate(quotas)
    ]
    if count:
        assert found.creates_end_at is not None
        assert found.creates_end_at - NOW >= max(spans) - 1


@settings(deadline=None)
@given(
    per_minute=st.none() | st.integers(1, 60),
    concurrent=st.none() | st.integers(1, 8),
    count=st.integers(1, 80),
    render_s=st.integers(1, 400),
    more_rate=st.integers(0, 60),
    more_slots=st.integers(0, 8),
)
def test_more_quota_never_ends_later_by_more_than_one_interval(
    per_minute: int | None, concurrent: int | None, count: int, render_s: int, more_rate: int, more_slots: int
) -> None:
    little = Limits(per_minute, 1, concurrent)
    much = Limits(per_minute and per_minute + more_rate, 1, concurrent and concurrent + more_slots)
    before, after = (run([quota], count, render_s, 0, 0) for quota in (little, much))
    interval = interval_s(little.deployment("d")) * ADMIT_MARGIN
    for instant in ("creates_end_at", "archived_by_at"):
        assert getattr(after, instant) <= getattr(before, instant) + interval + 1
