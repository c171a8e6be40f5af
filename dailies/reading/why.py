"""`dailies status BATCH --why KEY`: what keeps an item, for scripts and for people."""

from __future__ import annotations

from typing import Any

from dailies.session import open_store
from dailies.terminal.exits import UsageError
from dailies.terminal.printing import tell
from manifests.key import safe
from manifests.vocabulary.fields import nearest
from orchestrator.clock import local
from orchestrator.ledger import views
from orchestrator.ledger.keys import Ref
from orchestrator.ledger.store import Store
from orchestrator.reasons.why import Why
from orchestrator.reasons.why import why as why_of
from orchestrator.settings import Settings

#: With more items than this, the nearest key is not looked for.
_MOST_COMPARED = 10_000


async def why(settings: Settings, batch: str, key: str) -> dict[str, Any]:
    """The document. Raises UsageError where there is no such batch or item."""
    async with open_store(settings) as session:
        if await views.batch(session.store, batch) is None:
            raise UsageError(f"there is no batch {batch}: dailies status lists them (--sandbox: those of the sandbox)")
        ref = await _named(session.store, batch, key)
        found = await why_of(session.store, ref, settings.deployments, settings.budgets)
        if found is None:
            raise UsageError(f"the item {key} of {batch} has just been removed: its manifest was submitted without it")
        return document(found)


def document(found: Why) -> dict[str, Any]:
    """As `--json` prints it. Instants are Unix seconds."""
    ahead = found.ahead
    return {
        "batch": found.ref.batch,
        "key": found.ref.item,
        "state": str(found.state),
        "gate": found.gate,
        "until": _instant(found.until),
        "summary": found.summary,
        "since": _instant(found.since),
        "expected": _instant(found.expected),
        "deployments": [
            {"name": each.name, "gate": each.gate, "until": _instant(each.until), "detail": each.detail}
            for each in found.deployments
        ],
        "ahead": ahead and {"items": ahead.total, "own": ahead.batch, "others": ahead.others, "batches": ahead.batches},
        "resume": found.resume,
    }


def print_why(told: dict[str, Any]) -> None:
    """The same for people: the answer first, and last what they have to do."""
    tell(told["summary"])
    since = f", since {local(told['since'])}" if told["since"] else ""
    tell(f"  {told['batch']}/{told['key']} is {told['state']}{since}")
    for each in told["deployments"]:
        tell(f"  {each['name']}: {each['detail']}")
    if told["resume"]:
        tell(f"  what to do: {told['resume']}")


async def _named(store: Store, batch: str, key: str) -> Ref:
    """The item that somebody means by a key: its newest content, unless KEY~2 names one."""
    for written in dict.fromkeys((key, safe(key))):
        fields = await store.read(store.keys.item(Ref(batch, written)))
        if fields:
            return Ref(batch, fields.get("latest", written))
    order = store.keys.order(batch)
    known = []
    if await store.redis.zcard(order) <= _MOST_COMPARED:
        known = [raw.decode() for raw in await store.redis.zrange(order, 0, -1)]
    near = nearest(key, known)
    hint = f"did you mean {near}?" if near else f"dailies status {batch} --items lists them"
    raise UsageError(f"the batch {batch} has no item {key}: {hint}")


def _instant(at: float | None) -> int | None:
    return None if at is None else int(at)
