"""The create step: intent first, then one POST, then what came of it. The only step that spends money."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import stamina
import structlog
from redis.exceptions import RedisError

from orchestrator.admission import pace, scope
from orchestrator.decision import Decision
from orchestrator.failures import (
    CREATE,
    INPUT_MISSING,
    INVALID_REQUEST,
    MODERATION_REFUSED,
    OUTCOME_UNKNOWN,
    SOURCE_MISSING,
    Failure,
)
from orchestrator.in_hand import shape
from orchestrator.polling import first_look
from orchestrator.records import Item
from orchestrator.settings import Deployment
from orchestrator.states import Event, State
from workers.inputs import InputUnusable, stored_image
from workers.sinks import ArchiveError, ArchiveUnavailable
from workers.station import Station
from workers.video_api import Accepted, NotSent, Order, RefusalKind, Refused, Unknown, boot_clock

log = structlog.get_logger("workers.create")

#: Pause when a quota is used up and the server does not say until when (seconds).
EXHAUSTED_COOL_S = 3600.0

#: What a refusal says of the item itself.
_ENDS: Mapping[RefusalKind, Failure] = {
    RefusalKind.INVALID: INVALID_REQUEST,
    RefusalKind.MODERATED: MODERATION_REFUSED,
    RefusalKind.SOURCE_MISSING: SOURCE_MISSING,
}
_STOPS = (RefusalKind.AUTH, RefusalKind.DEPLOYMENT_MISSING, RefusalKind.MODEL_RETIRED)
#: One create too many: of which limit (`lua/_quota.lua`).
_TOO_MANY = {RefusalKind.RATE_LIMITED: "rate", RefusalKind.TOO_MANY_RUNNING: "slots"}

#: Creates that are out. A step that is cut leaves its own going on, and a loop alone does not keep a task alive.
_OUT: set[asyncio.Task[None]] = set()


async def create(station: Station, item: Item) -> None:
    """Create the remote job of an admitted item. Every outcome ends in one write to the store.

    Promise 29: the POST is shielded, so that a worker that stops never cuts it.
    """
    if item.state is not State.ADMITTED or item.attempt is None:
        return
    line = station.line(item)
    try:
        order = await _order(station, item, line.deployment)
    except ArchiveUnavailable as error:
        await station.store.apply(item.ref, item.version, _not_sent(f"input_reference: {error}"))
        return
    except (ArchiveError, InputUnusable) as error:
        refused = Decision(Event.REFUSED, INPUT_MISSING.fields(str(error)), money="none")
        await station.store.apply(item.ref, item.version, refused)
        return
    if order.image is not None and not await station.store.renew(item.ref, item.version, station.claim_s):
        return  # reading the image took longer than the claim, and somebody else has it now
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
        },
        pace=pace(line.deployment),
        due_in_s=2 * line.deployment.create_timeout_s + line.deployment.settle_s,
        replicas=station.replicas,
    )
    if answer == "unconfirmed":
        await station.store.apply(item.ref, version, _not_sent("no Redis replica confirmed the intent"))
        return
    if answer != "intended":
        station.wake(wait_s)
        return
    sending = asyncio.create_task(_send(station, item, version, order, send_by))
    _OUT.add(sending)
    sending.add_done_callback(_OUT.discard)
    await asyncio.shield(sending)


async def _send(station: Station, item: Item, version: int, order: Order, send_by: float) -> None:
    line, store = station.line(item), station.store
    outcome = await line.api.create(order, send_by=send_by)
    if isinstance(outcome, Accepted):
        log.info("create.answered", remote_id=outcome.remote_id, request_id=outcome.request_id)
        station.wake(await _record(station, item, outcome, line.deployment))
        return
    decision = decide(outcome, line.deployment)
    log.info("create.answered", outcome=type(outcome).__name__, reason=decision.item.get("reason"))
    await store.apply(item.ref, version, decision)
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


def decide(outcome: NotSent | Refused | Unknown, deployment: Deployment) -> Decision:
    """What a create that gave no remote id means for its item and its deployment (promises 3 and 22)."""
    if isinstance(outcome, NotSent):
        return _not_sent(outcome.reason)
    if isinstance(outcome, Unknown):
        return _unknown(outcome)
    attempt = {
        "outcome": str(outcome.kind),
        "status": outcome.status or "",
        "code": outcome.code or "",
        "message": outcome.message,
        "request_id": outcome.request_id or "",
    }
    if outcome.kind in _TOO_MANY or outcome.kind is RefusalKind.QUOTA_EXHAUSTED:
        if deployment.gateway:  # a proxy that sends again by itself: the listing has to tell
            reason = f"429 from a gateway: {outcome.message}"
            return _unknown(Unknown(reason, outcome.status, outcome.request_id, outcome.retry_after_s))
        return _back(attempt, _throttled(outcome))
    if outcome.kind in _STOPS:
        return _back(attempt, {"stop": str(outcome.kind), "message": outcome.message})
    named = f"{outcome.field}: " if outcome.field else ""
    fields = _ENDS[outcome.kind].fields(named + outcome.message)
    return Decision(Event.REFUSED, fields, attempt, money="none")


def _back(attempt: Mapping[str, object], verdict: Mapping[str, object]) -> Decision:
    """Not the item's fault: it waits again, and the deployment pauses or stops."""
    return Decision(Event.RETURNED, attempt=attempt, money="none", deployment=verdict)


def _not_sent(reason: str) -> Decision:
    return _back({"outcome": "not_sent", "message": reason}, _pause(f"unreachable: {reason}"))


def _unknown(outcome: Unknown) -> Decision:
    """Only reconcile moves the item. The deployment pauses: in an outage each further create would end like this."""
    return Decision(
        Event.UNCERTAIN,
        {"reason": OUTCOME_UNKNOWN.code, "message": outcome.reason},
        {
            "outcome": "unknown",
            "status": outcome.status or "",
            "message": outcome.reason,
            "request_id": outcome.request_id or "",
        },
        deployment=_pause(f"no certain answer: {outcome.reason}", outcome.retry_after_s),
    )


def _pause(reason: str, retry_after_s: float | None = None) -> dict[str, object]:
    """As long as the server asks for, else longer each time."""
    if retry_after_s:
        return {"cool_ms": round(retry_after_s * 1000), "reason": reason}
    first_ms, longest_ms = round(CREATE.first_s * 1000), round(CREATE.longest_s * 1000)
    return {"cool_ms": first_ms, "backoff": longest_ms, "reason": reason}


def _throttled(refused: Refused) -> dict[str, object]:
    """What a 429 says of the quota: the ledger learns from it. A quota that is used up parks the deployment."""
    reason = str(refused.kind)
    if refused.kind is RefusalKind.QUOTA_EXHAUSTED:
        return {"cool_ms": round(1000 * (refused.retry_after_s or EXHAUSTED_COOL_S)), "reason": reason}
    verdict: dict[str, object] = {"refused": _TOO_MANY[refused.kind], "reason": reason}
    if refused.retry_after_s is not None:
        verdict["retry_ms"] = round(1000 * refused.retry_after_s)
    return verdict


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
