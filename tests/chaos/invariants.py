"""What must be true when a run is over, whatever happened in it: each a named check that shows what speaks against it.

A check takes the evidence and yields breaches, as sentences. None of them knows what faults there were.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from fnmatch import fnmatch
from typing import Any

from orchestrator.items.states import MOVING, BatchState, State
from orchestrator.ledger.keys import Keys
from orchestrator.ledger.records import Attempt, Batch, Item
from tests.chaos.evidence import Evidence, Report
from tests.chaos.stage import DEPLOYMENTS, NAMESPACE

Check = Callable[[Evidence], Iterator[str]]

_PREFIX = Keys(NAMESPACE).prefix


def every_item_is_settled(seen: Evidence) -> Iterator[str]:
    """Each item is final, and says why where it is not archived; each batch is final and reported."""
    for item in seen.items:
        if item.state in MOVING:
            yield f"{item.ref} is still {item.state}: {_life(seen, item)}"
        elif item.state is not State.ARCHIVED and not item.reason:
            yield f"{item.ref} is {item.state} and says no reason: {_life(seen, item)}"
    for batch in seen.batches:
        if batch.state is not BatchState.FINAL or batch.reported_at is None:
            yield f"the batch {batch.name} is {batch.state}, reported at {batch.reported_at}: {_counts(batch)}"


def nothing_is_paid_twice(seen: Evidence) -> Iterator[str]:
    """A prompt is accepted as often as items have it; again only where an attempt is recorded to have failed."""
    ordered = Counter(item.spec.prompt for item in seen.items)
    made: defaultdict[str, list[str]] = defaultdict(list)
    for job in seen.jobs:
        attempt = _attempt_of(seen, job["id"])
        recorded = attempt is not None and attempt.fields.get("outcome") not in (None, "", "unknown")
        # What a ledger had recorded that was lost, nobody knows any more; a failed job is not paid all the same.
        if not (job["status"] == "failed" and (recorded or seen.forgot)):
            made[job["prompt"]].append(f"{job['id']} ({job['status']})")
    for prompt, jobs in made.items():
        if len(jobs) > ordered[prompt]:
            lives = "; ".join(_life(seen, item) for item in seen.items if item.spec.prompt == prompt)
            yield f"{prompt!r} was accepted as {' and '.join(jobs)}: {lives or 'no item has it'}"


def every_remote_job_has_one_owner(seen: Evidence) -> Iterator[str]:
    """Each job belongs to one attempt of the item that ordered it, or is named by the audit."""
    claimed: defaultdict[str, list[str]] = defaultdict(list)
    for ref, attempts in seen.attempts.items():
        for attempt in attempts:
            if attempt.remote_id:
                claimed[attempt.remote_id].append(f"{ref}#{attempt.number}")
    orphans = {name.rpartition(" ")[2]: owner for name, owner in seen.orphans.items()}
    prompts = {str(item.ref): item.spec.prompt for item in seen.items}
    for job in seen.jobs:
        found = claimed.pop(job["id"], [])
        if len(found) > 1:
            yield f"{job['id']} belongs to {' and '.join(found)}"
        elif found and job["remixed_from"] is None and prompts[found[0].rpartition("#")[0]] != job["prompt"]:
            yield f"{job['id']} was ordered with {job['prompt']!r} and belongs to {found[0]}"
        elif not found and job["id"] not in seen.audited:
            yield f"{job['id']} ({job['prompt']!r}) belongs to nobody, and the audit does not name it"
        if found and seen.owners.get(job["id"]) != found[0] and job["id"] not in orphans:
            yield f"{job['id']} belongs to {found[0]}, but is indexed for {seen.owners.get(job['id'])}"
    for remote_id, found in claimed.items():
        yield f"{' and '.join(found)} name the job {remote_id}, which the provider never accepted"


def every_finished_video_is_archived(seen: Evidence) -> Iterator[str]:
    """Each video that was finished stands in the archive, byte for byte, with its receipt; or the report names it."""
    by_job = {item.remote_id: item for item in seen.items if item.remote_id}
    for job in seen.jobs:
        item = by_job.get(job["id"])
        if job["served_sha256"] is None or item is None or item.state is not State.ARCHIVED:
            continue
        name = f"{item.ref.batch}/{item.ref.item}"
        sums = [seen.files.get(f"{name}.mp4"), seen.files.get(f"{name}.{job['id']}.mp4")]
        paper = seen.papers.get(f"{name}.json") or seen.papers.get(f"{name}.{job['id']}.json")
        if job["served_sha256"] not in sums:
            yield f"{name}.mp4 has SHA-256 {sums[0]}, but {job['id']} is {job['served_sha256']}: {_life(seen, item)}"
        elif paper is None or (paper["sha256"], paper["remote_id"]) != (job["served_sha256"], job["id"]):
            yield f"the receipt of {name} does not speak of {job['id']} ({job['served_sha256']}): {paper}"
    finished = {job["id"] for job in seen.jobs if job["served_sha256"] is not None or job["deleted"]}
    for item in seen.items:
        if item.state is State.ARCHIVED and item.remote_id not in finished and not item.reused:
            yield f"{item.ref} is archived, but {item.remote_id} has no video: {_life(seen, item)}"
        if item.remote_id in finished and item.state is not State.ARCHIVED and not _reported(seen, item):
            yield f"the video {item.remote_id} of {item.ref} is finished, and neither archived nor reported"


def the_bill_is_within_what_the_ledger_says(seen: Evidence) -> Iterator[str]:
    """Confirmed ≤ the provider's bill ≤ confirmed + unknown."""
    confirmed = sum(batch.confirmed for batch in seen.batches)
    unknown = sum(batch.unknown for batch in seen.batches)
    if not confirmed <= seen.bill <= confirmed + unknown:
        yield f"confirmed {confirmed}, bill {seen.bill}, confirmed and unknown {confirmed + unknown} micro-dollars"


