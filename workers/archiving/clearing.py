"""Clearing: deletes remote videos whose items are archived, where the settings ask for it (`archive.delete_remote`).

It is due from the move to archived on, so that a worker that dies leaves none behind, and never in the way of anything:
what cannot be deleted is tried a few times more, and expires by itself.
"""

from __future__ import annotations

import asyncio

import structlog

from orchestrator.items.failures import Tries
from orchestrator.items.states import State
from orchestrator.ledger import deletions, remote_ids
from orchestrator.ledger.records import Item
from orchestrator.redis.connection import AWAY
from workers.station import Station
from workers.video_api import ApiError

log = structlog.get_logger("workers.archiving.clearing")

#: Between two looks at what is to be deleted (seconds), and how many at once.
EVERY_S, AT_ONCE = 10.0, 20
#: Where the video is needed still, or a list is told by it (seconds).
NEEDED_S = 600.0
#: Deletes that the provider refused or did not answer.
DELETE = Tries(8, 60, 3600)


async def clear_again_and_again(station: Station, *, every_s: float = EVERY_S) -> None:
    """Delete what is due, until it is cancelled. While Redis is away others say so."""
    while True:
        try:
            await clear_due(station)
        except (*AWAY, OSError):
            pass
        except Exception:
            log.exception("clearing.failed")
        await asyncio.sleep(every_s)


async def clear_due(station: Station) -> None:
    """Delete what is due, one after the other: there is no hurry, and other requests come first."""
    for ref, number in await deletions.claim(station.store, AT_ONCE):
        item = await station.store.load(ref)
        if item is None or item.state is not State.ARCHIVED or item.attempts != number:
            await deletions.over(station.store, ref, number)  # forgotten, or not its video any more
        elif station.serves(item):
            with station.bound(item):
                await clear(station, item)


async def clear(station: Station, item: Item) -> None:
    """Delete the remote video of an archived item. Not while a remix is still to be made from it; and not the newest
    job that we know there, by which reconcile tells a whole listing: these wait, until they expire at the longest."""
    store, attempt, remote_id = station.store, item.attempt, item.remote_id
    if attempt is None or not remote_id:
        return
    if item.expires_at is not None and station.clock() > item.expires_at:
        await deletions.over(store, item.ref, attempt.number)
        return
    newest = await remote_ids.newest(store, attempt.scope)
    if newest is None or newest[0] == remote_id or await remote_ids.needed(store, item.ref):
        await deletions.again(store, item.ref, attempt.number, in_s=NEEDED_S, failed=False)
        return
    try:
        await station.line(item).api.delete(remote_id)
    except ApiError as error:
        await _refused(station, item, attempt.number, error)
    else:
        await remote_ids.deleted(store, attempt.scope, remote_id)
        await deletions.over(store, item.ref, attempt.number)


async def _refused(station: Station, item: Item, number: int, error: ApiError) -> None:
    made = await remote_ids.attempt(station.store, item.ref, number)
    before = int(made.fields.get("delete_tries") or 0) if made else 0
    if not DELETE.left(before + 1):
        log.warning("remote_video.was_not_deleted", error=str(error), again_in_s=None)
        await deletions.over(station.store, item.ref, number)
        return
    pause_s = DELETE.pause_s(before, str(item.ref))
    log.info("remote_video.was_not_deleted", error=str(error), again_in_s=round(pause_s))
    await deletions.again(station.store, item.ref, number, in_s=pause_s, failed=True)
