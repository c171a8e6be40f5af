"""The archive step: a finished video, byte for byte, into the archive; proven there; then its receipt.

A download that fails never causes a new render: this step only ever tries again, until the provider says that the
video is gone.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import structlog

from orchestrator.items.decision import Decision
from orchestrator.items.failures import ARCHIVE, EXPIRED, UNREACHED, UNREADABLE
from orchestrator.items.states import Event, State
from orchestrator.ledger import views
from orchestrator.ledger.deletions import CLAIM_S
from orchestrator.ledger.records import Item, instant
from workers.archiving.clearing import clear
from workers.archiving.delivery import Delivery, already_there, deliver
from workers.archiving.filing import filed
from workers.archiving.poster import poster
from workers.archiving.proof import NotWhole
from workers.archiving.receipt import receipt
from workers.archiving.reuse import reuse
from workers.rendering.ending import ended
from workers.rendering.missing import AGAIN_S, missed
from workers.sinks import ArchiveError, ArchiveUnavailable
from workers.slots import give_back_slot
from workers.station import Line, Station
from workers.video_api import ApiError, BadAnswer, Missing, RemoteStatus

log = structlog.get_logger("workers.archiving.archive")

#: For how long after its deadline a video is still asked for that never arrives whole (seconds).
GRACE_S = 3600.0
#: For how long no creates start after the archive refused a write (seconds); each refusal renews it.
CLOSED_S = 30.0
#: When the dispatcher looks for another video in the place of one whose bytes have arrived (seconds; more than none:
#: no create became possible by it).
SOON_S = 0.001


async def archive(station: Station, item: Item) -> None:
    """Archive one item. A worker that stops cancels it, and hands back its claim (promise 29)."""
    if item.state is not State.ARCHIVING:
        return
    decision = await _decide(station, item)
    if await station.store.apply(item.ref, item.version, decision) and decision.event is Event.ARCHIVED:
        _count(station, item, decision)
        # Only now: until the ledger has it archived, an answer that comes late may say whose video it is instead.
        if station.delete_remote and item.reused is None:
            await clear(station, item)


def _count(station: Station, item: Item, decision: Decision) -> None:
    """A video that is used again was counted when it was brought here."""
    finished_at = instant(item.fields, "completed_at")
    if item.reused is None:
        lag_s = None if finished_at is None else station.clock() - finished_at
        station.store.metrics.archived(int(str(decision.item["bytes"])), lag_s)


async def _decide(station: Station, item: Item) -> Decision:
    try:
        if item.reused is not None:
            return await reuse(station.sink, item)
        return await _fetch(station, item)
    except ArchiveUnavailable as error:
        log.error("archive.refused", error=str(error))
        least_s = _asked_s(error)
        return _postponed(item, f"archive: {error}", least_s=least_s, closed_s=max(CLOSED_S, least_s))
    except ArchiveError as error:
        log.warning("archiving.failed", error=str(error))
        return _postponed(item, str(error))
    except (ApiError, NotWhole) as error:
        log.warning("archiving.failed", error=str(error))
        return _too_late(station, item, error) or _postponed(item, str(error), least_s=_asked_s(error))


def _asked_s(error: Exception) -> float:
    """For how long whoever refused wants to be left alone (seconds); a video that expires is not kept waiting longer
    than it would be without a word."""
    return min(getattr(error, "retry_after_s", None) or 0.0, ARCHIVE.longest_s)


async def _fetch(station: Station, item: Item) -> Decision:
    line = station.line(item)
    try:
        sent = partial(_sent, station)
        return await _receipted(station, item, await deliver(station.sink, line.api, item, sent=sent))
    except Missing as error:
        return await _confirm_missing(station, line, item, error)


def _sent(station: Station) -> None:
    """The rest of the step asks and waits: the next video's bytes may come meanwhile."""
    give_back_slot()
    station.wake(SOON_S)


async def _receipted(station: Station, item: Item, delivery: Delivery) -> Decision:
    """The video is proven: write its receipt beside it, and only then call it archived."""
    line = station.line(item)
    picture = await poster(station.sink, line.api, item, delivery.name, line.patience)
    (attempts,) = await views.calls(station.store, [item])
    paper = receipt(item, delivery, station.clock(), attempts=attempts, poster=picture)
    fields = await filed(station.sink, item.ref, delivery.name, paper)
    if delivery.mismatch:
        log.warning("video.is_not_as_ordered", mismatch=list(delivery.mismatch))
    # A worker that dies before it has deleted the remote video leaves that to another one.
    delete_in_s = CLAIM_S if station.delete_remote else None
    archived = {"outcome": "archived"}
    return Decision(Event.ARCHIVED, fields, archived, money="confirmed", delete_in_s=delete_in_s)


async def _confirm_missing(station: Station, line: Line, item: Item, error: Missing) -> Decision:
    """The content answered 404 or 410: only the job itself says whether the video is gone (promise 21)."""
    fields: dict[str, object] = {"missing": 0}
    now = station.clock()
    try:
        job = await line.api.get(item.remote_id or "")
    except Missing:
        gone, fields = missed(item, now)
    except ApiError as other:
        return _postponed(item, str(other), least_s=_asked_s(other))
    else:
        gone = job.status in (RemoteStatus.GONE, RemoteStatus.FAILED)
    gone = gone or (item.expires_at is not None and now > item.expires_at)
    if not gone:
        return _postponed(item, str(error), fields=fields, least_s=AGAIN_S if fields["missing"] else 0)
    try:
        delivery = await already_there(station.sink, item)
        if delivery is not None:
            return await _receipted(station, item, delivery)
    except ArchiveError as trouble:
        return _postponed(item, str(trouble))
    log.error("video.was_lost", error=str(error))
    return ended(EXPIRED, f"the finished video is gone: {error}", item, line.deployment, event=Event.LOST)


def _too_late(station: Station, item: Item, error: ApiError | NotWhole) -> Decision | None:
    """Past its deadline the provider owes us nothing. One that answers, but for an hour never with a whole video, has
    none; one that cannot be asked is waited for as long again, since a key may be mended, and videos may be kept longer
    than promised."""
    deployment, answers = station.line(item).deployment, isinstance(error, NotWhole | BadAnswer)
    grace_s = GRACE_S if answers else max(deployment.retention_s, GRACE_S)
    if item.expires_at is None or station.clock() <= item.expires_at + grace_s:
        return None
    log.error("video.was_lost", error=str(error))
    message = f"the finished video could not be fetched in its time: {error}"
    return ended(UNREADABLE if answers else UNREACHED, message, item, deployment, event=Event.LOST)


def _postponed(
    item: Item,
    message: str,
    *,
    fields: Mapping[str, object] | None = None,
    least_s: float = 0,
    closed_s: float | None = None,
) -> Decision:
    """Another try, later and later."""
    tries = int(item.fields.get("archive_tries") or 0)
    return Decision(
        Event.POSTPONED,
        {"archive_tries": tries + 1, "message": message, **(fields or {})},
        due_in_s=max(ARCHIVE.pause_s(tries, str(item.ref)), least_s),
        archive_closed_s=closed_s,
    )
