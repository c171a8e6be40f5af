"""What a look at a remote job means. Pure: the poller looks, and carries out what is decided here."""

from __future__ import annotations

from collections.abc import Sequence

import structlog

from orchestrator.admission.polling import Sight, next_look, seen
from orchestrator.items import failures
from orchestrator.items.decision import Decision
from orchestrator.items.failures import Failure
from orchestrator.items.states import Event
from orchestrator.ledger.records import Item, instant
from orchestrator.settings import Deployment
from workers.rendering.ending import ended
from workers.rendering.missing import AGAIN_S, missed
from workers.video_api import ApiError, Missing, RemoteJob, RemoteStatus, Throttled, is_known

log = structlog.get_logger("workers.rendering.look")

#: However long a server asks not to be polled, a video that is finished must still be found (seconds).
LONGEST_S = 600.0

#: Of why a look failed so many characters are kept.
UNSEEN_CHARS = 300


def decide(
    job: RemoteJob, item: Item, deployment: Deployment, now: float, *, renders: Sequence[float] = ()
) -> Decision:
    """What a look at a remote job means. `now` in Unix seconds; `renders`: the last ones of its kind, ascending."""
    created = _made_at(job, item, deployment, now)

    def end(failure: Failure, message: str) -> Decision:
        return ended(failure, message, item, deployment, event=Event.FAILED, code=job.failure_code or job.raw_status)

    if job.status is RemoteStatus.RUNNING:
        # By our own clock: a server that makes its jobs ever younger, or a century old, must neither keep a slot nor
        # lose a video by it.
        if now > _created_at(item, now) + deployment.retention_s:
            return end(failures.NEVER_FINISHED, f"still {job.raw_status} after {deployment.retention_s:.0f} s")
        strange_for_s = now - (_strange_since(item) or now)
        if not is_known(job.raw_status) and strange_for_s > deployment.max_render_s:
            said = f"it says {job.raw_status!r}, which is no status known here, since {strange_for_s:.0f} s"
            return end(failures.UNKNOWN_STATUS, said)
        age_s = max(now - _began_at(job, item, now), 0.0)
        sights = seen(_sights(item), age_s, job.progress)
        return Decision(
            Event.OBSERVED,
            {
                "remote_status": job.raw_status,
                "progress": job.progress or 0,
                "missing": 0,
            },
            {
                "sights": " ".join(f"{sight.age_s:.3f}:{sight.progress}" for sight in sights),
                "strange_since": "" if is_known(job.raw_status) else round((now - strange_for_s) * 1000),
                **({"unseen": ""} if item.attempt and item.attempt.fields.get("unseen") else {}),
            },
            due_in_s=max(next_look(deployment.poll, age_s, renders, sights), job.poll_after_s or 0),
        )
    if job.status is RemoteStatus.SUCCEEDED and job.content_ids:
        completed = job.completed_at or now
        return Decision(
            Event.SUCCEEDED,
            {
                "completed_at": round(completed * 1000),
                "expires_at": round(expiry(job, deployment, created, completed) * 1000),
                "content_id": job.content_ids[0],
                "progress": 100,
            },
            {"completed_at": round(completed * 1000)},
            money="confirmed",
        )
    if job.status is RemoteStatus.SUCCEEDED:
        return end(failures.NO_VIDEO, "the job succeeded without a video")
    words = (job.failure_code, job.raw_status)
    return end(failures.of_render(words), job.failure_message or f"the remote job ended as {job.raw_status}")


def decide_error(error: ApiError, item: Item, deployment: Deployment, now: float) -> Decision:
    """What a failed look means: hardly ever anything (promise 21). A 404 counts after three in two minutes."""
    late = now > _created_at(item, now) + deployment.retention_s
    if isinstance(error, Missing):
        gone, fields = missed(item, now)
        if gone:
            failure = failures.EXPIRED_REMOTELY if late else failures.REMOTE_MISSING
            message = f"the provider no longer knows the remote job: {error}"
            return ended(failure, message, item, deployment, event=Event.FAILED, code=error.code)
        return Decision(Event.OBSERVED, fields, due_in_s=max(deployment.poll.every_s, AGAIN_S))
    if late:
        message = f"no look succeeded until the provider deletes it; the last said: {error}"
        return ended(failures.OUT_OF_SIGHT, message, item, deployment, event=Event.FAILED, code=error.code)
    log.warning("look.was_refused", status=error.status, error=str(error))
    wait = error.retry_after_s if isinstance(error, Throttled) else None
    # Whoever asks in time where the item is can mend the key or the network.
    unseen = {"unseen": str(error)[:UNSEEN_CHARS]}
    return Decision(Event.OBSERVED, {}, unseen, due_in_s=max(deployment.poll.every_s, min(wait or 0, LONGEST_S)))


def expiry(job: RemoteJob, deployment: Deployment, created: float, completed: float) -> float:
    """The instant after which the provider deletes the video, in Unix seconds.

    Sora 1's documents say both 24 h after creation and 24 h after completion: the earlier counts. Sora 2 names an
    instant; where none is named, retention runs from the creation.
    """
    by_retention = created + deployment.retention_s
    if job.expires_at is None:
        return by_retention
    return min(job.expires_at, by_retention) if deployment.api == "jobs" else job.expires_at


def _created_at(item: Item, now: float) -> float:
    return (item.attempt.intent_at if item.attempt else None) or now


def _made_at(job: RemoteJob, item: Item, deployment: Deployment, now: float) -> float:
    """When the provider says that the job was made; of one so long before its intent that it would be gone, ours."""
    ours = _created_at(item, now)
    return ours if job.created_at is None or job.created_at < ours - deployment.retention_s else job.created_at


def _began_at(job: RemoteJob, item: Item, now: float) -> float:
    """When the render began, by the ledger's clock: when its answer came. Of one that was found by the listing, only
    the provider tells, in whole seconds of its own clock."""
    fields = item.attempt.fields if item.attempt else {}
    if fields.get("adopted") == "answer" and fields.get("accepted_at"):
        return float(fields["accepted_at"]) / 1000
    return job.created_at or _created_at(item, now)


def _strange_since(item: Item) -> float | None:
    """Since when the provider says a status that nobody here knows (Unix seconds)."""
    return instant(item.attempt.fields, "strange_since") if item.attempt else None


def _sights(item: Item) -> list[Sight]:
    """The progress of earlier looks, as the attempt's field `sights` has it: `AGE:PERCENT`, apart by spaces."""
    kept = item.attempt.fields.get("sights", "") if item.attempt else ""
    pairs = (each.split(":") for each in kept.split())
    return [Sight(float(age), int(progress)) for age, progress in pairs]
