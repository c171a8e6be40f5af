"""A decision about an item: one immutable value, made without touching anything, carried out by the store."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from orchestrator.items.states import Event

Money = Literal["none", "reserved", "unknown", "confirmed"]


@dataclass(frozen=True, slots=True)
class Decision:
    """A decided move: the event, and what is written with it in the same step.

    item, attempt   fields set on the item and on its newest attempt
    money           where the attempt's price now stands; None leaves it
    due_in_s        when the item is next due (open attempts, and a postponed archiving)
    deployment      verdict on the deployment: {"stop", "message"} or {"cool_ms", "backoff", "reason"}
    archive_closed_s  no creates for so long, since the archive refuses writes
    delete_in_s     its remote video is to be deleted, and another worker sees to that after so long
    token           of the intent that it is about: a ledger that came back older counts its versions once more
    """

    event: Event
    item: Mapping[str, object] = field(default_factory=dict)
    attempt: Mapping[str, object] = field(default_factory=dict)
    money: Money | None = None
    due_in_s: float | None = None
    deployment: Mapping[str, object] | None = None
    archive_closed_s: float | None = None
    delete_in_s: float | None = None
    token: str | None = None

    def patch(self) -> dict[str, object]:
        """As `transition.lua` takes it."""
        patch: dict[str, object] = {"item": dict(self.item), "attempt": dict(self.attempt)}
        if self.money is not None:
            patch["money"] = self.money
        if self.due_in_s is not None:
            patch["due_in_ms"] = round(self.due_in_s * 1000)
        if self.deployment is not None:
            patch["deployment"] = dict(self.deployment)
        if self.archive_closed_s is not None:
            patch["archive_closed_ms"] = round(self.archive_closed_s * 1000)
        if self.delete_in_s is not None:
            patch["delete_in_ms"] = round(self.delete_in_s * 1000)
        if self.token is not None:
            patch["token"] = self.token
        return patch
