"""The recovery step: Redis began anew, and may have forgotten what was sent. Whatever the archive and a provider's list
still know of is found before anything more is paid there (promise 12).

It only reads at the provider. A ledger that is whole costs one page of the list.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import structlog

from orchestrator.admission import circuit
from orchestrator.admission.controller import scope
from orchestrator.ledger import recovery, remote_ids
from orchestrator.ledger.recovery import Doubt
from orchestrator.ledger.store import Store
from orchestrator.settings import Deployment
from orchestrator.video_models.prices import micro
from workers.reconciliation.evidence import ROUNDING_S
from workers.reconciliation.places import chunks, now_of, tells_no_list
from workers.reconciliation.sheet import Sheet, is_deleted, one_for_each_key
from workers.reconciliation.strays import Match, Matches, match, oldest, told
from workers.recovering.restoration import take_receipts
from workers.rendering.probe import ask
from workers.renewal import kept
from workers.sinks import ArchiveError
from workers.station import Line, Station
from workers.video_api import ApiError, Denied, RefusalKind, RemoteJob, RemoteStatus

log = structlog.get_logger("workers.recovering.recovery")

#: Until the next look at a list, or an archive, that could not be read (seconds).
AGAIN_S = 60.0
#: A provider keeps its jobs for a day; an hour more for clocks (seconds).
KEPT_S, SPARE_S = 86_400.0, 3_600.0


@dataclass(frozen=True, slots=True)
class Looked:
    """What a look through one list found. `strays`: jobs that nobody here knows, and no item takes. `again_in_s`:
    creates may not leave yet, and it is looked at again then; `error`: why nothing could be told, `person`: until a
    person decides. `compared_at`: when items that wait began to be compared with it (Redis's clock)."""

    listed: int = 0
    adopted: int = 0
    strays: tuple[RemoteJob, ...] = ()
    again_in_s: float | None = None
    error: str | None = None
    person: bool = False
    compared_at: float | None = None


async def recover(station: Station, name: str, number: int) -> Looked:
    """Look through the list that a deployment's jobs appear in, as claimed under this number; creates may leave there
    again afterwards, or it is said why not.

    Raises ClaimLost when the look is another worker's by now.
    """
    its_scope, store = scope(station.lines[name].deployment), station.store
    async with kept(partial(recovery.renew, store, its_scope, number), station.claim_s):
        doubt = await recovery.doubt(store, its_scope)
        if doubt is None:
            return Looked()
        lines = [line for line in station.lines.values() if scope(line.deployment) == its_scope]
        try:
            await take_receipts(station)
            looked = await _look(station, lines, doubt)
        except Denied as error:
            looked = Looked(error=str(error), again_in_s=await _stop_denied(store, lines))
        except (ApiError, ArchiveError) as error:
            looked = await _untold(store, [line.deployment for line in lines], doubt, error)
        looked = await _conclude(store, its_scope, number, looked)
    station.wake(looked.again_in_s or 0)
    return looked


async def _conclude(store: Store, its_scope: str, number: int, looked: Looked) -> Looked:
    """Open the scope, or say when it is looked at again."""
    again_s = looked.again_in_s or 0.0
    if looked.error is not None:
        await recovery.failed(store, its_scope, number, looked.error, person=looked.person, again_s=again_s)
        return looked
    if looked.again_in_s is None:
        since = oldest(looked.strays, await now_of(store))
        done = await recovery.trust(
            store, its_scope, number, compared_at=looked.compared_at, strays=len(looked.strays), strays_since=since
        )
        if done:
            counts = {"listed": looked.listed, "adopted": looked.adopted, "strays": len(looked.strays)}
            log.info("scope.recovered", scope=its_scope, **counts)
            return looked
        looked = replace(looked, again_in_s=0.0)  # rows came in meanwhile: they are compared too
    await recovery.later(store, its_scope, number, again_s)
    return looked


async def _look(station: Station, lines: Sequence[Line], doubt: Doubt) -> Looked:
    """`lines`: the deployments whose jobs the list shows."""
    store, serving = station.store, [line.deployment for line in lines]
    its_scope = scope(serving[0])
    patience = max(2 * d.create_timeout_s + d.settle_s for d in serving)
    newest = await remote_ids.newest(store, its_scope)
    now = await now_of(store)
    there = await lines[0].api.server_time() or now  # the provider's clock
    kept_since = there - max(KEPT_S, *(d.retention_s for d in serving)) - SPARE_S
    noticed_s = now - doubt.noticed_at
    left_s = 0.0 if doubt.settled or noticed_s >= patience else patience - noticed_s + 1
    sheet = Sheet(newest[0] if newest else "", there - noticed_s - patience - ROUNDING_S)
    since = max(_since(doubt, patience), kept_since)
    for line in one_for_each_key(lines):
        async for chunk in chunks(line.api.list(since=since)):
            sheet.add(chunk, await remote_ids.owners(store, its_scope, [job.remote_id for job in chunk]))
    if newest and newest[1] > kept_since and not sheet.shows_newest:
        if await is_deleted(lines, newest[0]):  # then the next newest tells whether the list is whole
            await remote_ids.deleted(store, its_scope, newest[0])
            return Looked(sheet.listed, again_in_s=0.0)
        gap = f"its list does not show {newest[0]}, the newest job that we know there"
        return Looked(sheet.listed, error=gap, again_in_s=max(d.settle_s for d in serving) + 1)
    # A job that failed has no video and is not billed: making another pays once.
    videos = [job for job in sheet.unknown if job.status is not RemoteStatus.FAILED]
    matches = await match(store, station.sink, videos, serving, ahead_s=there - now) if videos else Matches()
    adopted = [await _adopt(store, each, its_scope, now, there) for each in matches.found]
    found = Looked(sheet.listed, adopted.count(True), tuple(matches.left), compared_at=now if videos else None)
    if not all(adopted):
        return replace(found, again_in_s=0.0)  # it changed meanwhile
    # Where a create was made of late, another that was forgotten may be on its way, or not be listed yet.
    if left_s and (sheet.late_unknown or (sheet.late_known and not doubt.clean)):
        return replace(found, again_in_s=left_s)
    if not matches.hidden:
        return found
    error = (
        f"{len(matches.hidden)} job(s) are listed there that nobody here knows ({told(matches.hidden)}), and their "
        "prompts are not shown: items that wait may have been sent already"
    )
    return _undecided(serving, error, found)


def _since(doubt: Doubt, patience: float) -> float:
    """How far back the list is read (Unix seconds, the provider's clock): what was forgotten was created after the
    newest job that was known, or was on its way together with it."""
    if doubt.since is None:
        return 0.0
    return min(doubt.since - patience, doubt.strays_since or doubt.since) - ROUNDING_S


async def _adopt(store: Store, match: Match, its_scope: str, now: float, there: float) -> bool:
    """Give an item the job that was made for it; where it is not sure which, leave it to `reconcile`. False: the item
    was changed meanwhile."""
    job, at = match.job, match.deployment
    made_at = now if job.created_at is None else now - there + job.created_at
    attempt = {
        "scope": its_scope,
        "endpoint": at.endpoint,
        "wire_name": at.deployment,
        "intent_at": round(made_at * 1000),
    }
    price = None if at.price_per_second_usd is None else micro(at.price_per_second_usd)
    ref = match.item.ref
    presumed = await recovery.presume(
        store, ref, match.item.version, deployment=at.name, price_per_s=price, attempt=attempt
    )
    if presumed is None:
        return False
    version, number = presumed
    if match.sure:
        fields = {"created_at": job.created_at or there}
        await store.accept(ref, number, job.remote_id, how="prompt", fields=fields, due_in_s=0, version=version)
    return True


async def _stop_denied(store: Store, lines: Sequence[Line]) -> float:
    """Stop the deployments whose key is refused, as a refused create would; in how many seconds to look again. Where
    all of them are stopped, it is due once a probe has opened one."""
    refused = []
    for line in one_for_each_key(lines):
        try:
            await ask(line)
        except Denied as error:
            refused.append(line.deployment.auth)
            for each in lines:
                if each.deployment.auth == line.deployment.auth:
                    await circuit.stop(store, each.deployment.name, str(RefusalKind.AUTH), error.message)
        except ApiError:
            continue
    return AGAIN_S if any(line.deployment.auth not in refused for line in lines) else 0.0


async def _untold(store: Store, serving: Sequence[Deployment], doubt: Doubt, error: ApiError | ArchiveError) -> Looked:
    """The list, or the archive, could not be read."""
    if not isinstance(error, ApiError) or not await tells_no_list(store, scope(serving[0]), error):
        return Looked(error=str(error), again_in_s=AGAIN_S)
    lists_none = f"this server does not list its jobs (HTTP {error.status})"
    text = f"{lists_none}, so what was ordered there before could be paid for again, unseen"
    if doubt.clean:  # as far as can be told, nothing happened since
        log.warning("recovery.was_given_up", error=text)
        return Looked()
    return _undecided(serving, text, Looked())


def _undecided(serving: Sequence[Deployment], error: str, found: Looked) -> Looked:
    """Nobody can tell what was sent: the configuration says what then, or a person does."""
    if all(d.on_unknown == "retry" for d in serving):
        log.warning("recovery.was_given_up", error=error)
        return found
    return replace(found, error=error, person=True, again_in_s=AGAIN_S)
