"""The reconcile step: what came of a create whose answer never arrived? It reads the provider's list, never sends."""

from __future__ import annotations

import structlog

from orchestrator import remote_ids
from orchestrator.decision import Decision
from orchestrator.failures import OUTCOME_UNKNOWN
from orchestrator.records import Attempt, Item
from orchestrator.settings import Deployment
from orchestrator.states import Event, State
from orchestrator.store import Store
from workers.evidence import ROUNDING_S, Adopt, Finding, Hold, Listing, LookAgain, Reading, Resend, decide
from workers.station import Station
from workers.video_api import ApiError, VideoApi

log = structlog.get_logger("workers.reconcile")

#: How far before the intent a job with the same prompt is still looked for (seconds).
REACH_S = 600.0
#: An item that goes out again; once is enough.
_RESENT = {"resent": 1, "reason": "", "message": ""}


async def reconcile(station: Station, item: Item) -> None:
    """Settle an item whose create has an unknown outcome, or look again later.

    An outcome that stays unknown for `max_render_s` since nothing can be listed is held: by then the remote job, if
    any, has ended.
    """
    attempt = item.attempt
    if item.state is not State.CREATING or attempt is None or attempt.intent_at is None:
        return
    line, store = station.line(item), station.store
    try:
        listing = await _listing(store, line.api, item, attempt, attempt.intent_at)
    except ApiError as error:
        await _not_listed(station, item, line.deployment, attempt.intent_at, error)
        return
    finding: Finding | None = decide(item, listing, line.deployment)
    log.info("outcome.reconciled", finding=type(finding).__name__, listed=len(listing.jobs))
    if isinstance(finding, Adopt):
        finding = await _adopt(station, item, listing, finding)
    if isinstance(finding, LookAgain):
        await _look_again(station, item, finding)
    elif isinstance(finding, Resend):
        decision = Decision(Event.RESENT, _RESENT, {"outcome": "no_remote_job"}, money="none")
        await store.apply(item.ref, item.version, decision)
    elif isinstance(finding, Hold):
        await store.apply(item.ref, item.version, held(finding.message))
    station.wake(0)


async def _listing(store: Store, api: VideoApi, item: Item, attempt: Attempt, intent_at: float) -> Listing:
    """The provider's list, and what the ledger knows of it: the newest known job before, the owners after, so that a
    create that ends meanwhile neither makes the list look old nor its job look free."""
    newest = await remote_ids.newest(store, attempt.scope)
    clock = Reading(await now_of(store), await api.server_time(), await now_of(store))
    since = min(clock.span(intent_at)[0] - REACH_S, newest[1] if newest else clock.now) - ROUNDING_S
    jobs = tuple([job async for job in api.list(since=since)])
    owners = await remote_ids.owners(store, attempt.scope, [job.remote_id for job in jobs])
    orphans = await store.read(store.keys.orphans)
    left = {name for name, owner in orphans.items() if owner.rpartition("#")[0] == str(item.ref)}
    orphan = next((job.remote_id for job in jobs if f"{attempt.scope} {job.remote_id}" in left), None)
    return Listing(jobs, owners, newest[0] if newest else None, orphan, clock)


async def _adopt(station: Station, item: Item, listing: Listing, finding: Adopt) -> Hold | LookAgain | None:
    """Record whose the job is; what to do instead where the ledger says that it cannot be this item's."""
    job = next(job for job in listing.jobs if job.remote_id == finding.remote_id)
    word, _ = await station.store.accept(
        item.ref,
        item.attempts,
        finding.remote_id,
        how=finding.how,
        fields={"created_at": job.created_at or listing.clock.now},
        due_in_s=0,
        version=item.version,
    )
    if word in ("accepted", "stale"):
        return None
    if finding.how == "prompt" and word == "taken":
        return LookAgain(1.0)  # another item was faster
    return Hold(f"an earlier create of this item made the job {finding.remote_id}, which it cannot take: {word}")


async def _look_again(station: Station, item: Item, finding: LookAgain) -> None:
    if finding.absent_since is None:
        await station.store.renew(item.ref, item.version, finding.in_s)
    else:
        seen = Decision(Event.UNCERTAIN, attempt={"absent_since": finding.absent_since}, due_in_s=finding.in_s)
        await station.store.apply(item.ref, item.version, seen)
    station.wake(finding.in_s)


def held(message: str) -> Decision:
    """Settled as unknown: no slot, and its money counts as spent until a person or late evidence says."""
    return Decision(Event.HELD, OUTCOME_UNKNOWN.fields(message), money="unknown")


async def now_of(store: Store) -> float:
    """The ledger's clock, Unix seconds: intents are written in it."""
    seconds, microseconds = await store.redis.time()
    return int(seconds) + int(microseconds) / 1_000_000


async def _not_listed(
    station: Station, item: Item, deployment: Deployment, intent_at: float, error: ApiError
) -> None:
    if await now_of(station.store) - intent_at > deployment.max_render_s:
        await station.store.apply(item.ref, item.version, held(f"the provider's jobs cannot be listed: {error}"))
        station.wake(0)
        return
    log.warning("listing.failed", error=str(error), status=error.status)
    await station.store.renew(item.ref, item.version, min(60.0, station.claim_s * 2))
