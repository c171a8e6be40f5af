"""`reconcile --audit`: what nobody here knows at the providers, for scripts and for people."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from typing import Any

from dailies.terminal.exits import counted
from orchestrator.clock import rfc3339
from orchestrator.video_models.prices import usd
from workers.reconciliation.audit import Place, Stray

#: So much of a prompt is shown.
PROMPT_CHARS = 60


def document(places: Sequence[Place], held: int) -> dict[str, Any]:
    """What `reconcile --audit --json` prints. Instants are Unix seconds."""
    return {"held": held, "places": [_place(place) for place in places]}


def clean(places: Iterable[Place]) -> bool:
    """Whether there is nothing that a person should look at. Where other programs create too, their jobs are theirs."""
    return not any(
        place.error or place.gone or any(not place.shared or each.answered for each in place.strays) for place in places
    )


def _place(place: Place) -> dict[str, Any]:
    return {
        "endpoint": place.endpoint,
        "deployments": list(place.deployments),
        "shared": place.shared,
        "listed": place.listed,
        "error": place.error,
        "unknown": [_stray(each) for each in place.strays],
        "gone": [
            {
                "batch": item.ref.batch,
                "key": item.ref.item,
                "state": str(item.state),
                "deployment": item.deployment,
                "remote_id": remote_id,
            }
            for remote_id, item in place.gone.items()
        ],
    }


def _stray(stray: Stray) -> dict[str, Any]:
    job = stray.job
    return {
        "id": job.remote_id,
        "created_at": None if job.created_at is None else int(job.created_at),
        "status": job.raw_status,
        "model": job.model,
        "size": job.size,
        "seconds": job.seconds,
        "prompt": job.prompt[:PROMPT_CHARS] if job.prompt else None,
        "expires_at": None if stray.expires_at is None else int(stray.expires_at),
        "cost_usd": None if stray.cost is None else usd(stray.cost),
        "answered": stray.answered,
        "likely": [str(ref) for ref in stray.likely],
    }


def lines(places: Sequence[Place]) -> list[str]:
    """The same in words."""
    told: list[str] = []
    for place in places:
        where = f"{place.endpoint} ({', '.join(place.deployments)})"
        told.append(f"{where}: {counted(place.listed, 'job')} listed, {len(place.strays):,} of them nobody's")
        if place.error:
            told.append(f"  its list could not be read to the end: {place.error}")
        if place.shared and place.strays:
            told.append("  other programs create here too: what nobody here knows may be theirs")
        for stray in place.strays:
            told += _words(stray)
        for remote_id, item in place.gone.items():
            told.append(f"  {item.ref} is {item.state}, and its job {remote_id} is gone there")
    return told


def _words(stray: Stray) -> list[str]:
    job = stray.job
    made = rfc3339(job.created_at) or "at an unknown time"
    what = ", ".join(str(each) for each in (job.size, f"{job.seconds} s" if job.seconds else None) if each)
    cost = "" if stray.cost is None else f", ${usd(stray.cost):.2f} to lose"
    until = f", until {rfc3339(stray.expires_at)}" if stray.expires_at else ""
    status = job.raw_status or "of unknown status"
    told = [f"  {job.remote_id}: {status}, created {made}, {what or 'size not shown'}{cost}{until}"]
    if job.prompt:
        told.append(f"    “{job.prompt[:PROMPT_CHARS].strip()}{'…' if len(job.prompt) > PROMPT_CHARS else ''}”")
    if stray.answered:
        told.append(f"    made by {stray.answered}, whose item has not got its video")
    return told + [f"    dailies reconcile --adopt {shlex.quote(f'{ref}={job.remote_id}')}" for ref in stray.likely]
