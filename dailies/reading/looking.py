"""`status`, `show`, `results`, `validate`: documents for scripts, and the same for people."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any

from rich.console import Console
from rich.table import Table

from dailies.reading.documents import batch_document, item_document, item_row
from dailies.session import archive_url, open_store
from dailies.terminal.exits import UsageError, counted
from dailies.terminal.printing import tell
from manifests import Item, Manifest, Problem
from orchestrator.admission.attendance import Unmanned, unmanned
from orchestrator.clock import rfc3339
from orchestrator.items.states import State
from orchestrator.ledger import views
from orchestrator.ledger.keys import Ref
from orchestrator.ledger.records import Batch
from orchestrator.ledger.replacements import replacements
from orchestrator.ledger.store import Store
from orchestrator.logs.harmless import harmless
from orchestrator.reasons.stoppage import stoppage
from orchestrator.settings import Settings


def validation(items: int, problems: Sequence[Problem], count: int) -> dict[str, Any]:
    """What `validate --json` prints."""
    return {
        "ok": not count,
        "items": items,
        "problems": [dataclasses.asdict(p) for p in problems],
        "problem_count": count,
    }


def first_items(manifests: Sequence[Manifest], count: int) -> list[dict[str, object]]:
    """The first items as they would be ordered, without what nobody set."""
    chosen = islice((item for manifest in manifests for item in manifest.items()), count)
    return [{name: value for name, value in _ordered(item).items() if value not in (None, {}, 0)} for item in chosen]


def _ordered(item: Item) -> dict[str, object]:
    content = ("key", "prompt", "model", "size", "seconds", "input_reference", "remix_of")
    return {name: getattr(item, name) for name in (*content, "deployment", "priority", "labels")}


def print_items(items: Sequence[dict[str, object]]) -> None:
    """Items for people: each under its key."""
    for item in items:
        tell(str(item["key"]))
        for name, value in item.items():
            if name != "key":
                tell(f"  {name}: {_plain(name, value)}")


async def status(settings: Settings, name: str, *, items: bool, state: State | None) -> dict[str, Any]:
    """One batch's document, with its rows if asked for, or all batches'."""
    async with open_store(settings) as session:
        if not name and items:
            raise UsageError("--items and --state need a batch: dailies status BATCH --items")
        found = [await _batch(session.store, name)] if name else await views.batches(session.store)
        documents = []
        for batch in found:
            stopped = await stoppage(session.store, batch, settings.deployments, budgets=settings.budgets)
            replaced = await replacements(session.store, batch.name)
            documents.append(batch_document(batch, replaced, stopped, archive_url(settings)))
        idle = [{"step": each.step, "since": int(each.since)} for each in await unmanned(session.store)]
        missing: dict[str, Any] = {"steps_without_worker": idle} if idle else {}
        if until := await views.archive_refuses_until(session.store, time.time()):
            missing["archive_refuses_until"] = int(until)
        if not name:
            return {"batches": documents, **missing}
        documents[0] |= missing
        if items:
            states = {state} if state else set()
            rows = [item_row(i) async for i in views.items(session.store, name, states)]
            documents[0]["rows"] = [row for row in rows if not states or row["state"] in states]
        return documents[0]


async def show(settings: Settings, name: str, key: str) -> dict[str, Any]:
    """One item's document."""
    async with open_store(settings) as session:
        await _batch(session.store, name)
        item = await session.store.load(Ref(name, key))
        if item is None:
            raise UsageError(f"the batch {name} has no item {key}: dailies status {name} --items lists them")
        replaced = await replacements(session.store, name)
        return item_document(item, await views.attempts(session.store, item), replaced.by.get(key))


def summary(document: dict[str, Any]) -> str:
    """A batch in a few lines."""
    items, cost = document["items"], document["cost_usd"]
    states = ", ".join(f"{n} {state}" for state, n in items.items() if n and state != "total")
    lines = [
        f"{document['batch']}: {counted(items['total'], 'item')} ({states})",
        f"  spent ${cost['confirmed']:.2f}, confirmed"
        + (f", and ${cost['unknown']:.2f} unknown" if cost["unknown"] else "")
        + f"; ${cost['estimated']:.2f} estimated in all",
    ]
    if document["window_opens_at"] and not document["paused"]:
        opens = rfc3339(document["window_opens_at"])
        lines.append(f"  outside the hours in which its videos may be ordered, until {opens}; what was sent goes on")
    elif not document["final"] and not document["stopped"]:
        end = f", expected end {rfc3339(document['expected_end_at']) or 'not known yet'}"
        pace = f"  {document['creates_per_minute']:.1f} creates a minute so far"
        lines.append(pace if document["paused"] else pace + end)
    lines += _asked(document)
    if document["stopped"]:
        lines.append(f"  stopped: {document['stopped']['reason']} – {document['stopped']['resume']}")
    if mended := document["superseded"]:
        lines.append(f"  superseded: {counted(mended, 'item')} came to nothing, and the mended row took the place")
    if items["total"] - items["archived"] - mended and document["final"]:
        lines.append(f"  not archived: dailies status {document['batch']} --items says why")
    if items["archived"] and document["final"] and document["contact_sheet"]:
        lines.append(f"  watch it: {document['contact_sheet']}")
    return "\n".join(lines)


