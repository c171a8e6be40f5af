"""Where workers run only a part of the steps, people learn of the step that none of them runs."""

from __future__ import annotations

from typing import Any

import pytest
from structlog.testing import capture_logs

from orchestrator.admission import attendance
from orchestrator.ledger.keys import Ref
from orchestrator.ledger.store import Store
from orchestrator.reasons.why import why
from tests.ledger import accept, admit, deployment, intend, item, submit
from tests.orchestrator.virtual_clock import on_virtual_time, start_ms, tell

START = start_ms()
ALL = attendance.STEPS


@pytest.fixture
async def store(redis: Any, namespace: str) -> Store:
    made = on_virtual_time(redis, namespace)
    await tell(made, START)
    return made


async def at(store: Store, seconds: float, **workers: tuple[str, ...]) -> list[tuple[str, str]]:
    """So many seconds after the start these workers make a round, and one of them looks: (event, step) as told."""
    await tell(store, START + round(seconds * 1000))
    for name, steps in workers.items():
        present = [f"{step} {name}" for step in steps]
        await store.claim({}, pools={}, deployments=[], allowance_s=30, furthest_s=60, present=present)
    with capture_logs() as lines:
        await attendance.watch(store)
    return [(line["event"], line["step"]) for line in lines]


async def idle(store: Store) -> list[str]:
    return [each.step for each in await attendance.unmanned(store)]


async def test_a_fleet_in_which_every_step_has_its_worker_says_nothing(store: Store) -> None:
    for seconds in (0, 30, 61, 120):
        assert await at(store, seconds, a=("create", "reconcile"), b=("poll", "archive")) == []
    assert await idle(store) == []


async def test_a_step_that_nobody_has_run_for_a_minute_is_told_once_and_again_when_somebody_does(store: Store) -> None:
    assert await at(store, 0, a=("create", "poll")) == []
    assert await idle(store) == []
    told = await at(store, 61, a=("create", "poll"))
    assert told == [("step.has_no_worker", "archive"), ("step.has_no_worker", "reconcile")]
    assert await idle(store) == ["archive", "reconcile"]
    assert await at(store, 90, a=("create", "poll")) == []
    assert await at(store, 91, b=("archive",)) == [("step.has_a_worker", "archive")]
    assert await idle(store) == ["reconcile"]


async def test_a_fleet_that_loses_its_last_worker_of_a_step_says_so(store: Store) -> None:
    assert await at(store, 0, a=("create", "poll", "reconcile"), b=("archive",)) == []
    assert await at(store, 61, a=("create", "poll", "reconcile")) == []
    assert await at(store, 122, a=("create", "poll", "reconcile")) == [("step.has_no_worker", "archive")]


async def test_where_nobody_works_nothing_is_missing(store: Store) -> None:
    await at(store, 0, a=("create",))
    await at(store, 61, a=("create",))
    await tell(store, START + 300_000)
    assert await idle(store) == []


async def test_a_worker_of_a_release_that_does_not_say_its_steps_may_run_any(store: Store) -> None:
    """While a fleet is renewed."""
    for seconds in (0, 61):
        await tell(store, START + seconds * 1000)
        await store.claim(
            {"archive": 0}, pools={"archive": "archive"}, deployments=[], allowance_s=30, furthest_s=60, archivist="old"
        )
        assert await at(store, seconds, new=("create",)) == []


async def test_whoever_asks_why_a_video_is_not_found_finished_hears_that_nobody_polls(store: Store) -> None:
    await submit(store, [item("a")])
    (claim,) = (await admit(store, deployment())).admitted
    await intend(store, claim)
    await accept(store, claim, "video_1")
    for seconds in (0, 61):
        await at(store, seconds, a=tuple(step for step in ALL if step != "poll"))
    found = await why(store, Ref("spring", "a"), [deployment()])
    assert found is not None
    assert "no worker runs the step that moves it on (poll)" in found.summary
    assert found.resume == "start a worker that does: dailies worker --only poll, or one without --only"
