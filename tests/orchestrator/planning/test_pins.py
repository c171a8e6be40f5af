"""A plan keeps to the deployments that items name, and to what those take."""

from __future__ import annotations

from orchestrator.planning import Workload
from orchestrator.settings import Poll
from tests.ledger import deployment, item
from tests.orchestrator.planning.nights import NOW, plan

SHARP = Poll(first_s=60, every_s=60, min_s=60)
EAST = deployment("east", concurrent=1, poll=SHARP)
WEST = deployment("west", concurrent=1, poll=SHARP, price_per_second_usd="0.50")


def work(*pins: str | None) -> Workload:
    workload = Workload("spring")
    for n, pin in enumerate(pins):
        workload.add(item(f"k{n}", deployment=pin))
    return workload


def test_what_is_pinned_waits_for_its_own_deployment_though_another_is_free() -> None:
    (found,) = plan(work("east", "east", "east"), [EAST, WEST])
    assert [(share.deployment, share.items) for share in found.shares] == [("east", 3)]
    assert found.archived_by_at == NOW + 180


def test_it_costs_what_that_one_takes() -> None:
    (found,) = plan(work("west", "east"), [EAST, WEST])
    assert {share.deployment: share.cost for share in found.shares} == {"west": 2_000_000, "east": 400_000}


def test_what_is_not_pinned_goes_where_there_is_room() -> None:
    (found,) = plan(work("east", "east", None, None), [EAST, WEST])
    assert {share.deployment: share.items for share in found.shares} == {"east": 2, "west": 2}
    assert found.archived_by_at == NOW + 120


def test_pins_make_one_kind_in_the_counts() -> None:
    assert list(work("east", None, "west").counts().values()) == [3]
