"""Adoption by hand: a person says which item a remote job belongs to. Whatever speaks against it is said first."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from orchestrator.admission.controller import scope
from orchestrator.items.states import TABLE, Event, State
from orchestrator.ledger import remote_ids
from orchestrator.ledger.in_hand import split
from orchestrator.ledger.records import Item
from orchestrator.ledger.store import Store
from orchestrator.settings import Deployment
from orchestrator.video_models.prices import price
from workers.reconciliation.likeness import unlike
from workers.reconciliation.places import is_out, now_of
from workers.station import Line
from workers.video_api import ApiError, Missing, RemoteJob, RemoteStatus


class NotAdopted(Exception):
    """It was not done; the text says why, and what to do instead."""


@dataclass(frozen=True, slots=True)
class Found:
    """A remote job, and the deployments of the endpoint and key that know it."""

    job: RemoteJob
    lines: tuple[Line, ...]


async def find(lines: Iterable[Line], remote_id: str) -> Found:
    """The job of an id, wherever it is known. Raises NotAdopted."""
    by_place: dict[tuple[str, str], list[Line]] = {}
    for line in lines:
        auth = line.deployment.auth.model_dump_json()
        by_place.setdefault((scope(line.deployment), auth), []).append(line)
    trouble = []
    for serving in by_place.values():
        try:
            return Found(await serving[0].api.get(remote_id), tuple(serving))
        except Missing:
            continue
        except ApiError as error:
            trouble.append(f"{serving[0].deployment.name} cannot be asked: {error}")
    if trouble:
        raise NotAdopted(f"no deployment that could be asked knows the job {remote_id}; {'; '.join(trouble)}")
    raise NotAdopted(f"no deployment knows the job {remote_id}: dailies reconcile --audit lists those that are there")


async def adopt(store: Store, item: Item, found: Found, *, by: str, forced: bool = False) -> int:
    """Make the job the item's, from now on to be polled and archived; the item's new version. `forced`: although it is
    not as ordered, or has no video. Raises NotAdopted."""
    job, deployment = found.job, _made_by(item, found)
    here = scope(deployment)
    now = await now_of(store)
    if (refusal := _busy(item, deployment, now)) is not None:
        raise NotAdopted(refusal)
    owner = (await remote_ids.owners(store, here, [job.remote_id])).get(job.remote_id)
    left = {each.remote_id: each.owner for each in await remote_ids.orphans(store) if each.scope == here}
    owner = left.get(job.remote_id, owner)
    if owner is not None and split(owner)[0] != item.ref and job.remote_id not in left:
        raise NotAdopted(f"the job {job.remote_id} belongs to {split(owner)[0]}: an id is never taken from an item")
    if not forced and (doubts := _doubts(item, job, deployment)):
        raise NotAdopted(f"the job {job.remote_id} is not as {item.ref} ordered it: {'; '.join(doubts)} (--force)")
    number, begins = _attempt_for(item, owner, here)
    fields = {"created_at": job.created_at or now, "adopted_by": by, "adopted_at": round(now * 1000)}
    cost = price(item.spec.model, item.spec.size, item.spec.seconds, deployment.price_per_second_usd)
    place = {"deployment": deployment.name, "scope": here, "price": "" if cost is None else cost}
    word, detail = await store.accept(
        item.ref,
        number,
        job.remote_id,
        how="hand",
        fields=fields,
        due_in_s=0,
        version=item.version,
        place=place | {"fingerprint": item.spec.fingerprint},
        begin=begins,
    )
    if word == "accepted":
        return int(detail)
    if word == "taken":
        raise NotAdopted(f"the job {job.remote_id} belongs to {detail}: an id is never taken from an item")
    raise NotAdopted(f"{item.ref} was changed meanwhile: look at it, and try again")


def _busy(item: Item, deployment: Deployment, now: float) -> str | None:
    """Why an item can take no job now."""
    if item.state is State.ARCHIVED:
        return f"{item.ref} is archived: it has its video"
    if item.state in (State.RENDERING, State.ARCHIVING):
        return f"{item.ref} has a remote job, {item.remote_id}: it is {item.state}"
    if item.state not in TABLE[Event.ATTACHED] or is_out(item, deployment, now):
        return f"{item.ref} is being sent right now: wait until it is known what comes of that"
    return None


def _doubts(item: Item, job: RemoteJob, deployment: Deployment) -> Sequence[str]:
    words = unlike(job, item.spec)
    if deployment.model != item.spec.model:
        words.append(f"it was made by {deployment.model}, not {item.spec.model}")
    ended = job.status in (RemoteStatus.FAILED, RemoteStatus.GONE)
    if ended and item.state not in (State.HELD, State.CREATING):
        words.append(f"it has no video: it is {job.raw_status}")
    return words


def _made_by(item: Item, found: Found) -> Deployment:
    """The deployment that a job counts for: the one that the item went to, else that of its model."""
    serving = [line.deployment for line in found.lines]
    went_to = item.attempt.deployment if item.attempt else None

    def fit(deployment: Deployment) -> tuple[bool, bool, bool]:
        same = deployment.model == item.spec.model
        return same and deployment.name == went_to, found.job.model == deployment.deployment, same

    return max(serving, key=fit)


def _attempt_for(item: Item, owner: str | None, here: str) -> tuple[int, bool]:
    """Which create of the item made it, and whether that is a new one: its own by an answer, the one in doubt, or one
    that nobody here knows of."""
    if owner is not None and split(owner)[0] == item.ref:
        return split(owner)[1], False
    attempt = item.attempt
    in_doubt = attempt is not None and attempt.intent_at is not None and attempt.money == "unknown"
    if attempt is not None and in_doubt and attempt.scope == here and attempt.remote_id is None:
        return attempt.number, False
    return item.made + 1, True