def the_ledger_adds_up(seen: Evidence) -> Iterator[str]:
    """The counters of each batch are what a recount of its items and attempts gives."""
    for batch in seen.batches:
        items = [item for item in seen.items if item.ref.batch == batch.name]
        states = Counter(item.state for item in items)
        for state in State:
            if batch.counts[state] != states[state]:
                yield f"{batch.name} counts {batch.counts[state]} {state}, and has {states[state]}"
        if batch.total != len(items):
            yield f"{batch.name} has {len(items)} items, and counts {batch.total}"
        money: Counter[str] = Counter()
        for item in items:
            for attempt in seen.attempts[str(item.ref)]:
                money[attempt.money] += attempt.price or 0
        for name, told in (("reserved", batch.reserved), ("unknown", batch.unknown), ("confirmed", batch.confirmed)):
            if told != money[name]:
                yield f"{batch.name} says that {told} micro-dollars are {name}, its attempts say {money[name]}"


def no_slot_is_leaked(seen: Evidence) -> Iterator[str]:
    """When all is settled nothing is open, due, or to be fetched."""
    for key, members in seen.sets.items():
        kind = key.removeprefix(_PREFIX).partition(":")[0]
        if members and (kind in ("open", "fetch", "ready", "queue") or key in _due()):
            yield f"{key} still holds {', '.join(members[:10])}"


def _due() -> tuple[str, ...]:
    return f"{_PREFIX}archive:ready", f"{_PREFIX}archive:due", f"{_PREFIX}sweeps"


def no_key_is_leaked(seen: Evidence) -> Iterator[str]:
    """Every key is one that lasts (`Keys.LASTING`), or goes: it expires, or arq waits for one that does."""
    for key, left_s in seen.keys.items():
        name = key.removeprefix(_PREFIX)
        if not key.startswith(_PREFIX) and f"{{{NAMESPACE}}}" not in key:
            yield f"{key} is not under {_PREFIX}"
        elif name.startswith("arq:v"):
            for job in seen.sets.get(key, ()):
                # A killed worker's job is taken up, and found to be over, once arq no longer believes that it runs.
                if not any(job in other and "in-progress" in other and ttl for other, ttl in seen.keys.items()):
                    yield f"{key} still holds {job}, which nobody runs"
        elif "arq" in key:
            queued = any(key.endswith(job) for k, jobs in seen.sets.items() if ":arq:v" in k for job in jobs)
            if left_s is None or "arq:result" in key or ("arq:job" in key and not queued):
                yield f"{key} was left by arq"
        elif left_s is None and not any(fnmatch(name, pattern) for pattern in Keys.LASTING):
            yield f"{key} was left: {', '.join(seen.sets.get(key, ())[:5])}"


