"""Deployments as people read them: a table with units, and below it what else there is to say."""

from __future__ import annotations

import time
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from dailies.providers.deployments import reason
from dailies.terminal.exits import counted
from dailies.terminal.printing import tell
from orchestrator.clock import local
from orchestrator.deployments import Standing
from orchestrator.logs.harmless import harmless
from orchestrator.reasons.gate_words import asked_again, recovering_words
from orchestrator.settings import Quota

#: What keeps creates back, in words.
WORDS = {
    "window": "outside its hours",
    "trying": "one create is tried",
    "recovering": "its jobs are looked at first",
    "removed": "not configured",
}


def print_table(found: Sequence[Standing], console: Console) -> None:
    """All of them, aligned, with what there is to say of each below."""
    if not found:
        tell("no deployment is configured: write dailies.yaml, or set AZURE_OPENAI_ENDPOINT")
        return
    names = ("name", "model", "quota", "learned", "tokens", "slots", "state")
    table = Table(*names, box=None, pad_edge=False)
    for its in found:
        table.add_row(*(Text(cell) for cell in _row(its)))
    console.print(table)
    for its in found:
        for note in notes(its):
            console.print(harmless(f"{its.name}: {note}"), markup=False, highlight=False, soft_wrap=True)


def _row(its: Standing) -> tuple[str, ...]:
    deployment = its.deployment
    learned = [
        "" if its.learned_per_minute is None else f"{its.learned_per_minute:.3g} a minute",
        "" if its.learned_slots is None else f"{its.learned_slots} at once",
    ]
    return (
        its.name,
        deployment.model if deployment else "",
        quota_text(deployment.quota) if deployment else "",
        ", ".join(text for text in learned if text) or "nothing",
        "no limit" if its.tokens is None else f"{its.tokens:g} of {deployment.quota.burst if deployment else 0}",
        _slots(its),
        WORDS.get(its.state, its.state),
    )


def _slots(its: Standing) -> str:
    shared_as = its.deployment.quota.shared_as if its.deployment else ""
    if shared_as:
        most = "no limit" if its.slots is None else str(its.slots)
        return f"{its.slots_used} ({its.quota_slots_used} of {most} in {shared_as})"
    return f"{its.slots_used}, no limit" if its.slots is None else f"{its.slots_used} of {its.slots}"


def paused_text(its: Standing, among: Sequence[Standing]) -> str:
    """What a pause means, for whoever asked for it."""
    lines = [f"{its.name} is paused {_until(its.view.paused_until)}: no create starts there"]
    if its.left:
        lines.append(f"  {_left(its)}: that goes on")
    model = its.deployment.model if its.deployment else None
    others = [o for o in among if model and o.deployment and o.deployment.model == model and o.name != its.name]
    if takers := [o.name for o in others if o.state in ("open", "trying")]:
        lines.append(f"  items that wait for {model} go to {', '.join(takers)}")
    elif model:
        lines.append(f"  no other deployment of {model} is open: its items wait")
    lines += [f"  {o.name} takes none now: {notes(o)[0]}" for o in others if o.name not in takers]
    if its.pinned:
        lines.append(f"  {counted(its.pinned, 'item')} that may be made nowhere else wait")
    return "\n".join([*lines, f"  dailies deployments resume {its.name} ends the pause"])


def resumed_text(its: Standing) -> str:
    """What came of a resume."""
    if its.state == "open":
        return f"{its.name} is open: creates start there again"
    return f"{its.name}: {WORDS.get(its.state, its.state)} ({reason(its)})"


def quota_text(quota: Quota) -> str:
    """`2 a minute, burst 1, 2 at once`."""
    rate = "no rate limit" if quota.per_minute is None else f"{quota.per_minute} a minute, burst {quota.burst}"
    at_once = "any number at once" if quota.concurrent is None else f"{quota.concurrent} at once"
    if quota.auto:
        at_once = "as many at once as prove to be allowed"
    reserved = ((quota.reserve.per_minute, "a minute"), (quota.reserve.concurrent, "at once"))
    left = [f"{number} {what}" for number, what in reserved if number]
    text = f"{rate}, {at_once}" + (f" ({' and '.join(left)} left to others)" if left else "")
    return f"{quota.shared_as}: {text}" if quota.shared_as else text


def notes(its: Standing) -> list[str]:
    """What the table has no room for: why nothing starts there, since when, until when, and what to do."""
    view, found = its.view, []
    if its.paused:
        by = f" by {view.paused_by}" if view.paused_by else ""
        why = f": {view.paused_reason}" if view.paused_reason else ""
        found.append(f"paused{by} {_since(view.paused_at)}, {_until(view.paused_until)}{why}")
        if its.deployment is not None and not its.drained:
            found.append(f"not drained: {_left(its)}")
    if view.stopped:
        at = its.next_probe_at
        again = f"; {asked_again(f'at {_time(at)}', attended=its.attended)}" if at else ""
        found.append(f"stopped {_since(view.stopped_at)}: {view.stopped}: {view.message}{again}")
        if view.probe_error:
            found.append(f"asked {counted(view.probes, 'time')} in vain, last: {view.probe_error}")
    if view.recovering:
        found.append(recovering_words(view, time.time()))
    if view.strays and its.deployment is not None and not its.deployment.shared:
        found.append(
            f"{counted(view.strays, 'job')} listed there when Redis began anew {'was' if view.strays == 1 else 'were'} "
            "nobody's here: dailies reconcile --audit. If others create there, write shared: true"
        )
    if view.stopped or its.paused or view.needs_person:
        found.append(f"dailies deployments resume {its.name} lets creates start there at once")
    if its.cooling:
        found.append(f"cooling until {_time(view.cool_until)}: {view.cool_reason}")
    if not its.window_open:
        found.append(f"outside its hours until {_time(its.window_changes_at)}")
    if its.state == "trying":
        found.append("one create at a time is tried, until one is accepted")
    if its.deployment is None:
        found.append(f"not in the configuration any more, but {_left(its)}: put it back")
    elif its.drained:
        wait = f"; {counted(its.pinned, 'item')} may be made nowhere else, and would wait" if its.pinned else ""
        found.append(f"drained: it can be taken out of the configuration{wait}")
    return found


def _left(its: Standing) -> str:
    words = [
        f"{counted(its.slots_used, 'job')} in flight" if its.slots_used else "",
        f"{counted(its.to_fetch, 'video')} to fetch" if its.to_fetch else "",
        f"{counted(its.pinned, 'item')} waiting for it alone" if its.pinned else "",
    ]
    return ", ".join(word for word in words if word)


def _time(at: float | None) -> str:
    return "a time not known" if at is None else local(at)


def _since(at: float | None) -> str:
    return f"since {_time(at)}"


def _until(at: float | None) -> str:
    return "until it is resumed" if at is None else f"until {local(at)}"
