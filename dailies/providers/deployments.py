"""`deployments`: what each may do, does and waits for, as scripts read it; `pause` and `resume`."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from dailies.session import open_store
from dailies.terminal.exits import UsageError
from dailies.terminal.instants import instant, length
from dailies.terminal.person import who
from orchestrator import deployments
from orchestrator.deployments import Standing
from orchestrator.reasons.gate_words import recovering_words
from orchestrator.settings import Settings
from orchestrator.settings.problems import nearest_name


async def listing(settings: Settings) -> list[Standing]:
    """Every deployment, and those no longer configured of which something is still out."""
    async with open_store(settings) as session:
        return await deployments.standings(session.store, settings.deployments)


async def pause(
    settings: Settings, name: str, *, for_: str = "", until: str = "", reason: str = ""
) -> tuple[Standing, list[Standing]]:
    """Pause a deployment; it and all of them afterwards. Raises UsageError."""
    if for_ and until:
        raise UsageError("--for says how long and --until says when: give one of them")
    for_s = length(for_, option="--for") if for_ else None
    at = instant(until, time.time(), option="--until") if until else None
    async with open_store(settings) as session:
        _named(name, await deployments.standings(session.store, settings.deployments))
        await deployments.pause(session.store, name, until=at, for_s=for_s, reason=reason, by=who())
        found = await deployments.standings(session.store, settings.deployments)
        return _named(name, found), found


async def resume(settings: Settings, name: str, *, forget_learned: bool) -> Standing:
    """Let a deployment's creates begin again; it afterwards. Raises UsageError."""
    async with open_store(settings) as session:
        _named(name, await deployments.standings(session.store, settings.deployments))
        await deployments.resume(session.store, name, forget_learned=forget_learned, by=who())
        return _named(name, await deployments.standings(session.store, settings.deployments))


def document(its: Standing) -> dict[str, Any]:
    """A deployment as `--json` prints it. Instants are Unix seconds; null is none, or no limit."""
    view, quota = its.view, its.deployment and its.deployment.quota
    learned = {"concurrent": its.learned_slots, "per_minute": its.learned_per_minute}
    return {
        "name": its.name,
        "model": its.deployment and its.deployment.model,
        "configured": its.deployment is not None,
        "state": its.state,
        "reason": reason(its),
        "quota": quota and {"name": quota.shared_as or None, **quota.model_dump()},
        "learned": learned if any(value is not None for value in learned.values()) else None,
        "tokens": its.tokens,
        "slots": its.slots,
        "slots_used": its.slots_used,
        "quota_slots_used": its.quota_slots_used,
        "to_fetch": its.to_fetch,
        "pinned": its.pinned,
        "paused": its.paused,
        "paused_at": _unix(view.paused_at) if its.paused else None,
        "paused_until": _unix(view.paused_until) if its.paused else None,
        "paused_by": view.paused_by if its.paused else None,
        "stopped": view.stopped,
        "stopped_at": _unix(view.stopped_at),
        "next_probe_at": _unix(its.next_probe_at),
        "failed_probes": view.probes,
        "probe_error": view.probe_error,
        "cooling_until": _unix(view.cool_until) if its.cooling else None,
        "recovering": view.recovering,
        "recovery_error": view.recovery_error,
        "unknown_jobs": view.strays,
        "next_look_at": _unix(view.next_look_at) if view.recovering else None,
        "needs_person": view.needs_person,
        "window_open": its.window_open,
        "window_changes_at": _unix(its.window_changes_at),
        "drained": its.drained,
    }


def reason(its: Standing) -> str | None:
    """Why no create, or only one, starts there; None when it is open."""
    view = its.view
    said = {
        "paused": view.paused_reason or f"paused by {view.paused_by or 'somebody'}",
        "stopped": f"{view.stopped}: {view.message}",
        "cooling": view.cool_reason,
        "recovering": recovering_words(view, time.time()),
        "window": "outside its window",
        "trying": "one create at a time is tried, until one is accepted",
        "removed": "it is not in the configuration any more",
    }
    return said.get(its.state)


def _named(name: str, among: Sequence[Standing]) -> Standing:
    for each in among:
        if each.name == name:
            return each
    names = [each.name for each in among]
    if not names:
        raise UsageError(f"there is no deployment {name}: none is configured")
    near = nearest_name(name, names)
    others = "" if "known here" in near else f" (there are {', '.join(names)})"
    raise UsageError(f"there is no deployment {name}: {near}{others}")


def _unix(at: float | None) -> int | None:
    return None if at is None else int(at)
