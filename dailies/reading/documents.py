"""The JSON documents that scripts rely on."""

from __future__ import annotations

import time
from typing import Any

from manifests.window import Window
from orchestrator.clock import rfc3339, unix
from orchestrator.items.states import MOVING, BatchState, State
from orchestrator.ledger.records import Attempt, Batch, Item
from orchestrator.ledger.replacements import SUPERSEDED, Replacements
from orchestrator.ledger.requests import Request, cancel_of, pause_of
from orchestrator.ledger.views import was_sent
from orchestrator.reasons.stoppage import Stoppage
from orchestrator.reports.document_names import document_name
from orchestrator.reports.results import row
from orchestrator.video_models.prices import usd
from workers.reconciliation.candidates import named


def batch_document(
    batch: Batch, replaced: Replacements, stoppage: Stoppage | None, archive: str | None
) -> dict[str, Any]:
    """A batch as `run --json` and `status BATCH --json` print it. Instants are Unix seconds. `superseded`: how many of
    its items came to nothing and are not wanted any more, since their rows were mended; they count as nothing else."""
    final = batch.state is BatchState.FINAL
    items = replaced.counts(batch)
    started = batch.started_at or batch.created_at
    done = batch.total - batch.moving(*MOVING)
    created = batch.total - batch.moving(State.WAITING, State.ADMITTED)
    ended = batch.final_at if final and batch.final_at else time.time()
    place = f"{archive}{batch.name}/" if archive else None
    return {
        "batch": batch.name,
        "final": final,
        "stopped": None
        if stoppage is None
        else {"reason": stoppage.reason, "since": int(stoppage.since), "resume": stoppage.resume},
        "items": items,
        "superseded": items.get(SUPERSEDED, 0),
        "cost_usd": {
            "estimated": usd(batch.estimated),
            "confirmed": usd(batch.confirmed),
            "unknown": usd(batch.unknown),
        },
        "started_at": int(started),
        "elapsed_s": round(max(ended - started, 0.0), 1),
        "creates_per_minute": round(created * 60 / max(ended - started, 1.0), 2),
        "expected_end_at": None
        if final or not done or stoppage or batch.state is BatchState.PAUSED
        else int(ended + (ended - started) * (batch.total - done) / done),
        "window_opens_at": _window_opens_at(batch),
        "paused": _request(pause_of(batch.fields)),
        "paused_items": int(batch.fields.get("paused_items") or 0),
        "cancelled": _request(cancel_of(batch.fields)),
        "archive": place,
        "results": place + document_name(batch, "results.csv") if place else None,
        "contact_sheet": place + document_name(batch, "index.html") if place else None,
    }


def _window_opens_at(batch: Batch) -> int | None:
    """When its own window opens, where that is closed and something waits for it (Unix seconds)."""
    written, now = batch.fields.get("window"), time.time()
    if not written or batch.state is BatchState.FINAL or not batch.counts[State.WAITING]:
        return None
    opens_at = next((begin for begin, _ in Window.parse(written).intervals(now)), now)
    return int(opens_at) if opens_at > now else None


def asked_of(item: Item) -> str | None:
    """What a person asked of an item that still moves: paused or cancelling."""
    if item.state not in MOVING:
        return None
    if cancel_of(item.fields):
        return "cancelling"
    return "paused" if pause_of(item.fields) else None


def _request(request: Request | None) -> dict[str, Any] | None:
    return None if request is None else request.document()


def item_row(item: Item) -> dict[str, Any]:
    """An item as a row of `status --items --json`."""
    whole = row(item, ())
    names = ("key", "state", "reason", "deployment", "remote_id", "attempts", "cost_usd", "url")
    return {name: whole[name] for name in names} | {"asked": asked_of(item)}


def item_document(item: Item, attempts: list[Attempt], replaced_by: str | None = None) -> dict[str, Any]:
    """One item's life, as `show --json` prints it."""
    spec = item.spec
    return {
        "batch": item.ref.batch,
        "key": item.ref.item,
        "state": str(item.state),
        "replaced_by": replaced_by,
        "reason": item.reason,
        # What an archiving failed of before it succeeded is no word about the video that stands there.
        "message": None if item.state is State.ARCHIVED else item.message,
        "remote_status": item.fields.get("remote_status") or None,
        "warning": _warning(item),
        "cost_usd": {name: usd(int(item.fields.get(name) or 0)) for name in ("confirmed", "unknown")},
        "candidates": named(item.fields) if item.state is State.HELD else [],
        "paused": _request(pause_of(item.fields)),
        "cancel": _request(cancel_of(item.fields)),
        "ordered": {
            "prompt": spec.prompt,
            "model": spec.model,
            "size": spec.size,
            "seconds": spec.seconds,
            "input_reference": spec.input_reference,
            "remix_of": spec.remix_of,
            "deployment": spec.deployment,
            "labels": dict(spec.labels),
            "fingerprint": spec.fingerprint,
        },
        "attempts": [_attempt(a) for a in attempts],
        "archived": _archived(item) if item.state is State.ARCHIVED else None,
        "expires_at": int(item.expires_at) if item.expires_at else None,
    }


def _warning(item: Item) -> str | None:
    """What is odd about an item that still renders."""
    if item.state is not State.RENDERING or item.attempt is None:
        return None
    if unseen := item.attempt.fields.get("unseen"):
        return f"the last look at it failed: {unseen}"
    since = item.attempt.fields.get("strange_since")
    if not since:
        return None
    word = item.fields.get("remote_status")
    return f"the provider says {word!r} since {rfc3339(float(since) / 1000)}, which is no status known here"


def _archived(item: Item) -> dict[str, Any]:
    fields = item.fields
    return {
        "url": fields["url"],
        "bytes": int(fields["bytes"]),
        "sha256": fields["sha256"],
        "duration_s": float(fields["duration_s"]) if fields.get("duration_s") else None,
        "archived_at": unix(fields["archived_at"]),
        "mismatch": fields["mismatch"].split("; ") if fields.get("mismatch") else [],
    }


def _attempt(attempt: Attempt) -> dict[str, Any]:
    fields = attempt.fields

    def instant(name: str) -> int | None:
        return int(float(fields[name])) // 1000 if fields.get(name) else None

    return {
        "number": attempt.number,
        "deployment": attempt.deployment,
        "sent": was_sent(fields),
        "remote_id": attempt.remote_id,
        "adopted": attempt.adopted,
        "adopted_by": fields.get("adopted_by") or None,
        "orphan": fields.get("orphan_id") and {"id": fields["orphan_id"], "state": fields.get("orphan") or None},
        "request_id": fields.get("request_id") or None,
        "outcome": fields.get("outcome") or None,
        "status": fields.get("status") or None,
        "code": fields.get("code") or None,
        "message": fields.get("message") or None,
        "price_usd": usd(attempt.price) if attempt.price is not None else None,
        "money": attempt.money,
        "admitted_at": instant("admitted_at"),
        "intent_at": instant("intent_at"),
        "unknown_since": instant("unknown_since"),
        "accepted_at": instant("accepted_at"),
        "completed_at": instant("completed_at"),
    }
