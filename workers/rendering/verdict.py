"""What the outcome of a create means for its item and its deployment. Pure: the step sends, and carries it out."""

from __future__ import annotations

from collections.abc import Mapping

from orchestrator.items.decision import Decision
from orchestrator.items.failures import (
    CREATE,
    INVALID_REQUEST,
    MODERATION_REFUSED,
    OUTCOME_UNKNOWN,
    SOURCE_MISSING,
    Failure,
)
from orchestrator.items.states import Event
from orchestrator.settings import Deployment
from workers.video_api import NotSent, RefusalKind, Refused, Unknown

#: Pause when a quota is used up and the server does not say until when (seconds).
EXHAUSTED_COOL_S = 3600.0

#: What a refusal says of the item itself.
_ENDS: Mapping[RefusalKind, Failure] = {
    RefusalKind.INVALID: INVALID_REQUEST,
    RefusalKind.MODERATED: MODERATION_REFUSED,
    RefusalKind.SOURCE_MISSING: SOURCE_MISSING,
}
_STOPS = (RefusalKind.AUTH, RefusalKind.DEPLOYMENT_MISSING, RefusalKind.MODEL_RETIRED)
#: One create too many: of which limit (`lua/shared/quota.lua`).
_TOO_MANY = {RefusalKind.RATE_LIMITED: "rate", RefusalKind.TOO_MANY_RUNNING: "slots"}


def decide(outcome: NotSent | Refused | Unknown, deployment: Deployment) -> Decision:
    """What a create that gave no remote id means for its item and its deployment (promises 3 and 22)."""
    if isinstance(outcome, NotSent):
        return not_sent(outcome.reason)
    if isinstance(outcome, Unknown):
        return _unknown(outcome)
    attempt = {
        "outcome": str(outcome.kind),
        "status": outcome.status or "",
        "code": outcome.code or "",
        "message": outcome.message,
        "request_id": outcome.request_id or "",
    }
    if outcome.kind in _TOO_MANY or outcome.kind is RefusalKind.QUOTA_EXHAUSTED:
        if deployment.gateway:  # a proxy that sends again by itself: the listing has to tell
            reason = f"429 from a gateway: {outcome.message}"
            return _unknown(Unknown(reason, outcome.status, outcome.request_id, outcome.retry_after_s))
        return _back(attempt, _throttled(outcome))
    if outcome.kind is RefusalKind.STALE_PROOF:
        # The next create goes with the new one. Should that be refused too, it is the deployment that stops.
        return Decision(Event.RETURNED, attempt=attempt, money="none")
    if outcome.kind in _STOPS:
        return _back(attempt, {"stop": str(outcome.kind), "message": outcome.message})
    named = f"{outcome.field}: " if outcome.field else ""
    fields = _ENDS[outcome.kind].fields(named + outcome.message)
    return Decision(Event.REFUSED, fields, attempt, money="none")


def _back(attempt: Mapping[str, object], verdict: Mapping[str, object]) -> Decision:
    """Not the item's fault: it waits again, and the deployment pauses or stops."""
    return Decision(Event.RETURNED, attempt=attempt, money="none", deployment=verdict)


def not_sent(reason: str) -> Decision:
    """Nothing left this machine: the item waits again, and the deployment pauses."""
    return _back({"outcome": "not_sent", "message": reason}, _pause(f"unreachable: {reason}"))


def _unknown(outcome: Unknown) -> Decision:
    """Only reconcile moves the item. The deployment pauses: in an outage each further create would end like this."""
    return Decision(
        Event.UNCERTAIN,
        {"reason": OUTCOME_UNKNOWN.code, "message": outcome.reason},
        {
            "outcome": "unknown",
            "status": outcome.status or "",
            "message": outcome.reason,
            "request_id": outcome.request_id or "",
        },
        deployment=_pause(f"no certain answer: {outcome.reason}", outcome.retry_after_s),
    )


def _pause(reason: str, retry_after_s: float | None = None) -> dict[str, object]:
    """As long as the server asks for, else longer each time."""
    if retry_after_s:
        return {"cool_ms": round(retry_after_s * 1000), "reason": reason}
    first_ms, longest_ms = round(CREATE.first_s * 1000), round(CREATE.longest_s * 1000)
    return {"cool_ms": first_ms, "backoff": longest_ms, "reason": reason}


def _throttled(refused: Refused) -> dict[str, object]:
    """What a 429 says of the quota: the ledger learns from it. A quota that is used up parks the deployment, and those
    that share the quota by the settings: each would only be refused too."""
    reason = str(refused.kind)
    if refused.kind is RefusalKind.QUOTA_EXHAUSTED:
        cool_ms = round(1000 * (refused.retry_after_s or EXHAUSTED_COOL_S))
        return {"cool_ms": cool_ms, "reason": reason, "whole_quota": True}
    verdict: dict[str, object] = {"refused": _TOO_MANY[refused.kind], "reason": reason}
    if refused.retry_after_s is not None:
        verdict["retry_ms"] = round(1000 * refused.retry_after_s)
    return verdict
