"""What each gate of a deployment means, in words, and what a person can do about it."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from orchestrator.admission.shortage import Stoppage, short_of
from orchestrator.clock import local
from orchestrator.ledger.records import Fields
from orchestrator.ledger.views import DeploymentView
from orchestrator.reasons.explanation import Door, Explanation, Short

#: A time so near is told to the second (seconds).
NEAR_S = 600
#: Why the provider lets a deployment rest, by the word of its refusal.
_RESTS = {
    "rate_limited": "the provider said that creates came too fast (429)",
    "too_many_running": "the provider said that too many videos are being made at once (429)",
    "quota_exhausted": "its quota at the provider is used up",
}
#: Why nothing is ordered for the archive's sake, though it does not refuse, and what a person can do.
_SHUT = {
    "unattended": ("no worker archives", "start a worker that archives: dailies worker"),
    "behind": (
        "what is finished is not archived fast enough",
        "see why archiving is slow (dailies status says how many wait), or start more workers",
    ),
}
_WINDOW_OVER = "submit its manifest again: the hours of its window are reckoned for a year from then on"


@dataclass(frozen=True, slots=True)
class Gate:
    """What admission says of one deployment (`Door`), with the words for it; `resume`: what a person has to do."""

    name: str
    gate: str
    until: float | None
    detail: str
    resume: str | None


def gate_of(found: Explanation, door: Door, view: DeploymentView) -> Gate:
    """The gate of a deployment, with its words."""
    detail = _detail(found, door, view)
    held, _ = door.held_by
    if held != door.gate:
        detail += f"; and then {_then(found, door)}"
    return Gate(door.name, door.gate, door.until, detail, _resume(found, door, view))


def opening(found: Explanation, door: Door, view: DeploymentView) -> str:
    """The answer, where this deployment is the first that could take an item."""
    held, until = door.held_by
    if held == "none":
        return (
            "Nothing keeps it back: it is next, and a worker takes it within moments. "
            "If that does not happen, no worker is running: dailies worker, or dailies run."
        )
    if held == "rate":
        return f"It is next: {door.name} takes it {_when(until, found)}, as its rate allows."
    if held == "slot" and door.trial:
        return f"It waits until {door.name}, which was stopped, has accepted the one create that is tried there first."
    if held == "slot" and until is not None:
        return f"It is next, as soon as {door.name} has a slot: {_slots(door, found.now)}."
    if held == "slot":
        return f"It is next, as soon as a video that {door.name} is making is finished: {_slots(door, found.now)}."
    if held == "budget":
        what = "it" if found.head in (None, found.ref.item) else f"{found.head}, which goes before it"
        return f"There is no money left for {what}: {_short(found, door).resume}."
    if held == "window":
        whose = "Its batch" if door.gate != "window" or door.shut else door.name
        end = lasting(until, found.now) if until is not None else "and its hours have run out"
        return f"{whose} is outside the hours in which videos may be ordered, {end}."
    if held == "archive":
        if found.archive == "unattended":
            return "Nothing is ordered while no worker archives: the one that creates does not, and no other is there."
        if found.archive == "behind":
            return (
                "Nothing is ordered until more of what is finished is archived: as fast as that went of late, the "
                "provider would delete some of it before."
            )
        return f"Nothing is ordered while the archive refuses to take videos; it is tried again {_when(until, found)}."
    return f"{door.name} takes nothing now: {_detail(found, door, view)}."


def recovering_words(view: DeploymentView, now: float) -> str:
    """Why no create starts where Redis is new or began anew, and when one may (`now`: Unix seconds)."""
    if view.needs_person:
        return (
            f"nothing is sent yet: {view.recovery_error}. On a first run, or if nothing of what waits was ordered "
            "before, let creates start"
        )
    text = "Redis began anew, so the jobs that are listed there are looked through before anything is sent again"
    if view.first_look:
        text = "this Redis knows no job there yet, so those that are listed are looked through before any is sent"
    at = view.next_look_at if view.next_look_at and view.next_look_at > now else None
    if view.recovery_error is not None:
        again = f" {when(at, now)}" if at else ""
        return f"{text}; the last look failed, and it is tried again{again}: {view.recovery_error}"
    if at:
        return (
            f"{text}; one was made of late, and another that was forgotten may not be listed yet: they are looked at "
            f"again {when(at, now)}, and if nothing more is found then, creates start"
        )
    return text


def paused_words(fields: Fields) -> str:
    """` by ada since 2026-11-21 22:00 CET (logo changes)`, as far as it is known."""
    by, at, why = fields.get("paused_by"), fields.get("paused_at"), fields.get("paused_reason")
    text = (f" by {by}" if by else "") + (f" since {local(float(at) / 1000)}" if at else "")
    return text + (f" ({why})" if why else "")


def when(at: float, now: float) -> str:
    """An instant: to the second where it is near, `in 31 s, at 22:00:31`; else `2026-11-21 22:00 CET`."""
    if at - now > NEAR_S:
        return local(at)
    return f"in {max(at - now, 0):.0f} s, at {_clock(at)}"


def lasting(at: float, now: float) -> str:
    """How long something lasts: `for another 31 s, until 22:00:31` where the end is near; else `until 2026-11-21 22:00
    CET`."""
    if at - now > NEAR_S:
        return f"until {local(at)}"
    return f"for another {max(at - now, 0):.0f} s, until {_clock(at)}"


def asked_again(at: str, *, attended: bool = True) -> str:
    """When a stopped deployment is asked whether it can be used again. `attended`: a worker may be there to ask."""
    if not attended:
        return "it is asked again when a worker runs: none does"
    return f"it is asked again {at}, by any worker that runs then"


def _clock(at: float) -> str:
    return f"{dt.datetime.fromtimestamp(at).astimezone():%H:%M:%S}"


def _when(at: float | None, found: Explanation) -> str:
    return "at a time that is not known" if at is None else when(at, found.now)


def _detail(found: Explanation, door: Door, view: DeploymentView) -> str:
    if door.gate == "none":
        return "creates may start there"
    if door.gate == "rate":
        return f"its rate allows the next create {_when(door.until, found)}"
    if door.gate == "slot":
        return "one create is tried alone there, since it was stopped" if door.trial else _slots(door, found.now)
    if door.gate == "window" and door.shut:
        return f"the batch's window opens {_when(door.opens_at, found)}" if door.opens_at else "its window has run out"
    if door.gate == "window":
        return f"its own window opens {_when(door.until, found)}"
    if door.gate == "archive" and found.archive in _SHUT:
        return _SHUT[found.archive][0]
    if door.gate == "archive":
        return f"the archive refused a video; it is tried again {_when(door.until, found)}"
    if door.gate == "cooling":
        reason = view.cool_reason or "an earlier refusal"
        end = f" {lasting(door.until, found.now)}" if door.until is not None else ""
        return f"it rests{end}: {_RESTS.get(reason, reason)}"
    if door.gate == "stopped":
        again = f"; {asked_again(_when(view.probe_at, found))}" if view.probe_at else ""
        return f"it is stopped: {view.stopped}: {view.message}{again}"
    if door.gate == "recovering":
        return recovering_words(view, found.now)
    if door.gate == "paused":
        by = f" by {view.paused_by}" if view.paused_by else ""
        why = f" ({view.paused_reason})" if view.paused_reason else ""
        end = "until it is resumed" if door.until is None else lasting(door.until, found.now)
        return f"it is paused{by}{why} {end}"
    return _short(found, door).resume


def _then(found: Explanation, door: Door) -> str:
    if door.shut:
        return f"the batch's window opens {_when(door.opens_at, found)}" if door.opens_at else "its window has run out"
    return _short(found, door).resume


def _resume(found: Explanation, door: Door, view: DeploymentView) -> str | None:
    held, until = door.held_by
    if held == "stopped":
        return f"mend {door.name}, then dailies deployments resume {door.name}"
    if held == "paused" and until is None:
        return f"dailies deployments resume {door.name}"
    if held == "recovering":
        return f"dailies deployments resume {door.name}" if view.needs_person else None
    if held == "cooling" and view.cool_reason == "quota_exhausted":
        return f"raise the quota of {door.name} at the provider, or wait"
    if held == "archive" and found.archive in _SHUT:
        return _SHUT[found.archive][1]
    if held == "archive":
        return "see to it that the archive takes videos again: space, and the permission to write"
    if held == "window" and door.shut and until is None:
        return _WINDOW_OVER
    return _short(found, door).resume if held == "budget" else None


def _short(found: Explanation, door: Door) -> Stoppage:
    short = door.short or Short("batch", -1, 0, 0, None)
    ends_at = -1 if short.ends_at is None else short.ends_at * 1000
    return short_of(found.batch, short.budget, short.price, short.spent, short.limit, ends_at, found.now)


def _slots(door: Door, now: float) -> str:
    text = f"{door.used} of {door.slots} slots are in use"
    return text if door.until is None else f"{text}, and that of a finished video is given back {when(door.until, now)}"
