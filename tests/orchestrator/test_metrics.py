"""What a process counts: from zero, in labels that are bounded, under names that Prometheus has a use for."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.items.decision import Decision
from orchestrator.items.failures import MODERATION, TABLE
from orchestrator.items.states import Event
from orchestrator.ledger.store import Store
from orchestrator.metrics import Metrics
from tests.ledger import accept, admit, deployment, intend, item, submit


def told(metrics: Metrics, accept: str = "") -> dict[str, float]:
    page, _ = metrics.exposition([], accept)
    lines = (line.rsplit(" ", 1) for line in page.decode().splitlines() if not line.startswith("#"))
    return {name: float(value) for name, value in lines}


def test_what_is_expected_is_told_before_it_happens() -> None:
    metrics = Metrics()
    metrics.expect(["east"])
    found = told(metrics)
    assert found['dailies_admissions_total{deployment="east"}'] == 0
    assert found['dailies_refusals_total{deployment="east",kind="rate"}'] == 0
    assert {f'dailies_failures_total{{reason="{code}"}}' for code in TABLE} <= set(found)


def test_each_process_has_a_registry_of_its_own() -> None:
    one, other = Metrics(), Metrics()
    one.archived(10, 2.0)
    assert (told(one)["dailies_archived_bytes_total"], told(other)["dailies_archived_bytes_total"]) == (10, 0)


@pytest.mark.parametrize(
    ("outcome", "kind"),
    [("rate_limited", "rate"), ("too_many_running", "slots"), ("quota_exhausted", "quota"), ("auth", "auth"),
     ("moderated", "other"), ("a word from nowhere", "other")],
)  # fmt: skip
def test_refusals_are_told_by_their_kind(outcome: str, kind: str) -> None:
    metrics = Metrics()
    metrics.refused("east", outcome)
    assert told(metrics)[f'dailies_refusals_total{{deployment="east",kind="{kind}"}}'] == 1


@pytest.mark.parametrize(
    ("status", "word"), [(200, "200"), (429, "429"), (None, "none"), (499, "4xx"), (999, "9xx"), (7, "0xx")]
)
def test_statuses_that_nobody_knows_are_told_by_their_class(status: int | None, word: str) -> None:
    metrics = Metrics()
    metrics.answered("east", "GET", status)
    assert told(metrics)[f'dailies_api_requests_total{{deployment="east",method="GET",status="{word}"}}'] == 1


def test_openmetrics_is_spoken_to_who_asks_for_it() -> None:
    page, content_type = Metrics().exposition([], "application/openmetrics-text; version=1.0.0")
    assert content_type.startswith("application/openmetrics-text")
    assert page.endswith(b"# EOF\n")
    assert b"_created" not in page


async def test_an_item_that_ends_without_a_video_is_counted_with_those_that_end_with_it(
    redis: Any, namespace: str
) -> None:
    """A render that fails, and the remix that was to be made from it; and a finished video that is lost."""
    store = Store(redis, namespace)
    await submit(store, [item("a"), item("b", remix_of="a"), item("c")])
    for claim in (await admit(store, deployment())).admitted:
        await intend(store, claim)
        _, version = await accept(store, claim, f"video_{claim.ref.item}")
        if claim.ref.item == "a":
            failed = Decision(Event.FAILED, MODERATION.fields("no"), money="none")
            assert await store.apply(claim.ref, int(version), failed)
        else:
            now = await store.apply(claim.ref, int(version), Decision(Event.SUCCEEDED, {"content_id": "x"}))
            assert now
            assert await store.apply(claim.ref, now, Decision(Event.LOST, {"reason": "expired", "message": ""}))
    found = told(store.metrics)
    assert found["dailies_expired_videos_total"] == 1
    failures = {name: value for name, value in found.items() if name.startswith("dailies_failures") and value}
    reasons = ("moderation_blocked", "source_failed", "expired")
    assert failures == {f'dailies_failures_total{{reason="{reason}"}}': 1 for reason in reasons}
