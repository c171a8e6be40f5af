"""When a remote job that a get does not find counts as gone: after three looks in two minutes (promise 21).

A listing or a gateway may lose sight of a job for a moment, and a finished video must not be given up for that.
"""

from __future__ import annotations

from orchestrator.items.failures import LOOK, LOOK_OVER_S
from orchestrator.ledger.records import Item

#: Until the next look at a job that was not found.
AGAIN_S = LOOK.pause_s(0)


def missed(item: Item, now: float) -> tuple[bool, dict[str, object]]:
    """One more look did not find the job, at `now` (Unix seconds): whether it is gone, and what to remember."""
    looks = int(item.fields.get("missing") or 0) + 1
    since = float(item.fields.get("missing_since") or 0) / 1000 if looks > 1 else now
    fields: dict[str, object] = {"missing": looks, "missing_since": round(since * 1000)}
    return not LOOK.left(looks) and now - since >= LOOK_OVER_S, fields
