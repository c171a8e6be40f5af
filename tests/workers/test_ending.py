"""What follows when a remote job came to nothing: how often it is tried again, and what the end says."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from orchestrator.items.failures import EXPIRED, INTERNAL_ERROR, MODERATION, TABLE
from orchestrator.items.states import Event
from orchestrator.ledger.records import Attempt, Item
from tests.ledger import deployment
from tests.workers.test_poller import DAY, NOW, job, rendering
from workers.rendering.ending import ended
from workers.rendering.look import decide, decide_error
from workers.video_api import Missing, RemoteStatus


def failed(item: Item, code: str | None, **settings: Any) -> Any:
    words = {"failure_code": code, "failure_message": "the provider's words"}
    return decide(job(RemoteStatus.FAILED, **words), item, deployment(**settings), NOW + 60)


def test_an_internal_error_is_tried_again_twice_with_a_growing_pause_and_the_end_says_how_often() -> None:
    first = failed(rendering(made="1"), "internal_error")
    assert (first.event, first.money, first.due_in_s, first.item["retries"]) == (Event.RETRIED, "unknown", 60, 1)
    second = failed(rendering(made="2", retries="1"), "internal_error")
    assert (second.event, second.due_in_s, second.item["retries"]) == (Event.RETRIED, 120, 2)
    last = failed(rendering(made="3", retries="2"), "internal_error")
    assert (last.event, last.money, last.due_in_s) == (Event.FAILED, "unknown", None)
    assert last.item == {
        "reason": "internal_error", "message": "the provider's words; 3 attempts were made", "billed": "unknown",
    }  # fmt: skip


def test_attempts_that_were_never_sent_are_not_said_to_have_been_made() -> None:
    """Nobody shall think that a prompt which is refused was paid for five times, since an endpoint was away before."""
    assert failed(rendering(made="5"), "moderation_blocked").item["message"] == "the provider's words"


@pytest.mark.parametrize("code", ["moderation_blocked", "input_moderation", "output_moderation", "new_code", None])
def test_moderation_and_what_nobody_knows_is_never_tried_again_blindly(code: str | None) -> None:
    """It is reported in the provider's words, with the provider's code beside it."""
    decision = failed(rendering(), code)
    assert (decision.event, decision.item["message"]) == (Event.FAILED, "the provider's words")
    assert decision.attempt["code"] == (code or "failed")


@pytest.mark.parametrize("failure", [f for f in TABLE.values() if f.lost], ids=lambda f: f.code)
def test_a_lost_video_is_made_again_once_where_the_operator_says_so(failure: Any) -> None:
    def lost(on_expired: str, **fields: str) -> Any:
        there = deployment(on_expired=on_expired)
        return ended(failure, "gone", rendering(**fields), there, event=Event.LOST)

    assert lost("hold").event is Event.LOST
    again = lost("rerender")
    assert (again.event, again.item["rerenders"], again.money) == (Event.RETRIED, 1, failure.billed.money)
    assert lost("rerender", rerenders="1").event is Event.LOST


def test_a_failure_that_is_no_loss_is_not_made_again_for_it() -> None:
    there = deployment(on_expired="rerender")
    assert ended(MODERATION, "no", rendering(), there, event=Event.FAILED).event is Event.FAILED
    assert ended(INTERNAL_ERROR, "no", rendering(retries="2"), there, event=Event.FAILED).event is Event.FAILED
    assert ended(EXPIRED, "gone", rendering(), deployment(), event=Event.LOST).item["billed"] == "yes"


def test_a_job_that_is_missing_after_its_time_may_have_been_a_video() -> None:
    """Nobody looked for a day: what the operator wants of lost videos counts."""
    seen, missing = {"missing": "2", "missing_since": str(NOW * 1000)}, Missing("not found", status=404)
    assert decide_error(missing, rendering(**seen), deployment(), NOW + 200).item["reason"] == "remote_missing"
    late = decide_error(missing, rendering(**seen), deployment(), NOW + DAY + 200)
    assert late.item["reason"] == "expired_remotely"


def test_a_status_that_nobody_knows_is_rendering_until_its_time_is_over() -> None:
    """Counted from when it was first said: what rendered before under words that are known counts for nothing."""
    strange = dataclasses.replace(job(RemoteStatus.RUNNING), raw_status="hovering")
    item, there = rendering(), deployment(max_render_s=100)
    first = decide(strange, item, there, NOW + 5000)
    assert (first.event, first.attempt["strange_since"]) == (Event.OBSERVED, round((NOW + 5000) * 1000))
    made = {**item.attempt.fields, "strange_since": str((NOW + 5000) * 1000)}  # type: ignore[union-attr]
    item = _with(item, made)
    assert decide(strange, item, there, NOW + 5099).event is Event.OBSERVED
    last = decide(strange, item, there, NOW + 5101)
    assert (last.event, last.item["reason"]) == (Event.FAILED, "unknown_status")
    assert "'hovering'" in last.item["message"]
    known = decide(job(RemoteStatus.RUNNING), item, there, NOW + 5101)
    assert (known.event, known.attempt["strange_since"]) == (Event.OBSERVED, "")


def _with(item: Item, fields: dict[str, str]) -> Item:
    return dataclasses.replace(item, attempt=Attempt.parse(1, fields))
