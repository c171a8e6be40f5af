"""What a look at a remote job means. Pure."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from dailies.reading.documents import item_document
from orchestrator.items.states import Event, State
from orchestrator.ledger.keys import Ref
from orchestrator.ledger.records import Attempt, Item, Spec
from tests.ledger import deployment
from workers.rendering.look import decide, decide_error, expiry
from workers.video_api import Denied, Missing, RemoteJob, RemoteStatus, ServerFault

NOW = 1_790_000_000.0
DAY = 86_400.0


def rendering(**fields: str) -> Item:
    spec = Spec("a", "prompt", "sora-2", "1280x720", 4, "v1:x", {})
    made = {"deployment": "east", "scope": "s", "remote_id": "video_1", "intent_at": str(NOW * 1000)}
    return Item(Ref("b", "a"), State.RENDERING, 3, spec, 1, Attempt.parse(1, made), None, None, "east", fields)


def job(status: RemoteStatus, **more: Any) -> RemoteJob:
    return RemoteJob("video_1", status, str(status), **{"created_at": NOW, **more})


def test_a_running_job_is_looked_at_again_after_the_usual_time() -> None:
    decision = decide(job(RemoteStatus.RUNNING, progress=10), rendering(), deployment(), NOW + 20)
    assert (decision.event, decision.due_in_s) == (Event.OBSERVED, 10.0)


def test_a_job_that_is_nearly_done_is_looked_at_closely() -> None:
    decision = decide(job(RemoteStatus.RUNNING, progress=97), rendering(), deployment(), NOW + 60)
    assert decision.due_in_s is not None
    assert 2 <= decision.due_in_s < 4


def test_what_is_learned_of_its_kind_counts() -> None:
    renders = [80.0, 81.0, 82.0]
    decision = decide(job(RemoteStatus.RUNNING), rendering(), deployment(), NOW + 60, renders=renders)
    assert decision.due_in_s == pytest.approx(22)


def test_progress_is_remembered_with_the_age_since_the_answer() -> None:
    """Its second reading tells the pace: it did not begin before the fortieth second."""
    item = rendering()
    made = {**item.attempt.fields, "sights": "60.000:21", "adopted": "answer", "accepted_at": str((NOW + 5) * 1000)}  # type: ignore[union-attr]
    item = dataclasses.replace(item, attempt=Attempt.parse(1, made))
    decision = decide(job(RemoteStatus.RUNNING, progress=61), item, deployment(), NOW + 105)
    assert decision.attempt["sights"] == "60.000:21 100.000:61"
    assert decision.due_in_s == pytest.approx(40, abs=2)


def test_the_age_of_a_job_that_was_found_by_its_prompt_is_what_the_provider_says() -> None:
    item = rendering()
    made = {**item.attempt.fields, "adopted": "prompt", "accepted_at": str((NOW + 90) * 1000)}  # type: ignore[union-attr]
    item = dataclasses.replace(item, attempt=Attempt.parse(1, made))
    decision = decide(job(RemoteStatus.RUNNING, progress=50), item, deployment(), NOW + 100)
    assert decision.attempt["sights"] == "100.000:50"


def test_a_server_that_asks_to_be_left_alone_is() -> None:
    decision = decide(job(RemoteStatus.RUNNING, progress=95, poll_after_s=30), rendering(), deployment(), NOW)
    assert decision.due_in_s == 30


def test_a_finished_job_goes_to_the_archive_with_its_expiry_and_its_money_confirmed() -> None:
    done = job(RemoteStatus.SUCCEEDED, completed_at=NOW + 60, expires_at=NOW + DAY, content_ids=("video_1",))
    decision = decide(done, rendering(), deployment(), NOW + 61)
    assert (decision.event, decision.money) == (Event.SUCCEEDED, "confirmed")
    assert decision.item["expires_at"] == round((NOW + DAY) * 1000)


def test_a_job_that_succeeded_without_a_video_has_failed() -> None:
    decision = decide(job(RemoteStatus.SUCCEEDED), rendering(), deployment(), NOW)
    assert (decision.event, decision.item["reason"], decision.money) == (Event.FAILED, "no_video", "unknown")


@pytest.mark.parametrize("status", [RemoteStatus.FAILED, RemoteStatus.GONE])
def test_a_job_that_ended_without_a_video_fails_and_its_billing_stays_unknown(status: RemoteStatus) -> None:
    decision = decide(job(status, failure_code="moderation_blocked"), rendering(), deployment(), NOW)
    assert (decision.event, decision.item["reason"], decision.money) == (
        Event.FAILED,
        "moderation_blocked",
        "unknown",
    )


def test_a_job_of_unknown_status_is_followed_until_its_retention_is_over() -> None:
    late = decide(job(RemoteStatus.RUNNING), rendering(), deployment(), NOW + DAY + 1)
    assert (late.event, late.item["reason"]) == (Event.FAILED, "never_finished")


@pytest.mark.parametrize("created_at", [1.0, NOW - 30 * DAY, NOW + 3000 * DAY])
def test_a_server_that_is_wrong_about_the_time_neither_loses_a_video_nor_keeps_a_slot(created_at: float) -> None:
    running = job(RemoteStatus.RUNNING, created_at=created_at)
    assert decide(running, rendering(), deployment(), NOW + 60).event is Event.OBSERVED
    assert decide(running, rendering(), deployment(), NOW + DAY + 1).event is Event.FAILED


def test_a_time_of_creation_long_before_the_intent_makes_no_video_expire() -> None:
    done = job(RemoteStatus.SUCCEEDED, created_at=1.0, content_ids=("video_1",))
    decision = decide(done, rendering(), deployment(), NOW + 61)
    assert decision.item["expires_at"] == round((NOW + DAY) * 1000)


@pytest.mark.parametrize("error", [Denied("wrong key", status=401), ServerFault("oops", status=503)])
def test_a_refused_or_broken_look_never_ends_an_item(error: Exception) -> None:
    decision = decide_error(error, rendering(), deployment(), NOW)  # type: ignore[arg-type]
    assert decision.event is Event.OBSERVED


def test_why_the_last_look_failed_is_remembered_until_one_succeeds() -> None:
    """An endpoint that is away for hours is no long render, for whoever asks where the item is."""
    item = rendering()
    refused = decide_error(Denied("the key is refused", status=401), item, deployment(), NOW)
    assert refused.attempt == {"unseen": "HTTP 401: the key is refused"}
    assert item.attempt is not None
    blind = dataclasses.replace(
        item, attempt=Attempt.parse(1, {**item.attempt.fields, **{k: str(v) for k, v in refused.attempt.items()}})
    )
    assert item_document(blind, [])["warning"] == "the last look at it failed: HTTP 401: the key is refused"
    seen = decide(job(RemoteStatus.RUNNING), blind, deployment(), NOW + 60)
    assert seen.attempt["unseen"] == ""
    assert "unseen" not in decide(job(RemoteStatus.RUNNING), item, deployment(), NOW + 60).attempt
    assert item_document(item, [])["warning"] is None


def test_a_missing_job_counts_as_gone_only_after_three_looks_in_two_minutes() -> None:
    missing = Missing("not found", status=404)
    first = decide_error(missing, rendering(), deployment(), NOW)
    assert (first.event, first.item["missing"]) == (Event.OBSERVED, 1)
    seen = {"missing": "2", "missing_since": str(NOW * 1000)}
    assert decide_error(missing, rendering(**seen), deployment(), NOW + 30).event is Event.OBSERVED
    assert decide_error(missing, rendering(**seen), deployment(), NOW + 121).event is Event.FAILED


def test_sora_1_videos_expire_at_the_earlier_of_both_documented_instants() -> None:
    jobs = deployment(api="jobs")
    late = job(RemoteStatus.SUCCEEDED, expires_at=NOW + 600 + DAY)
    assert expiry(late, jobs, NOW, NOW + 600) == NOW + DAY
    assert expiry(late, deployment(), NOW, NOW + 600) == NOW + 600 + DAY
    assert expiry(job(RemoteStatus.SUCCEEDED), deployment(), NOW, NOW + 600) == NOW + DAY
