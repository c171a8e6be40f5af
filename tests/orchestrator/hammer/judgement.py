"""What the whole night must have been like: by what the ledger says of each attempt, where that agrees with when the
processes asked for it, and by what the provider counted."""

from __future__ import annotations

from collections import defaultdict
from fnmatch import fnmatch

from tests.orchestrator.hammer.fleet import LIMITS, quota_of
from tests.orchestrator.hammer.provider import Closing, Provider
from tests.orchestrator.hammer.recount import Snapshot

#: How far a create may be ahead of its even pace: when it is admitted, a part of the time between two, and at most so
#: long; when it leaves, so long (milliseconds). `orchestrator/admission/controller.py` has them too, but must not
#: decide alone.
ADMITTED_AHEAD, ADMITTED_AHEAD_MS, AHEAD_MS = 0.25, 250, 50


def limits_were_kept(found: Snapshot) -> None:
    """In no window were more creates admitted, or sent, than the quota has."""
    for field in ("admitted_at", "intent_at"):
        for quota, times in _instants(found, field).items():
            limit = LIMITS[quota]
            if limit.per_minute is None:
                continue
            interval_ms = 60_000 / limit.per_minute
            ahead_ms = min(ADMITTED_AHEAD * interval_ms, ADMITTED_AHEAD_MS) if field == "admitted_at" else AHEAD_MS
            for first, begin in enumerate(times):
                for last in range(first + limit.burst, len(times)):
                    earned = limit.burst + (times[last] - begin + ahead_ms) / interval_ms
                    count = last - first + 1
                    assert count <= earned, f"{quota}: {count} in {times[last] - begin} ms by {field}"


def records_are_true(found: Snapshot, provider: Provider) -> None:
    """The ledger's word of when a create was intended lies between the process's asking and its being told."""
    attempts = found.named("attempt:")
    for attempt, span in provider.intents.items():
        at = int(attempts[attempt]["intent_at"])
        assert int(span.asked_at * 1000) <= at <= span.done_at * 1000, attempt


def closed_was_closed(found: Snapshot, provider: Provider) -> None:
    """Nothing was intended where a refusal, a stop, a full archive or a person had closed, by any process."""
    closings = [(each, _until(each, provider)) for each in provider.closings]
    for attempt, fields in found.named("attempt:").items():
        at = int(fields.get("intent_at", 0)) / 1000
        for closing, until in closings:
            if closing.since.done_at < at < until - 0.001 and _concerns(closing, attempt, fields["deployment"]):
                raise AssertionError(f"{attempt} was intended {at - closing.since.done_at:.3f} s after {closing}")


def nothing_is_lost(found: Snapshot, provider: Provider) -> None:
    """Every remote job has an owner, every item an end, and nothing holds a slot any more."""
    assert not found.moving
    assert not [key for key in found.sets if key.startswith("open:")]
    assert not provider.running, f"{provider.running} jobs whose end nobody knows"
    owned = {job for scope in found.named("remote:").values() for job in scope}
    assert owned == set(provider.jobs)


def the_bill_is_between(found: Snapshot, paid: set[str], perhaps_paid: set[str]) -> None:
    """Promise 28. By the attempts that made them: `paid`, jobs that are on the bill for certain; and what may be."""
    prices = {attempt: int(fields["price"]) for attempt, fields in found.named("attempt:").items()}
    batches = found.named("batch:").values()
    confirmed = sum(int(batch["confirmed"]) for batch in batches)
    known = confirmed + sum(int(batch["unknown"]) for batch in batches)
    assert sum(prices[job] for job in paid) <= known
    assert confirmed <= sum(prices.get(attempt, 0) for attempt in perhaps_paid)  # made since: no price yet


def money_is_where_the_jobs_went(found: Snapshot, provider: Provider) -> None:
    """Of each attempt that owns a job, by how that ended."""
    of_end = {"succeeded": "confirmed", "failed": "none", "failed and billed": "unknown"}
    attempts = found.named("attempt:")
    for scope in found.named("remote:").values():
        for job, attempt in scope.items():
            assert attempts[attempt]["money"] == of_end[provider.jobs[job].ended], f"{attempt}: {provider.jobs[job]}"


def nobody_was_admitted_twice(provider: Provider) -> None:
    """To any process."""
    assert not [attempt for attempt, times in provider.admitted.items() if times > 1]


def _instants(found: Snapshot, field: str) -> dict[str, list[int]]:
    times = defaultdict(list)
    for fields in found.named("attempt:").values():
        if field in fields:
            times[quota_of(fields["deployment"])].append(int(fields[field]))
    return {quota: sorted(each) for quota, each in times.items()}


def _until(closing: Closing, provider: Provider) -> float:
    """A person's resume of a deployment ends whatever kept it, or its quota, closed."""
    ends = [
        span.asked_at
        for name, span in provider.resumed
        if (closing.kind, closing.name) in (("deployment", name), ("quota", quota_of(name)))
        and span.done_at >= closing.since.asked_at
    ]
    return min([closing.until, *ends])


def _concerns(closing: Closing, attempt: str, deployment: str) -> bool:
    ref = attempt.rpartition("#")[0]
    if closing.kind == "items":
        return fnmatch(ref, closing.name)
    kinds = {"": "", "batch": ref.partition("/")[0], "deployment": deployment, "quota": quota_of(deployment)}
    return kinds[closing.kind] == closing.name
