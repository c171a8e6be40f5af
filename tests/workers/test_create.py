"""What each outcome of a create means (promises 3 and 22). Pure: no provider, no ledger."""

from __future__ import annotations

import pytest

from orchestrator.states import Event
from tests.ledger import deployment
from workers.create import decide
from workers.video_api import NotSent, RefusalKind, Refused, Unknown


def refused(kind: RefusalKind, status: int = 400, retry_after_s: float | None = None) -> Refused:
    return Refused(kind, status, None, "the server's words", "req-1", retry_after_s)


def test_an_unsent_order_waits_again_and_costs_nothing() -> None:
    decision = decide(NotSent("connection refused"), deployment())
    assert (decision.event, decision.money) == (Event.RETURNED, "none")
    assert decision.deployment is not None
    assert decision.deployment["backoff"]


def test_an_unknown_outcome_moves_nothing_and_keeps_its_money_as_spent() -> None:
    decision = decide(Unknown("500 after send", 500, "req-1"), deployment())
    assert (decision.event, decision.money, decision.due_in_s) == (Event.UNCERTAIN, None, None)
    assert decision.item["unknown_since"]


@pytest.mark.parametrize("kind", [RefusalKind.INVALID, RefusalKind.MODERATED, RefusalKind.SOURCE_MISSING])
def test_an_order_refused_for_what_it_is_fails_unbilled_in_the_servers_words(kind: RefusalKind) -> None:
    decision = decide(refused(kind), deployment())
    assert (decision.event, decision.money) == (Event.REFUSED, "none")
    assert (decision.item["reason"], decision.item["message"]) == (str(kind), "the server's words")
    assert decision.deployment is None


@pytest.mark.parametrize("kind", [RefusalKind.AUTH, RefusalKind.DEPLOYMENT_MISSING, RefusalKind.MODEL_RETIRED])
def test_a_wrong_key_a_missing_deployment_and_a_retired_model_stop_the_deployment_not_the_item(
    kind: RefusalKind,
) -> None:
    decision = decide(refused(kind, 401), deployment())
    assert (decision.event, decision.money) == (Event.RETURNED, "none")
    assert decision.deployment == {"stop": str(kind), "message": "the server's words"}


def test_a_throttled_create_waits_as_long_as_the_server_says() -> None:
    decision = decide(refused(RefusalKind.RATE_LIMITED, 429, retry_after_s=17.0), deployment())
    assert decision.event is Event.RETURNED
    assert decision.deployment is not None
    assert decision.deployment["cool_ms"] == 17_000


def test_a_429_from_a_gateway_is_looked_up_before_anything_is_sent_again() -> None:
    decision = decide(refused(RefusalKind.RATE_LIMITED, 429), deployment(gateway=True))
    assert decision.event is Event.UNCERTAIN
