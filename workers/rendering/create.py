"""The create step: intent first, then one POST, then what came of it. The only step that spends money."""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import replace

import stamina
import structlog
from redis.exceptions import RedisError

from orchestrator.admission.controller import pace, scope
from orchestrator.admission.polling import first_look
from orchestrator.items.decision import Decision
from orchestrator.items.failures import INPUT_MISSING
from orchestrator.items.states import Event, State
from orchestrator.ledger.in_hand import shape
from orchestrator.ledger.records import Item
from orchestrator.settings import Deployment
from workers.rendering.inputs import InputUnusable, stored_image
from workers.rendering.orphans import take_own
from workers.rendering.verdict import decide, not_sent
from workers.sinks import ArchiveError, ArchiveUnavailable
from workers.station import Station
from workers.video_api import Accepted, Order, Refused, boot_clock

log = structlog.get_logger("workers.rendering.create")

#: Creates that are out. A step that is cut leaves its own going on, and a loop alone does not keep a task alive.
_OUT: set[asyncio.Task[None]] = set()


async def create(station: Station, item: Item) -> None:
    """Create the remote job of an admitted item. Every outcome ends in one write to the store.

    Promise 29: the POST is shielded, so that a worker that stops never cuts it.
    """
    if item.state is not State.ADMITTED or item.attempt is None:
        return
    if await take_own(station, item):  # nothing needs to be sent
        return
    line = station.line(item)
    try:
        # The claim is renewed meanwhile, and the slot is taken: an archive that never answers must not keep both. From
        # the intent on nothing renews it, since its version moves on.
        async with asyncio.timeout(line.deployment.create_timeout_s):
            order = await _order(station, item, line.deployment)
    except TimeoutError:
        words = f"input_reference: the archive did not answer within {line.deployment.create_timeout_s:g} s"
        await station.store.apply(item.ref, item.version, not_sent(words))
        return
    except ArchiveUnavailable as error:
        await station.store.apply(item.ref, item.version, not_sent(f"input_reference: {error}"))
        return
    except (ArchiveError, InputUnusable) as error:
        refused = Decision(Event.REFUSED, INPUT_MISSING.fields(str(error)), money="none")
        await station.store.apply(item.ref, item.version, refused)
        return
    if order.image is not None and not await station.store.renew(item.ref, item.version, station.claim_s):
        return  # reading the image took longer than the claim, and somebody else has it now
    token = secrets.token_hex(8)
    # Taken before the intent: the send-by instant may only be early.
    send_by = boot_clock() + line.deployment.create_timeout_s
    answer, version, wait_s = await station.store.intend(
        item.ref,
        item.version,
        {
            "endpoint": line.deployment.endpoint,
            "wire_name": line.deployment.deployment,
            "fingerprint": item.spec.fingerprint,
            "shape": shape(item.spec),
            "token": token,
        },
        pace=pace(line.deployment),
        due_in_s=2 * line.deployment.create_timeout_s + line.deployment.settle_s,
    )
    if answer == "unconfirmed":
        await station.store.apply(item.ref, version, not_sent("no Redis replica confirmed the intent"))
        return
    if answer != "intended":
        station.wake(wait_s)
        return
    sending = asyncio.create_task(_send(station, item, version, order, send_by, token))
    _OUT.add(sending)
    sending.add_done_callback(_OUT.discard)
    await asyncio.shield(sending)


async def _send(station: Station, item: Item, version: int, order: Order, send_by: float, token: str) -> None:
    line, store = station.line(item), station.store
    outcome = await line.api.create(order, send_by=send_by)
    if isinstance(outcome, Accepted):
        log.info("create.answered", remote_id=outcome.remote_id, request_id=outcome.request_id)
        station.wake(await _record(station, item, outcome, line.deployment))
        return
    if isinstance(outcome, Refused):
        store.metrics.refused(line.deployment.name, outcome.kind)
    decision = decide(outcome, line.deployment)
    log.info("create.answered", outcome=type(outcome).__name__, reason=decision.item.get("reason"))
    await store.apply(item.ref, version, replace(decision, token=token))
    station.wake(0)


async def _record(station: Station, item: Item, outcome: Accepted, deployment: Deployment) -> float:
    """Write down whose the remote job is: while Redis is away, again and again for as long as this process lives.

    Returns the seconds to the first look.
    """
    due_in_s = deployment.poll.first_s
    fields = {
        "request_id": outcome.request_id or "",
        "created_at": outcome.job.created_at or outcome.server_time or station.clock(),
    }
    away = (RedisError, OSError)
    async for attempt in stamina.retry_context(on=away, attempts=None, timeout=None, wait_initial=0.5, wait_max=10.0):
        with attempt:
            try:
                renders = await station.renders.of(deployment.name, item.spec.size, item.spec.seconds)
                due_in_s = first_look(deployment.poll, renders, tells_progress=deployment.api == "videos")
                await station.store.accept(
                    item.ref,
                    item.attempts,
                    outcome.remote_id,
                    how="answer",
                    fields=fields,
                    due_in_s=due_in_s,
                    hides_prompts=outcome.job.prompt is None,
                    place={
                        "deployment": deployment.name,
                        "scope": scope(deployment),
                        "fingerprint": item.spec.fingerprint,
                    },
                )
            except away as error:
                if attempt.num == 1:
                    log.error("remote_id.not_recorded", remote_id=outcome.remote_id, error=str(error))
                raise
    return due_in_s


async def _order(station: Station, item: Item, deployment: Deployment) -> Order:
    spec = item.spec
    image = await stored_image(station.sink, item.ref.batch, spec.image_sha256) if spec.image_sha256 else None
    return Order(
        prompt=spec.prompt,
        model=deployment.deployment,
        size=spec.size,
        seconds=spec.seconds,
        image=image,
        remix_of=spec.remix_of and (item.fields.get("source_id") or spec.remix_of),
    )
