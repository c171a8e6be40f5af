"""`dailies recover`: what receipts and the providers' lists still tell of a ledger that was lost, or is older."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from time import time
from typing import Any

from dailies.rendering.crew import DAY_S
from dailies.session import Session
from dailies.terminal.exits import UsageError, counted
from orchestrator.admission.controller import scope
from orchestrator.clock import rfc3339
from orchestrator.ledger import recovery
from workers.recovering.recovery import Looked, recover
from workers.recovering.restoration import Restored, restore
from workers.renewal import ClaimLost
from workers.station import Station
from workers.video_api import RemoteJob

#: Jobs that nobody knows, named of each list; the audit has them all.
SHOWN = 5

#: What no receipt and no list tells, and what to do about it.
NOT_KNOWN = (
    "rows that have neither a receipt nor a job in a list: submit their manifests again, and only those are paid",
    "what failed, was cancelled or was held, and why; priorities, pauses, and the settings of batches",
    "what was spent of the budgets of the day and the month on videos that have no receipt",
    "jobs that the provider does not list any more, and has no video of",
)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One list of jobs, the deployments whose jobs it shows, and what the look through it found; None: another worker
    is at it, or (`trusted`) a person said that it need not be looked through."""

    deployments: tuple[str, ...]
    looked: Looked | None
    trusted: bool = False

    @property
    def open(self) -> bool:
        """Whether creates may leave there again."""
        looked = self.looked
        return self.trusted or (looked is not None and looked.error is None and looked.again_in_s is None)


@dataclass(frozen=True, slots=True)
class Recovered:
    """All that came of it."""

    batches: tuple[Restored, ...]
    endpoints: tuple[Endpoint, ...]


async def recover_all(session: Session, batch: str, *, trust: bool, progress: Callable[[str], None]) -> Recovered:
    """Read the archive, one batch of it or all, then each list. Raises UsageError, ArchiveError."""
    settings, sink = session.settings, session.archive()
    names = [batch] if batch else sorted([name async for name in sink.names(folders=True)])
    restored = []
    for name in names:
        done = await restore(
            session.store,
            sink,
            name,
            settings.deployments,
            keep_s=settings.keep_days * DAY_S,
            budgets=settings.budgets,
        )
        if done.receipts or done.busy:
            restored.append(done)
            progress(f"{name}: {counted(done.receipts, 'receipt')}, {done.restored:,} restored")
    if batch and not restored:
        raise UsageError(f"the archive has no receipt of a batch {batch}: {sink.url}{batch}/")
    return Recovered(tuple(restored), tuple(await _endpoints(session, trust=trust, progress=progress)))


async def _endpoints(session: Session, *, trust: bool, progress: Callable[[str], None]) -> list[Endpoint]:
    station = Station(
        session.store,
        session.lines,
        session.archive(),
        time,
        lambda _: None,
        session.settings.claim_s,
        budgets=session.settings.budgets,
    )
    by_scope: dict[str, list[str]] = {}
    for line in session.lines.values():
        by_scope.setdefault(scope(line.deployment), []).append(line.deployment.name)
    found = []
    for its_scope, names in by_scope.items():
        if trust:
            await recovery.trust_by_hand(session.store, its_scope)
            found.append(Endpoint(tuple(names), None, trusted=True))
            continue
        progress(f"{', '.join(names)}: looking through the list of jobs")
        number = await recovery.claim(session.store, its_scope, allowance_s=session.settings.claim_s)
        try:
            found.append(Endpoint(tuple(names), await recover(station, names[0], number)))
        except ClaimLost:
            found.append(Endpoint(tuple(names), None))
    return found


def document(done: Recovered) -> dict[str, Any]:
    """As `--json` prints it. Instants are Unix seconds."""
    return {
        "batches": [
            {
                "batch": each.batch,
                "receipts": each.receipts,
                "restored": each.restored,
                "known": each.known,
                "unusable": list(each.unusable),
                "busy": each.busy,
            }
            for each in done.batches
        ],
        "endpoints": [_endpoint(each) for each in done.endpoints],
        "not_known": list(NOT_KNOWN),
    }


def _endpoint(each: Endpoint) -> dict[str, Any]:
    looked = each.looked or Looked()
    return {
        "deployments": list(each.deployments),
        "open": each.open,
        "listed": looked.listed,
        "adopted": looked.adopted,
        "again_in_s": looked.again_in_s,
        "error": looked.error,
        "needs_person": looked.person,
        "strays": [_stray(job) for job in looked.strays],
    }


def _stray(job: RemoteJob) -> dict[str, Any]:
    whole = ("created_at", "expires_at")
    told = {name: getattr(job, name) for name in ("remote_id", "prompt", "model", "size", "seconds", *whole)}
    instants = {name: None if told[name] is None else int(told[name]) for name in whole}
    return {**told, **instants, "status": job.raw_status}


def words(done: Recovered) -> list[str]:
    """The same for people."""
    lines = []
    for each in done.batches:
        if each.busy:
            lines.append(f"{each.batch}: somebody submits or drops it just now: recover it again later")
            continue
        lines.append(
            f"{each.batch}: {counted(each.receipts, 'receipt')} in the archive: {each.restored:,} restored, "
            f"{each.known:,} known already"
        )
        if each.unusable:
            shown = ", ".join(each.unusable[:3])
            lines.append(f"  {len(each.unusable)} cannot be read, or their videos are missing: {shown}")
    if not done.batches:
        lines.append("the archive has no receipts")
    for place in done.endpoints:
        lines += _place(place)
    return [*lines, "not to be known:", *(f"  {text}" for text in NOT_KNOWN)]


def _place(place: Endpoint) -> list[str]:
    name = ", ".join(place.deployments)
    if place.trusted:
        return [f"{name}: open, without a look through its list, as you said"]
    looked = place.looked
    if looked is None:
        return [f"{name}: another worker is looking through its list"]
    lines = [
        f"{name}: {counted(looked.listed, 'job')} listed, {looked.adopted:,} given to items that wait, "
        f"{len(looked.strays):,} that nobody here knows"
    ]
    if looked.error:
        mend = f"dailies deployments resume {place.deployments[0]}, or dailies recover --trust" if looked.person else ""
        lines.append(f"  nothing is sent there: {looked.error}" + (f"; {mend}" if mend else ""))
    elif looked.again_in_s is not None:
        lines.append(f"  nothing is sent there yet: a worker looks again in {looked.again_in_s:.0f} s")
    for job in looked.strays[:SHOWN]:
        expires = f", kept until {rfc3339(job.expires_at)}" if job.expires_at else ""
        lines.append(f"  {job.remote_id} ({job.raw_status}{expires}): {(job.prompt or 'prompt not shown')[:60]}")
    if more := len(looked.strays[SHOWN:]):
        lines.append(f"  and {more:,} more: dailies reconcile --audit lists all of them")
    if looked.strays:
        lines.append(
            "  dailies submit MANIFEST gives each of them to the row of its prompt, size and length, unpaid; any other "
            "with dailies reconcile --adopt KEY=ID"
        )
    return lines