def _asked(document: dict[str, Any]) -> list[str]:
    """What people asked of a batch, and of items of it."""
    lines = []
    if document["cancelled"]:
        kept = "not archived" if document["cancelled"]["discard"] else "archived"
        goes_on = "" if document["final"] else f"; what was sent goes on, and is {kept}"
        lines.append(f"  {_word('cancelled', document['cancelled'])}{goes_on}")
    if document["paused"] and not document["final"]:
        lines.append(f"  {_word('paused', document['paused'])}; dailies resume {document['batch']}")
    if items := document["paused_items"]:
        paused = f"{counted(items, 'item')} of it {'is' if items == 1 else 'are'} paused"
        lines.append(f"  {paused}: dailies resume {document['batch']} --state waiting")
    return lines


def _word(what: str, request: dict[str, Any]) -> str:
    reason = f": {request['reason']}" if request["reason"] else ""
    return f"{what} by {request['by']} at {rfc3339(request['at'])}{reason}"


def print_status(document: dict[str, Any]) -> None:
    """The same as a table."""
    console = Console()
    for each in document.get("steps_without_worker", ()):
        idle = Unmanned(each["step"], each["since"])
        tell(f"no worker runs the step {idle.step}, since {rfc3339(idle.since)}: {idle.mend}")
    if until := document.get("archive_refuses_until"):
        tell(f"the archive refuses videos, and is tried again {rfc3339(until)}: dailies doctor says what to mend")
    if "batches" in document:
        if not document["batches"]:
            tell("no batches: dailies submit MANIFEST queues one")
        for each in document["batches"]:
            tell(summary(each))
        return
    tell(summary(document))
    if "rows" in document:
        names = ("key", "state", "reason", "deployment", "attempts", "cost_usd", "url")
        table = Table(*names, box=None)
        for row in document["rows"]:
            shown = {**row, "state": f"{row['state']}, {row['asked']}" if row["asked"] else row["state"]}
            table.add_row(*("" if shown[n] is None else harmless(str(shown[n])) for n in names))
        if console.is_terminal:
            console.print(table)
        else:
            for row in document["rows"]:
                tell("\t".join("" if row[n] is None else str(row[n]) for n in names))


def print_item(document: dict[str, Any]) -> None:
    """One item's life for people."""
    instead = f"; its row was mended, and {by} took the place" if (by := document["replaced_by"]) else ""
    tell(f"{document['batch']}/{document['key']}: {document['state']}{instead}")
    for name in ("reason", "message", "warning"):
        if document[name]:
            tell(f"  {name}: {document[name]}")
    for each in document["candidates"]:
        tell(f"  it may be {each['id']}, created {rfc3339(each['created_at']) or 'at an unknown time'}")
    if document["paused"]:
        tell(f"  {_word('paused', document['paused'])}")
    if document["cancel"]:
        kept = "discard a video that is made all the same" if document["cancel"]["discard"] else "keep its video"
        tell(f"  {_word('cancelled', document['cancel'])} ({kept})")
    for name, value in document["ordered"].items():
        if value not in (None, {}):
            tell(f"  {name}: {_plain(name, value)}")
    for attempt in document["attempts"]:
        unsent = "" if attempt["sent"] else ", not sent"
        tell(f"  attempt {attempt['number']} at {attempt['deployment']}{unsent}")
        for name, value in attempt.items():
            if value is not None and name not in ("number", "deployment", "sent"):
                tell(f"    {name}: {_plain(name, value)}")
    for name, value in (document["archived"] or {}).items():
        if value:
            tell(f"  {name}: {_plain(name, value)}")


def _plain(name: str, value: object) -> object:
    """A value of a document as people read it: instants as times, maps and lists without brackets."""
    if name.endswith(("_at", "_since")) and isinstance(value, int | float):
        return rfc3339(value)
    if isinstance(value, Mapping):
        return ", ".join(f"{label}: {text}" for label, text in value.items())
    return "; ".join(map(str, value)) if isinstance(value, list) else value


async def _batch(store: Store, name: str) -> Batch:
    batch = await views.batch(store, name)
    if batch is None:
        raise UsageError(f"there is no batch {name}: dailies status lists them (--sandbox: those of the sandbox)")
    return batch
