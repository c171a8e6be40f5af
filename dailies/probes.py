"""Asking deployments, before anything is queued or paid, whether they can be used."""

from __future__ import annotations

import structlog

from dailies.exits import Unusable
from dailies.session import Session
from workers.station import Line
from workers.video_api import ApiError, Unreachable

log = structlog.get_logger("dailies.probes")


async def probe_reachable(session: Session) -> None:
    """Raises Unusable when not one deployment can be reached: a mistyped endpoint must not cost a night."""
    silent = {}
    for name, line in session.lines.items():
        try:
            await _ask(line)
        except Unreachable as error:
            silent[name] = f"{name} ({line.deployment.endpoint}): {error}"
            log.warning("deployment.is_not_reached", deployment=name, error=str(error))
        except ApiError:
            continue  # it answered; what it said is judged where it matters
    if len(silent) == len(session.lines):
        raise Unusable(f"no deployment can be reached: {'; '.join(silent.values())}. Check endpoint and network")


async def probe_stopped(session: Session) -> None:
    """Ask deployments that were stopped earlier again, with a list call. A missing deployment or model shows only
    on a create, so it gets one item to try."""
    for name, line in session.lines.items():
        fields = await session.store.read(session.store.keys.deployment(name))
        reason = fields.get("stopped")
        if not reason:
            continue
        try:
            await _ask(line)
        except ApiError as error:
            log.warning("deployment.still_stopped", deployment=name, reason=reason, error=str(error))
            continue
        await session.store.judge(name, {"resume": True, "probation": reason != "auth"})
        log.info("deployment.resumed", deployment=name, reason=reason)


async def _ask(line: Line) -> None:
    """A list call: it costs nothing and needs the key."""
    async for _ in line.api.list(since=float("inf")):
        break
