"""The reconcile step: what came of a create whose answer never arrived? It reads the provider's list, never sends."""

from __future__ import annotations

from dataclasses import replace

import structlog

from orchestrator.items.decision import Decision
from orchestrator.items.failures import OUTCOME_UNKNOWN
from orchestrator.items.states import Event, State
from orchestrator.ledger.records import Attempt, Item
from orchestrator.settings import Deployment
from workers.reconciliation.candidates import shown
from workers.reconciliation.evidence import Adopt, Finding, Hold, Listing, LookAgain, Resend, decide, without_list
from workers.reconciliation.places import listing, tells_no_list
from workers.reconciliation.places import now_of as now_of
from workers.rendering.orphans import take_own
from workers.station import Station
from workers.video_api import ApiError

log = structlog.get_logger("workers.reconciliation.reconcile")

#: What a look came to, as it is counted; without a finding nothing was listed.
_OUTCOMES = {Adopt: "adopted", Resend: "resent", Hold: "held", LookAgain: "not_yet", type(None): "unlisted"}
#: An item that goes out again; once is enough.
_RESENT = {"resent": 1, "reason": "", "message": ""}


async def reconcile(station: Station, item: Item) -> Finding | None:
    """Settle an item whose create has an unknown outcome, or look again later; what was found, None where nothing is to
    be settled or nothing could be asked.

    An outcome that stays unknown for `max_render_s` since nothing can be listed is held: by then the remote job, if
    any, has ended. One that is held already can only be adopted.
    """
    attempt = item.attempt
    if item.state not in (State.CREATING, State.HELD) or attempt is None or attempt.intent_at is None:
        return None
    finding = await _look(station, item, attempt, attempt.intent_at)
    station.store.metrics.reconciled(_OUTCOMES[type(finding)])
    return finding


async def _look(station: Station, item: Item, attempt: Attempt, intent_at: float) -> Finding | None:
    if own := await take_own(station, item):
        return Adopt(own, "answer")
    line, store = station.line(item), station.store
    try:
        listed = await listing(station, line, item, attempt, intent_at)
    except ApiError as error:
        if not await tells_no_list(store, attempt.scope, error):
            return await _not_listed(station, item, line.deployment, intent_at, error)
        finding = without_list(item, line.deployment, await now_of(store), str(error))
    else:
        finding = decide(item, listed, line.deployment)
        log.info("outcome.reconciled", finding=type(finding).__name__, listed=len(listed.jobs))
        finding = await _adopt(station, item, attempt, listed, finding)
    await _carry_out(station, item, finding)
    station.wake(0)
    return finding


async def _adopt(station: Station, item: Item, attempt: Attempt, listed: Listing, finding: Finding) -> Finding:
    """Record whose the job is; where the ledger says that it is another's by now, the next that may be the item's."""
    while isinstance(finding, Adopt):
        job = next(job for job in listed.jobs if job.remote_id == finding.remote_id)
        word, owner = await station.store.accept(
            item.ref,
            attempt.number,
            finding.remote_id,
            how=finding.how,
            fields={"created_at": job.created_at or listed.clock.now},
            due_in_s=0,
            version=item.version,
        )
        if word != "taken":
            break
        listed = replace(listed, owners={**listed.owners, finding.remote_id: str(owner)})
        finding = decide(item, listed, station.line(item).deployment)
    return finding


async def _carry_out(station: Station, item: Item, finding: Finding) -> None:
    store = station.store
    if isinstance(finding, Adopt):
        return
    if item.state is State.HELD and not isinstance(finding, Hold):  # no slot to keep, and only a person sends it again
        return
    if isinstance(finding, LookAgain):
        if finding.absent_since is None:
            await store.renew(item.ref, item.version, finding.in_s)
        else:
            seen = Decision(Event.UNCERTAIN, attempt={"absent_since": finding.absent_since}, due_in_s=finding.in_s)
            await store.apply(item.ref, item.version, seen)
        station.wake(finding.in_s)
    elif isinstance(finding, Resend):
        await store.apply(item.ref, item.version, _resent(finding))
    else:
        await store.apply(item.ref, item.version, held(finding))


def _resent(finding: Resend) -> Decision:
    if finding.proven:
        return Decision(Event.RESENT, _RESENT, {"outcome": "no_remote_job"}, money="none")
    log.warning("create.may_be_paid_twice", reason="no list tells what came of it, and on_unknown is retry")
    return Decision(Event.RESENT, _RESENT, {"outcome": "given_up"}, money="unknown")


def held(finding: Hold) -> Decision:
    """Settled as unknown: no slot, and its money counts as spent until a person or late evidence says. What it may be
    is named: ids and times of the jobs that nobody could tell from it."""
    candidates = shown(finding.candidates) if finding.candidates else ""
    return Decision(Event.HELD, OUTCOME_UNKNOWN.fields(finding.message) | {"candidates": candidates}, money="unknown")


async def _not_listed(
    station: Station, item: Item, deployment: Deployment, intent_at: float, error: ApiError
) -> Hold | None:
    log.warning("listing.failed", error=str(error), status=error.status)
    if item.state is State.HELD:  # what is known of it is more than that
        return None
    if await now_of(station.store) - intent_at <= deployment.max_render_s:
        await station.store.renew(item.ref, item.version, min(60.0, station.claim_s * 2))
        return None
    found = Hold(f"the provider's jobs cannot be listed: {error}")
    await _carry_out(station, item, found)
    station.wake(0)
    return found
