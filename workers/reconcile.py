"""The reconcile step: what came of a create whose answer never arrived? It reads the provider's list, never sends.

A listed job that belongs to nobody and has the same prompt, size and seconds, made between the intent and the last
instant at which the POST could have left, is ours. If none is there the create may be sent again, but only once for
an item and only when the listing is proven to be fresh: it shows the newest job that we know there. All else is held.
"""

from __future__ import annotations

from dataclasses import dataclass

import structlog

from orchestrator.decision import Decision
from orchestrator.keys import Ref
from orchestrator.records import Item
from orchestrator.settings import Deployment
from orchestrator.states import Event, State
from workers.station import Station
from workers.video_api import ApiError, RemoteJob

log = structlog.get_logger("workers.reconcile")

#: How far the provider's clock may differ from Redis's before a job counts as outside the window (seconds).
CLOCK_S = 5.0


@dataclass(frozen=True, slots=True)
class Listing:
    """The provider's jobs since before the intent, newest first; who each belongs to (attempt refs); and the
    newest job that we know there, which a whole listing must show."""

    jobs: tuple[RemoteJob, ...]
    owners: dict[str, str]
    newest_known: str | None


@dataclass(frozen=True, slots=True)
class Adopt:
    """This remote job is the item's."""

    remote_id: str


@dataclass(frozen=True, slots=True)
class Hold:
    """Nobody can tell; `message` says why."""

    message: str


@dataclass(frozen=True, slots=True)
class Resend:
    """The listing proves that nothing came of the create."""


Finding = Adopt | Hold | Resend


async def reconcile(station: Station, item: Item) -> None:
    """Settle an item whose create has an unknown outcome, or leave it for the next time when the list fails.

    An outcome that stays unknown for `max_render_s` is held: by then the remote job, if any, has ended.
    """
    if item.state is not State.CREATING or item.attempt is None or item.attempt.intent_at is None:
        return
    line, store = station.line(item), station.store
    scope = item.attempt.scope
    newest = await store.newest_remote(scope)
    since = min(item.attempt.intent_at, newest[1] if newest else item.attempt.intent_at) - CLOCK_S
    try:
        jobs = tuple([job async for job in line.api.list(since=since)])
    except ApiError as error:
        await _not_listed(station, item, line.deployment, error)
        return
    owners = await store.remote_owner(scope, [job.remote_id for job in jobs])
    finding = decide(item, Listing(jobs, owners, newest[0] if newest else None), line.deployment)
    log.info("outcome.reconciled", finding=type(finding).__name__, listed=len(jobs))
    if isinstance(finding, Adopt):
        job = next(j for j in jobs if j.remote_id == finding.remote_id)
        await store.accept(
            item.ref,
            item.attempts,
            finding.remote_id,
            how="prompt",
            fields={"created_at": job.created_at or since},
            due_in_s=0,
            version=item.version,
        )
    elif isinstance(finding, Resend):
        fields: dict[str, object] = {"resent": 1, "reason": "", "message": "", "unknown_since": ""}
        decision = Decision(Event.RESENT, fields, {"outcome": "no_remote_job"}, money="none")
        await store.apply(item.ref, item.version, decision)
    else:
        await store.apply(item.ref, item.version, held(finding.message))
    station.wake(0)


def decide(item: Item, listing: Listing, deployment: Deployment) -> Finding:
    """What a listing says about an item whose create has an unknown outcome."""
    intent_at = item.attempt.intent_at if item.attempt else None
    if intent_at is None:
        return Hold("the intent has no time")
    me = f"{item.ref}#{item.attempts}"
    mine = next((rid for rid, owner in listing.owners.items() if owner == me), None)
    if mine is not None:
        return Adopt(mine)
    latest = intent_at + 2 * deployment.create_timeout_s + CLOCK_S
    free = [
        job
        for job in listing.jobs
        if job.remote_id not in listing.owners
        and (job.created_at is None or intent_at - CLOCK_S <= job.created_at <= latest)
        and _same_shape(job, item)
    ]
    by_prompt = [job for job in free if job.prompt == item.spec.prompt]
    if deployment.shared and len(by_prompt) > 1:
        return Hold("several jobs have this prompt, and other programs create here too")
    if by_prompt:
        # Several of one prompt are takes of the same order: any of them is as good, the nearest in time is best.
        return Adopt(min(by_prompt, key=lambda job: abs((job.created_at or intent_at) - intent_at)).remote_id)
    if any(job.prompt is None for job in free):
        return Hold("a job of the same size and seconds was made then, and the provider does not show prompts")
    if item.fields.get("resent"):
        return Hold("no such job is listed, and the create was already sent again once")
    if listing.newest_known not in {job.remote_id for job in listing.jobs}:
        return Hold("no such job is listed, but the newest job that we know there is missing from the list too")
    return Resend()


def _same_shape(job: RemoteJob, item: Item) -> bool:
    """A remix has its source's size and seconds, so only a plain create is compared by them."""
    if item.spec.remix_of is not None:
        return True
    return job.size in (None, item.spec.size) and job.seconds in (None, item.spec.seconds)


def held(message: str) -> Decision:
    """Settled as unknown: no slot, and its money counts as spent until a person or late evidence says."""
    return Decision(Event.HELD, {"reason": "outcome_unknown", "message": message, "billed": "unknown"}, money="unknown")


async def _not_listed(station: Station, item: Item, deployment: Deployment, error: ApiError) -> None:
    unknown_for = station.clock() - (item.attempt.intent_at if item.attempt and item.attempt.intent_at else 0)
    if unknown_for > deployment.max_render_s:
        await station.store.apply(item.ref, item.version, held(f"the provider's jobs cannot be listed: {error}"))
        station.wake(0)
        return
    log.warning("listing.failed", error=str(error), status=error.status)
    await station.store.renew(Ref(*item.ref), item.version, min(60.0, station.claim_s * 2))
