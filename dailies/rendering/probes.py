"""Asking deployments, before anything is queued or paid, whether they can be used."""

from __future__ import annotations

import structlog

from dailies.session import Session
from dailies.terminal.exits import Unusable
from workers.rendering.probe import ask, probe_at_once
from workers.video_api import ApiError, Unreachable

log = structlog.get_logger("dailies.rendering.probes")


async def probe_reachable(session: Session) -> None:
    """Raises Unusable when not one deployment can be reached: a mistyped endpoint must not cost a night."""
    silent = {}
    for name, line in session.lines.items():
        try:
            await ask(line)
        except Unreachable as error:
            silent[name] = f"{name} ({line.deployment.endpoint}): {error}"
            log.warning("deployment.is_not_reached", deployment=name, error=str(error))
        except ApiError:
            continue  # it answered; what it said is judged where it matters
    if len(silent) == len(session.lines):
        raise Unusable(f"no deployment can be reached: {'; '.join(silent.values())}. Check endpoint and network")


async def probe_stopped(session: Session) -> None:
    """Ask deployments that were stopped earlier again, at once: whoever starts may have mended them."""
    for line in session.lines.values():
        await probe_at_once(session.store, line, claim_s=session.settings.claim_s)
