"""The ledger's side of looks at remote jobs: many at once, each kind of access one round trip."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import structlog

from orchestrator.items.decision import Decision
from orchestrator.items.states import Event
from orchestrator.ledger.records import Claim, Item, decode
from orchestrator.ledger.store import Store

log = structlog.get_logger("orchestrator.admission.looks")

#: As many looks a second over all workers as leave room for a handful at once: these count too.
_AT_ONCE_PART = 0.1


@dataclass(frozen=True, slots=True)
class Observed:
    """One look that changed no state: an OBSERVED decision about the item as it was claimed."""

    item: Item
    decision: Decision


def ceiling(most_per_s: float) -> Mapping[str, float]:
    """The bucket that lets no second have more than so many looks, for `Store.claim`."""
    burst = 1 + int(most_per_s * _AT_ONCE_PART)
    return {"interval_ms": 1000 / (most_per_s - burst + 1), "burst": burst}


def is_quiet(decision: Decision) -> bool:
    """Whether it may be written with others: it moves nothing and says nothing of its deployment or its money."""
    return decision.event is Event.OBSERVED and decision.money is None and decision.deployment is None


async def load(store: Store, claims: Sequence[Claim]) -> tuple[float, list[Item]]:
    """The claimed items that are still as they were claimed; and the ledger's clock (Unix seconds)."""
    keys = store.keys
    pipe = store.redis.pipeline(transaction=False)
    pipe.time()
    for claim in claims:
        pipe.hgetall(keys.item(claim.ref))
        pipe.hget(keys.specs(claim.ref.batch), claim.ref.item)
        pipe.hgetall(keys.attempt(claim.ref, claim.attempt))
    (seconds, micros), *rows = await pipe.execute(raise_on_error=False)
    items = []
    for n, claim in enumerate(claims):
        try:
            item = _item(claim, *rows[3 * n : 3 * n + 3])
        except Exception:
            log.exception("item.is_not_readable", batch=claim.ref.batch, key=claim.ref.item)
            continue
        if item is not None:
            items.append(item)
    return seconds + micros / 1e6, items


async def observe(store: Store, seen: Sequence[Observed]) -> None:
    """Write looks that changed nothing. One that went stale, or that Redis refuses, keeps no other from it."""
    request = [
        [
            each.item.ref.batch,
            each.item.ref.item,
            each.item.version,
            dict(each.decision.item),
            dict(each.decision.attempt),
            round((each.decision.due_in_s or 0) * 1000),
        ]
        for each in seen
    ]
    for each, answer in zip(seen, await store.scripts.run("observe", request), strict=True):
        if answer != 1:
            words = {"batch": each.item.ref.batch, "key": each.item.ref.item}
            if answer == 0:
                log.info("decision.went_stale", decided=str(Event.OBSERVED), **words)
            else:
                log.error("look.was_not_written", **words)


async def renew(store: Store, claims: Sequence[Claim], due_in_s: float) -> list[bool]:
    """Prolong claims; False for each that is somebody else's by now."""
    pipe = store.redis.pipeline(transaction=False)
    for claim in claims:
        await store.scripts.run(
            "renew", claim.ref.batch, claim.ref.item, claim.version, round(due_in_s * 1000), client=pipe
        )
    return [bool(answer) for answer in await pipe.execute()]


def _item(claim: Claim, fields: Any, spec: Any, attempt: Any) -> Item | None:
    """The item as it was claimed, or None. Raises what Redis answered in place of it, and what cannot be read."""
    for answer in (fields, spec, attempt):
        if isinstance(answer, Exception):
            raise answer
    text = decode(fields)
    if spec is None or (text.get("v"), text.get("attempt")) != (str(claim.version), str(claim.attempt)):
        return None
    return Item.parse(claim.ref, text, spec, decode(attempt))