def no_file_is_left_half_written(seen: Evidence) -> Iterator[str]:
    for name in seen.unfinished:
        yield f"{name} was left in the archive"


def slots_are_within_the_limit(seen: Evidence) -> Iterator[str]:
    """At no time did more jobs render than the quota allows; nor did the ledger hold more slots.

    A ledger that is made good by a list takes in more at once: what is done already too. And which of two deployments
    of one model made a job no list tells, so that they then keep to their limits together.
    """
    shares: defaultdict[str, list[str]] = defaultdict(list)
    for name in seen.limits:
        shares[DEPLOYMENTS[name]["model"] if seen.forgot else name].append(name)
    for share, names in shares.items():
        limit, wires = sum(seen.limits[name] for name in names), [DEPLOYMENTS[name]["deployment"] for name in names]
        jobs = [job for job in seen.jobs if job["deployment"] in wires]
        spans = [(job["created_at"], job["finished_at"] or math.inf, job["id"]) for job in jobs]
        for begun, _, remote_id in spans:
            at_once = [other for a, b, other in spans if a <= begun < b]
            if len(at_once) > limit:
                yield f"{len(at_once)} of {limit} rendered at {share} when {remote_id} began: {', '.join(at_once)}"
    for name, limit in seen.limits.items():
        if seen.slots.get(name, 0) > limit and not seen.forgot:
            yield f"the ledger held {seen.slots[name]} of {limit} slots of {name}"


def the_report_agrees_with_the_ledger(seen: Evidence) -> Iterator[str]:
    """results.csv and results.jsonl have one row an item, and say of each what the ledger says."""
    for batch in seen.batches:
        report = seen.reports[batch.name]
        items = {item.ref.item: item for item in seen.items if item.ref.batch == batch.name}
        for kind, rows in (("csv", report.table), ("jsonl", report.lines)):
            if rows is None:
                yield f"{batch.name}/results.{kind} is missing"
                continue
            told = {str(row["key"]): row for row in rows}
            if len(rows) != len(told) or told.keys() != items.keys():
                yield f"{batch.name}/results.{kind} has {len(rows)} rows for {len(items)} items"
            for key in told.keys() & items.keys():
                yield from (f"{batch.name}/results.{kind}: {t}" for t in _differences(told[key], items[key]))


def the_contact_sheet_agrees_with_the_ledger(seen: Evidence) -> Iterator[str]:
    """Each batch's page is whole and its last, shows each item as the ledger has it, and links only what is there."""
    for batch in seen.batches:
        sheet, name = seen.reports[batch.name].sheet, batch.name
        if sheet is None:
            yield f"{name}/index.html is missing, or is not whole"
            continue
        says: dict[str, object] = {
            "running": False,
            "counts": {str(state): number for state, number in batch.counts.items() if number},
            "confirmed_usd": batch.confirmed / 1_000_000,
            "unknown_usd": batch.unknown / 1_000_000,
        }
        yield from (f"{name}/index.html says {k} {sheet[k]}, the ledger {v}" for k, v in says.items() if sheet[k] != v)
        cards = {card["k"]: card for card in sheet["items"]}
        items = [item for item in seen.items if item.ref.batch == name]
        if len(cards) != len(sheet["items"]) or cards.keys() != {item.ref.item for item in items}:
            yield f"{name}/index.html shows {len(sheet['items'])} videos of {len(items)}"
        for item in items:
            card = cards.get(item.ref.item, {})
            if card and sheet["states"][card["s"]] != item.state:
                yield f"{name}/index.html shows {item.ref} as {sheet['states'][card['s']]}: {_life(seen, item)}"
            if card and item.state is State.ARCHIVED:
                for file in (card.get("f", f"{item.ref.item}.mp4"), card.get("i")):
                    if file and f"{name}/{file}" not in seen.files:
                        yield f"{name}/index.html links {file}, which is not there"


