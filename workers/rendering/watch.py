"""The watch step: looks at an orphan, a remote job of ours that its item could not take, until it has ended.

It holds a slot of its deployment and counts as money like any other job. What happens with its video is for a person to
say: `dailies reconcile --audit` names it, with the command that gives it to an item.
"""

from __future__ import annotations

import structlog

from orchestrator.items.decision import Money
from orchestrator.ledger import remote_ids
from orchestrator.ledger.in_hand import ref_of
from orchestrator.ledger.records import Attempt, Claim
from workers.arq_queue import Elsewhere
from workers.rendering.look import expiry
from workers.rendering.missing import AGAIN_S
from workers.station import Station
from workers.video_api import ApiError, Missing, RemoteJob, RemoteStatus

log = structlog.get_logger("workers.rendering.watch")


async def watch(station: Station, claim: Claim) -> None:
    """Look at the orphan of a claimed attempt, and write down what it has come to."""
    attempt = await remote_ids.attempt(station.store, claim.ref, claim.attempt)
    orphan = attempt and attempt.fields.get("orphan_id")
    if attempt is None or not orphan:
        return
    line = station.lines.get(attempt.deployment)
    if line is None:
        raise Elsewhere
    now, name = station.clock(), ref_of(claim.ref, claim.attempt)
    given_up_at = _born_at(attempt, now) + line.deployment.retention_s
    try:
        job = await line.api.get(orphan)
    except Missing:
        # What was just answered may not be found yet.
        looks = int(attempt.fields.get("orphan_missing") or 0) + 1
        gone = looks >= 3 or now > given_up_at
        log.info("orphan.was_not_found", attempt=name, remote_id=orphan, looks=looks)
        seen: dict[str, object] = {"orphan_missing": looks}
        await remote_ids.watched(station.store, claim, seen, due_in_s=AGAIN_S, ended="gone" if gone else None)
    except ApiError as error:
        log.warning("look.was_refused", status=error.status, error=str(error))
        ended = "out_of_sight" if now > given_up_at else None
        await remote_ids.watched(station.store, claim, {}, due_in_s=line.deployment.poll.every_s, ended=ended)
    else:
        ended = None if job.status is RemoteStatus.RUNNING and now <= given_up_at else str(job.status)
        seen = _seen(job, expiry(job, line.deployment, job.created_at or now, job.completed_at or now))
        money: Money | None = "confirmed" if job.status is RemoteStatus.SUCCEEDED else None
        due_in_s = max(line.deployment.poll.every_s, job.poll_after_s or 0)
        await remote_ids.watched(station.store, claim, seen, due_in_s=due_in_s, ended=ended, money=money)
        if ended:
            log.warning("orphan.ended", attempt=name, remote_id=orphan, status=ended)
    station.wake(0)


def _seen(job: RemoteJob, expires_at: float) -> dict[str, object]:
    seen: dict[str, object] = {"orphan_status": job.raw_status, "orphan_missing": 0}
    if job.status is RemoteStatus.SUCCEEDED:
        seen["orphan_expires_at"] = round(expires_at * 1000)
    return seen


def _born_at(attempt: Attempt, now: float) -> float:
    return attempt.intent_at or now
