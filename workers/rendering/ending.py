"""What follows when a remote job came to nothing: a new attempt by itself, while its budget lasts, or the end."""

from __future__ import annotations

from orchestrator.items.decision import Decision
from orchestrator.items.failures import RERENDER, Failure
from orchestrator.items.states import Event
from orchestrator.ledger.records import Item
from orchestrator.settings import Deployment


def ended(
    failure: Failure, message: str, item: Item, deployment: Deployment, *, event: Event, code: str | None = None
) -> Decision:
    """The decision about an item whose newest attempt ended so; `event` is what it is without another one.

    `message` and `code` are the provider's own. A new attempt may be paid besides this one, whose price stays where
    nobody knows better.
    """
    fields = failure.fields(message)
    attempt = {"outcome": failure.code, "code": code or "", "message": message}
    again = _again(failure, item, deployment)
    if again is not None:
        counted, pause_s = again
        return Decision(Event.RETRIED, fields | counted, attempt, money=failure.billed.money, due_in_s=pause_s)
    # Not the ledger's count of attempts: some of those were never sent, and some a person asked for.
    if (made := 1 + _done(item, "retries") + _done(item, "rerenders")) > 1:
        fields = failure.fields(f"{message}; {made} attempts were made")
    return Decision(event, fields, attempt, money=failure.billed.money)


def _again(failure: Failure, item: Item, deployment: Deployment) -> tuple[dict[str, object], float] | None:
    """What is remembered of one more attempt, and the pause before it; None where there is none."""
    retries, rerenders = _done(item, "retries"), _done(item, "rerenders")
    if failure.tries is not None and failure.tries.left(retries):
        return {"retries": retries + 1}, failure.tries.pause_s(retries)
    if failure.lost and deployment.on_expired == "rerender" and RERENDER.left(rerenders):
        return {"rerenders": rerenders + 1}, RERENDER.pause_s(rerenders)
    return None


def _done(item: Item, what: str) -> int:
    """How many `retries` or `rerenders` there were by themselves, since the item was queued or a person retried it."""
    return int(item.fields.get(what) or 0)