def people_are_told_how_it_ended(seen: Evidence) -> Iterator[str]:
    """The last word on each batch is that it ended, as it did. What is not told yet `no_key_is_leaked` finds."""
    for batch in seen.batches:
        words = [notice for notice in seen.heard if notice["data"].get("batch") == batch.name]
        ends = [notice["data"] for notice in words if notice["type"] == "batch.ended"]
        if not ends:
            yield f"nobody was told that {batch.name} ended, of {len(words)} notices about it"
            continue
        last = max(ends, key=lambda data: data["ended_at"])["items"]
        counts = {str(state): batch.counts[state] for state in State} | {"total": batch.total}
        if last != counts:
            yield f"the last that was told of {batch.name} is {last}, and it has {_counts(batch)}"
    ids = Counter(notice["id"] for notice in seen.heard)
    for name, times in ids.items():
        if times > 3:  # once more for each worker that died right after it was told
            yield f"{name} was told {times} times"


def no_worker_breaks(seen: Evidence) -> Iterator[str]:
    """Workers end only when they are killed or asked to, or cannot reach Redis at their start; and meet no surprise."""
    for code in seen.exits:
        if code not in (0, -9, -15, 143, 3):
            yield f"a worker ended with {'no answer to SIGTERM' if code is None else code}"
    yield from seen.crashes[:5]


CHECKS: Sequence[Check] = (
    every_item_is_settled,
    nothing_is_paid_twice,
    every_remote_job_has_one_owner,
    every_finished_video_is_archived,
    the_bill_is_within_what_the_ledger_says,
    the_ledger_adds_up,
    no_slot_is_leaked,
    no_key_is_leaked,
    no_file_is_left_half_written,
    slots_are_within_the_limit,
    the_report_agrees_with_the_ledger,
    the_contact_sheet_agrees_with_the_ledger,
    people_are_told_how_it_ended,
    no_worker_breaks,
)


def breaches(seen: Evidence) -> dict[str, list[str]]:
    """Every check that fails, with what speaks against it."""
    found = {check.__name__: list(check(seen)) for check in CHECKS}
    return {name: told for name, told in found.items() if told}


def told(found: Mapping[str, Sequence[str]]) -> str:
    """Breaches as text."""
    return "\n".join(f"{name}:\n" + "\n".join(f"  - {each}" for each in each_of) for name, each_of in found.items())


def _differences(row: Mapping[str, Any], item: Item) -> Iterator[str]:
    cost = item.attempt.price if item.attempt and item.attempt.money != "none" else None
    says = {
        "state": str(item.state),
        "reason": item.reason or "",
        "remote_id": item.remote_id or "",
        "sha256": item.fields.get("sha256", ""),
        "attempts": str(item.calls),
        "cost_usd": "" if cost is None else str(cost / 1_000_000),
    }
    for column, value in says.items():
        written = "" if row[column] is None else str(row[column])
        if written != value:
            yield f"{item.ref} has {column} {written!r}, the ledger {value!r}"


def _reported(seen: Evidence, item: Item) -> bool:
    rows = seen.reports.get(item.ref.batch, Report(None, None)).lines or []
    return any(row["key"] == item.ref.item and row["reason"] for row in rows)


def _attempt_of(seen: Evidence, remote_id: str) -> Attempt | None:
    return next((a for attempts in seen.attempts.values() for a in attempts if a.remote_id == remote_id), None)


def _counts(batch: Batch) -> str:
    return ", ".join(f"{number} {state}" for state, number in batch.counts.items() if number)


def _life(seen: Evidence, item: Item) -> str:
    made = [
        f"#{a.number} {a.fields.get('outcome', '')} {a.money} {a.remote_id or ''}".replace("  ", " ")
        for a in seen.attempts[str(item.ref)]
    ]
    return f"{item.ref} {item.state} v{item.version} {item.reason or ''} {item.message or ''}; {'; '.join(made)}"
