"""What a worker tells of the ledger agrees with the ledger, and costs one round trip, however many items there are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from orchestrator.admission.controller import Admission
from orchestrator.gauges import Gauges
from orchestrator.items.decision import Decision
from orchestrator.items.states import Event
from orchestrator.ledger.keys import Ref
from orchestrator.ledger.store import Store
from orchestrator.metrics import GAUGES, Sample
from orchestrator.settings import Deployment
from tests.ledger import accept, admit, deployment, intend, item, submit
from tests.orchestrator.virtual_clock import on_virtual_time, start_ms, tell

START = start_ms()
EAST = deployment("east", per_minute=60, burst=2, concurrent=3)
WEST = deployment("west", model="sora", api="jobs")


@pytest.fixture
async def store(redis: Any, namespace: str) -> Store:
    made = on_virtual_time(redis, namespace)
    await tell(made, START)
    return made


async def read(store: Store, *deployments: Deployment) -> dict[str, float]:
    """Name, or `name/label/label`, → value."""
    found: Sequence[Sample] = await Gauges(store, deployments or (EAST, WEST), clock=lambda: START / 1000).read()
    return {"/".join((sample.name.removeprefix("dailies_"), *sample.labels)): sample.value for sample in found}


async def finish(store: Store, at: Deployment, *, completed_s: float, expires_s: float) -> Ref:
    """One item more is rendered, and waits to be archived; times in seconds after the start."""
    (claim,) = (await admit(store, at, most=1)).admitted
    await intend(store, claim)
    _, version = await accept(store, claim, f"video_{claim.ref.item}")
    fields = {"expires_at": START + round(expires_s * 1000), "completed_at": START + round(completed_s * 1000)}
    done = Decision(Event.SUCCEEDED, fields | {"content_id": "x"}, {"completed_at": START}, "confirmed")
    assert await store.apply(claim.ref, int(version), done)
    return claim.ref


async def test_an_empty_ledger_has_zeros_and_no_times(store: Store) -> None:
    found = await read(store)
    assert found["ledger_up"] == 1
    assert {found[f"items/{state}"] for state in ("waiting", "archived", "held")} == {0}
    assert found["batches/running"] == found["admissible_items"] == 0
    assert not {"expiry_least_seconds", "archive_oldest_seconds", "last_progress_timestamp_seconds"} & set(found)


async def test_every_gauge_that_is_told_has_its_meaning(store: Store) -> None:
    assert {name.split("/")[0] for name in await read(store)} <= {name.removeprefix("dailies_") for name in GAUGES}


async def test_items_are_counted_over_all_batches_by_state(store: Store) -> None:
    await submit(store, [item("a"), item("b")])
    await submit(store, [item("c")], batch="autumn")
    await admit(store, EAST, most=1)
    found = await read(store)
    assert (found["items/waiting"], found["items/admitted"]) == (2, 1)
    assert found["batches/running"] == 2
    assert found["spend_usd/estimated"] == pytest.approx(3 * 0.4)


async def test_admissible_is_what_quota_slots_and_tokens_let_through_now(store: Store) -> None:
    """Two tokens, three slots and four items: two; one after the first went; none without a token."""
    await submit(store, [item(f"k{n}") for n in range(4)])
    assert (await read(store))["admissible_items"] == 2
    await admit(store, EAST, most=1)
    found = await read(store)
    assert (found["admissible_items"], found["deployment_slots_used/east"], found["deployment_slots/east"]) == (1, 1, 3)
    await admit(store, EAST, most=1)
    found = await read(store)
    assert (found["admissible_items"], found["deployment_tokens/east"]) == (0, pytest.approx(0, abs=0.1))


async def test_what_two_deployments_could_take_is_not_counted_twice(store: Store) -> None:
    await submit(store, [item("a"), item("b")])
    assert (await read(store, deployment("one"), deployment("two")))["admissible_items"] == 2


async def test_nothing_is_admissible_at_a_deployment_that_is_stopped_and_its_reason_is_told(store: Store) -> None:
    await submit(store, [item("a")])
    await admit(store, WEST)
    assert (await read(store))["deployment_stopped/east/"] == 0
    await store.judge("east", {"stop": "auth", "message": "401"})
    found = await read(store)
    assert (found["admissible_items"], found["deployment_stopped/east/auth"]) == (0, 1)
    await store.judge("east", {"resume": True, "forget_learned": False})
    await store.judge("east", {"pause": True, "reason": "", "by": ""})
    assert (await read(store))["deployment_stopped/east/paused"] == 1


async def test_nothing_is_admissible_that_its_budget_does_not_allow(store: Store) -> None:
    await submit(store, [item("a")], budget_usd="0.10")
    assert (await read(store))["admissible_items"] == 0


async def test_finished_videos_are_a_backlog_with_its_age_and_the_time_that_is_left(store: Store) -> None:
    await submit(store, [item("a"), item("b"), item("c")])
    await finish(store, EAST, completed_s=0, expires_s=7200)
    await finish(store, EAST, completed_s=-600, expires_s=3600)
    await tell(store, START + 60_000)
    found = await read(store)
    assert (found["archive_backlog_items"], found["archive_oldest_seconds"]) == (2, 660)
    assert found["expiry_least_seconds"] == 3540
    assert (found["admissible_items"], found["admissible_creates"]) == (2 + 1, 1)
    assert found["last_progress_timestamp_seconds"] == START / 1000


async def test_an_archive_that_refuses_writes_is_told_until_it_is_asked_again(store: Store) -> None:
    await submit(store, [item("a")])
    ref = await finish(store, EAST, completed_s=0, expires_s=7200)
    found = await store.load(ref)
    assert found is not None
    await store.apply(ref, found.version, Decision(Event.POSTPONED, due_in_s=2, archive_closed_s=30))
    assert (await read(store))["archive_refusing"] == 1
    await tell(store, START + 31_000)
    assert (await read(store))["archive_refusing"] == 0


async def test_workers_are_counted_by_the_steps_that_they_run(store: Store) -> None:
    for name, steps in (("w1", ("create", "poll")), ("w2", ("archive",)), ("w3", ("archive",))):
        await store.claim({}, pools={}, deployments=[], allowance_s=30, furthest_s=60,
                          present=[f"{step} {name}" for step in steps])  # fmt: skip
    found = await read(store)
    assert {step: found.get(f"workers/{step}") for step in ("create", "poll", "archive", "reconcile")} == {
        "create": 1, "poll": 1, "archive": 2, "reconcile": 0,
    }  # fmt: skip


async def test_it_is_one_round_trip_whatever_there_is(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    await submit(store, [item(f"k{n}") for n in range(50)])
    asked: list[str] = []
    run = store.scripts.run

    async def counted(name: str, *arguments: Any, **more: Any) -> Any:
        asked.append(name)
        return await run(name, *arguments, **more)

    monkeypatch.setattr(store.scripts, "run", counted)
    await read(store)
    assert asked == ["measure"]


async def test_reading_changes_nothing_that_admission_says(store: Store) -> None:
    await submit(store, [item("a"), item("b"), item("c")])
    await read(store)
    answer = (await Admission(store, [EAST]).ask(10, allowance_s=600))["east"]
    assert [claim.ref.item for claim in answer.admitted] == ["a", "b"]
