"""The audit: remote jobs that are nobody's here, and items whose remote job is gone. It only looks.

One endpoint and key after the other, a page of the list at a time: however long it is, only what is to be told is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from orchestrator.admission.controller import scope
from orchestrator.ledger import remote_ids
from orchestrator.ledger.in_hand import Flight, asked, in_flight, split
from orchestrator.ledger.keys import Ref
from orchestrator.ledger.records import Item
from orchestrator.ledger.remote_ids import Orphan
from orchestrator.ledger.store import Store
from orchestrator.settings import Deployment
from orchestrator.video_models.prices import price
from workers.reconciliation.likeness import same_prompt, same_shape
from workers.reconciliation.places import CHUNK, chunks, now_of
from workers.station import Line
from workers.video_api import ApiError, Missing, RemoteJob, RemoteStatus

#: Items that one job may be of are named up to so many.
MOST_LIKELY = 5
#: A list shows no jobs that are older than it keeps them; a clock may be off (seconds).
SPARE_S = 600.0

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Stray:
    """A remote job that is no item's. `answered`: the attempt that it was made by, where an answer named it or its item
    ended without its video; `likely`: items without an answer that it may have been made for; `cost`: micro-dollars."""

    job: RemoteJob
    expires_at: float | None
    cost: int | None
    answered: str | None
    likely: tuple[Ref, ...]


@dataclass(slots=True)
class Place:
    """One endpoint and key. `error`: why its list could not be read, or not to its end; `shared`: others use it too;
    `gone`: remote id → an item that still moves, and whose remote job the provider does not know."""

    endpoint: str
    deployments: tuple[str, ...]
    shared: bool
    listed: int = 0
    error: str | None = None
    strays: list[Stray] = field(default_factory=list)
    gone: dict[str, Flight] = field(default_factory=dict)


async def audit(
    store: Store, lines: Iterable[Line], *, reach_s: float | None = None, progress: Progress = lambda _: None
) -> list[Place]:
    """Compare each list with the ledger. `reach_s`: how far back, instead of for as long as videos are kept."""
    by_place: dict[tuple[str, str], list[Line]] = {}
    for line in lines:
        auth = line.deployment.auth.model_dump_json()
        by_place.setdefault((scope(line.deployment), auth), []).append(line)
    return [await _compare(store, serving, reach_s, progress) for serving in by_place.values()]


async def _compare(store: Store, serving: Sequence[Line], reach_s: float | None, progress: Progress) -> Place:
    deployments = [line.deployment for line in serving]
    first, here = serving[0], scope(deployments[0])
    place = Place(deployments[0].endpoint, tuple(d.name for d in deployments), any(d.shared for d in deployments))
    unseen = await in_flight(store, place.deployments)
    known = {each.remote_id: each for each in await remote_ids.orphans(store) if each.scope == here}
    in_doubt = [item for _, item in await asked(store, here)]
    reach = reach_s or max(d.retention_s for d in deployments) + SPARE_S
    try:
        now = await first.api.server_time() or await now_of(store)
        async for chunk in chunks(first.api.list(since=now - reach)):
            place.listed += len(chunk)
            for job in chunk:
                unseen.pop(job.remote_id, None)
            whose = await _whose(store, here, chunk, known)
            place.strays += [
                _stray(job, whose[job.remote_id], in_doubt, deployments) for job in chunk if job.remote_id in whose
            ]
            if place.listed % (10 * CHUNK) == 0:
                progress(f"{place.endpoint}: {place.listed:,} jobs listed, {len(place.strays):,} of them nobody's")
    except ApiError as error:
        place.error = str(error)
    # A create that was out meanwhile has its answer by now.
    nobodys = [each.job.remote_id for each in place.strays if each.answered is None]
    owners = await remote_ids.owners(store, here, nobodys)
    place.strays = [each for each in place.strays if each.answered or each.job.remote_id not in owners]
    for number, (remote_id, item) in enumerate(unseen.items(), 1):
        if number % CHUNK == 0:
            progress(f"{place.endpoint}: {number:,} of {len(unseen):,} jobs that are not listed asked for")
        try:
            await first.api.get(remote_id)
        except Missing:
            place.gone[remote_id] = item
        except ApiError as error:
            place.error = place.error or str(error)
    return place


async def _whose(
    store: Store, here: str, jobs: Sequence[RemoteJob], orphans: Mapping[str, Orphan]
) -> dict[str, str | None]:
    """Those of these jobs that no item has or gets, with the attempt that made them, as far as that is known."""
    owners = await remote_ids.owners(store, here, [job.remote_id for job in jobs])
    found: dict[str, str | None] = {}
    ended = [job for job in jobs if job.remote_id in owners and job.status is RemoteStatus.SUCCEEDED]
    pipe = store.redis.pipeline(transaction=False)
    for job in ended:
        pipe.hmget(store.keys.item(split(owners[job.remote_id])[0]), ["state", "reason", "attempt"])
    without = {}
    for job, (state, reason, number) in zip(ended, await pipe.execute(), strict=True):
        current = split(owners[job.remote_id])[1] == int(number or 0)
        lost = state in (b"failed", b"cancelled", b"expired", b"held") and reason != b"discarded"
        without[job.remote_id] = state is None or (current and lost)
    for job in jobs:
        owner = owners.get(job.remote_id)
        if job.remote_id in orphans:
            found[job.remote_id] = orphans[job.remote_id].owner
        elif owner is None or without.get(job.remote_id):
            found[job.remote_id] = owner
    return found


def _stray(job: RemoteJob, answered: str | None, in_doubt: Sequence[Item], serving: Sequence[Deployment]) -> Stray:
    made_by = next((d for d in serving if job.model in (d.deployment, d.model)), serving[0])
    expires_at = job.expires_at or (None if job.created_at is None else job.created_at + made_by.retention_s)
    cost = None
    if job.size and job.seconds and job.status in (RemoteStatus.RUNNING, RemoteStatus.SUCCEEDED):
        cost = price(made_by.model, job.size, job.seconds, made_by.price_per_second_usd)
    likely = [item.ref for item in in_doubt if _may_be_of(job, item, made_by)]
    if answered and split(answered)[0] not in likely:
        likely.insert(0, split(answered)[0])
    return Stray(job, expires_at, cost, answered, tuple(likely[:MOST_LIKELY]))


def _may_be_of(job: RemoteJob, item: Item, deployment: Deployment) -> bool:
    """By the prompt, or where that is not shown, by shape and time."""
    if job.prompt is not None:
        return same_prompt(job, item.spec)
    asked_at = item.attempt.intent_at if item.attempt else None
    if asked_at is None or job.created_at is None or not same_shape(job, item.spec):
        return False
    return asked_at - SPARE_S <= job.created_at <= asked_at + 2 * deployment.create_timeout_s + SPARE_S
