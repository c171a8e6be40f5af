"""A provider's list as reconcile reads it: which jobs are there, whose they are, and what kind of list it is."""

from __future__ import annotations

from collections.abc import AsyncIterator

from orchestrator.admission.controller import scope
from orchestrator.items.states import State
from orchestrator.ledger import remote_ids
from orchestrator.ledger.in_hand import rivals
from orchestrator.ledger.records import Attempt, Item
from orchestrator.ledger.store import Store
from orchestrator.settings import Deployment
from workers.reconciliation.evidence import ROUNDING_S, STEP_S, Listing, Reading, may_matter
from workers.reconciliation.likeness import same_prompt
from workers.station import Line, Station
from workers.video_api import ApiError, RemoteJob, Repeats

#: How far before the intent a job with the same prompt is still looked for (seconds).
REACH_S = 600.0
#: Jobs whose owners are asked for at once.
CHUNK = 100
#: Statuses of a server that has no list of its jobs.
_NO_LIST = (404, 405, 501)


async def listing(station: Station, line: Line, item: Item, attempt: Attempt, intent_at: float) -> Listing:
    """What the provider's list shows that may matter to an item, and what the ledger knows of it. Raises ApiError.

    The newest known job is read before, the owners after: so a create that ends meanwhile neither makes the list look
    old nor its job look free. However long the list is, only what may matter is kept of it.
    """
    store, deployment = station.store, line.deployment
    newest = await remote_ids.newest(store, attempt.scope, besides=_elsewhere(station, deployment))
    clock = Reading(await now_of(store), await line.api.server_time(), await now_of(store))
    since = min(clock.span(intent_at)[0] - REACH_S, newest[1] if newest else clock.now) - ROUNDING_S
    kept: list[RemoteJob] = []
    hidden: bool | None = None
    whole = True
    try:
        async for chunk in chunks(line.api.list(since=since)):
            hidden = hidden or any(job.prompt is None for job in chunk)
            taken = await remote_ids.owners(store, attempt.scope, [job.remote_id for job in chunk])
            kept += [
                job
                for job in chunk
                if (newest and job.remote_id == newest[0])
                or (job.remote_id not in taken and may_matter(job, item, clock, deployment))
                or same_prompt(job, item.spec)
            ]
    except Repeats:
        whole = False
    await _note(store, attempt.scope, hidden)
    owners = await remote_ids.owners(store, attempt.scope, [job.remote_id for job in kept])
    worded = {job.remote_id for job in kept if same_prompt(job, item.spec)} & owners.keys()
    for remote_id in await remote_ids.guessed(store, {each: owners[each] for each in worded}):
        del owners[remote_id]
    around = 2 * deployment.create_timeout_s + 2 * (ROUNDING_S + STEP_S) + clock.after - clock.before
    others = await rivals(
        store, attempt.scope, f"{item.ref}#{attempt.number}", since=intent_at - around, until=intent_at + around
    )
    return Listing(tuple(kept), owners, newest[0] if newest else None, clock, tuple(others), whole)


async def tells_no_list(store: Store, place: str, error: ApiError) -> bool:
    """Whether it says that the server has no list. Where one was read before, a gateway lost its way for a while."""
    return error.status in _NO_LIST and "lists_hide" not in await store.read(store.keys.listing(place))


def is_out(item: Item, deployment: Deployment, now: float) -> bool:
    """Whether its create may still be on its way (`now`: the ledger's clock): nobody else may decide about it yet."""
    attempt = item.attempt
    if item.state is not State.CREATING or attempt is None or attempt.fields.get("outcome") == "unknown":
        return False
    return now <= (attempt.intent_at or now) + 2 * deployment.create_timeout_s + deployment.settle_s


async def chunks(jobs: AsyncIterator[RemoteJob]) -> AsyncIterator[list[RemoteJob]]:
    """A listing, some of it at once. What it shows before it breaks off is given out first."""
    chunk: list[RemoteJob] = []
    try:
        async for job in jobs:
            chunk.append(job)
            if len(chunk) >= CHUNK:
                yield chunk
                chunk = []
    except Repeats:
        if chunk:
            yield chunk
        raise
    if chunk:
        yield chunk


async def _note(store: Store, place: str, hidden: bool | None) -> None:
    """Remember that there is a list, and whether it shows prompts; an empty one does not tell."""
    pipe = store.redis.pipeline(transaction=False)
    if hidden is None:
        pipe.hsetnx(store.keys.listing(place), "lists_hide", "")
    else:
        pipe.hset(store.keys.listing(place), "lists_hide", str(int(hidden)))
    await pipe.execute()


def _elsewhere(station: Station, deployment: Deployment) -> set[str]:
    """Deployments at the same endpoint whose jobs another key, and so perhaps another list, has."""
    here = scope(deployment)
    at = (line.deployment for line in station.lines.values() if scope(line.deployment) == here)
    return {each.name for each in at if each.auth != deployment.auth}


async def now_of(store: Store) -> float:
    """The ledger's clock, Unix seconds: intents are written in it."""
    seconds, microseconds = await store.redis.time()
    return int(seconds) + int(microseconds) / 1_000_000
