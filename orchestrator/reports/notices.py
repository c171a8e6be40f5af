"""Notices: what people are to be told by webhook, kept in the ledger until it has arrived or is too old.

Each is left once, by whoever saw it first, one for each webhook that wants to know. A worker that dies loses none: what
it had claimed is due again. So one may arrive twice, always with the same id.
"""

from __future__ import annotations

import json
import secrets
import time
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import quote

from orchestrator.clock import rfc3339
from orchestrator.expiry import Standing
from orchestrator.items.failures import TABLE
from orchestrator.items.states import State
from orchestrator.ledger import views
from orchestrator.ledger.records import Batch
from orchestrator.ledger.replacements import replacements
from orchestrator.ledger.store import Store
from orchestrator.reasons.stoppage import Stoppage
from orchestrator.reports.document_names import document_name
from orchestrator.settings.notify import Occasion
from orchestrator.video_models.prices import usd

#: For how long a sender has a notice to itself (seconds): longer than all that sending may take.
CLAIM_S = 60.0
#: After so long nobody wants to know any more (seconds); what no worker is configured to send goes after twice that.
GIVE_UP_S = 86_400.0
#: Reasons of failure that are told, the most frequent first.
REASONS = 10
_UNMADE = (State.FAILED, State.EXPIRED, State.HELD, State.CANCELLED)

#: What a notice says, ready for JSON. Instants are RFC 3339, money is US dollars.
Facts = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Notice:
    """One notice that was claimed. `tries` counts this one; `age_s`: since it was left."""

    id: str
    tries: int
    age_s: float
    channel: str
    occasion: Occasion
    facts: Facts


async def batch_facts(store: Store, batch: Batch, archive: str, stopped: Stoppage | None = None) -> dict[str, Any]:
    """What there is to say of a batch. `archive`: its root's URL, which ends with `/`."""
    place = f"{archive}{quote(batch.name)}/"
    return {
        "batch": batch.name,
        "stopped": stopped and {"reason": stopped.reason, "since": rfc3339(stopped.since), "resume": stopped.resume},
        "items": (await replacements(store, batch.name)).counts(batch),
        "cost_usd": {name: usd(getattr(batch, name)) for name in ("confirmed", "unknown", "estimated")},
        "started_at": rfc3339(batch.started_at or batch.created_at),
        # A batch may end twice within a second, and its notices may come in any order: this tells which is the last.
        "ended_at": rfc3339(batch.final_at, timespec="milliseconds") or None,
        "failures": await _failures(store, batch),
        "archive": place,
        "results": place + document_name(batch, "results.csv"),
        "contact_sheet": place + document_name(batch, "index.html"),
    }


def expiry_facts(standing: Standing, under_s: float) -> dict[str, Any]:
    """What there is to say of finished videos that wait to be archived. `under_s`: less time than this is left."""
    return {
        "batch": standing.first.batch if standing.first else None,
        "key": standing.first.item if standing.first else None,
        "left_s": round(standing.least_left_s or 0),
        "under_s": round(under_s),
        "waiting": standing.backlog,
        "drain_s": None if standing.drain_s is None else round(standing.drain_s),
        "archivists": standing.archivists,
        "creates_closed": standing.shut,
    }


async def announce(
    store: Store, batch: str, occasion: Occasion, mark: str, facts: Facts, channels: Collection[str]
) -> bool:
    """Leave notices for these webhooks, unless the same (by `mark`) was told already. `batch`: empty where it concerns
    all of them. Whether it is news."""
    text = json.dumps({"at": rfc3339(time.time(), timespec="milliseconds"), **facts}, ensure_ascii=False)
    notices = [
        {"id": f"msg_{secrets.token_hex(12)}", "channel": channel, "occasion": occasion, "facts": text}
        for channel in channels
    ]
    return int(await store.scripts.run("announce", batch, occasion, mark, notices)) >= 0


async def claim(store: Store, channels: Collection[str], most: int) -> tuple[list[Notice], float | None]:
    """Notices for these webhooks that are due, and in how many seconds the next one is (None: there is none)."""
    next_due, *rows = await store.scripts.run(
        "claim_notices", sorted(channels), round(CLAIM_S * 1000), most, round(2 * GIVE_UP_S * 1000)
    )
    found = []
    for name, tries, age, channel, occasion, facts in rows:
        known: Occasion = _occasion(occasion.decode())
        found.append(Notice(name.decode(), tries, age / 1000, channel.decode(), known, json.loads(facts)))
    return found, None if next_due < 0 else next_due / 1000


async def settle(store: Store, notice: Notice, *, again_in_s: float | None, error: str = "") -> bool:
    """What became of it: None and it is over, sent or given up. False when another worker has it by now."""
    due: str | int = "" if again_in_s is None else round(again_in_s * 1000)
    return bool(await store.scripts.run("settle_notice", notice.id, notice.tries, due, error))


async def outstanding(store: Store) -> int:
    """How many notices have not arrived yet."""
    return int(await store.redis.zcard(f"{store.keys.prefix}notices"))


async def _failures(store: Store, batch: Batch) -> list[dict[str, Any]]:
    """Why items of it came to nothing, in plain words, the most frequent reason first."""
    if not batch.moving(*_UNMADE):
        return []
    unmade = [i async for i in views.items(store, batch.name, set(_UNMADE)) if not i.replaced_by]
    counts = Counter(i.reason or str(i.state) for i in unmade)
    return [
        {
            "reason": reason,
            "count": count,
            "meaning": TABLE[reason].meaning if reason in TABLE else reason.replace("_", " "),
            "mend": TABLE[reason].mend if reason in TABLE else "",
        }
        for reason, count in counts.most_common(REASONS)
    ]


def _occasion(text: str) -> Literal["ended", "stopped", "expiry"]:
    if text == "ended":
        return "ended"
    return "stopped" if text == "stopped" else "expiry"
