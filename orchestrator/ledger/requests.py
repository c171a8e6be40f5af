"""What a person asked of a batch or an item, as the ledger keeps it: who, when and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Request:
    """A pause or a cancel. `at` in Unix seconds; `discard`: a video that is made all the same is not wanted, None of a
    pause."""

    by: str
    at: float
    reason: str
    discard: bool | None = None

    def __str__(self) -> str:
        """Who, and why: `by ann@studio (wrong colour)`."""
        return f"by {self.by}" + (f" ({self.reason})" if self.reason else "")

    def document(self) -> dict[str, Any]:
        """As scripts read it."""
        own = {"by": self.by, "at": int(self.at), "reason": self.reason or None}
        return own if self.discard is None else own | {"discard": self.discard}


def pause_of(fields: Mapping[str, str]) -> Request | None:
    """The pause of a batch or an item, by its hash; None where there is none."""
    if not fields.get("paused_at"):
        return None
    return _request(fields, "paused")


def cancel_of(fields: Mapping[str, str]) -> Request | None:
    """That a batch or an item was cancelled, by its hash; None where nobody did."""
    if not fields.get("cancel"):
        return None
    prefix = "cancel" if "cancel_at" in fields else "cancelled"
    return _request(fields, prefix, fields["cancel"] == "discard")


def _request(fields: Mapping[str, str], prefix: str, discard: bool | None = None) -> Request:
    at = float(fields.get(f"{prefix}_at") or 0) / 1000
    return Request(fields.get(f"{prefix}_by", ""), at, fields.get(f"{prefix}_reason", ""), discard)
