"""The tables and the goals."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from bench.admission.figures import Figures
from bench.admission.race import Entrant
from bench.admission.scenarios import Scenario

LATE_REFUSALS, POLLS, LAG = 0.02, 4.0, 0.05
HEAD = ("", "makespan/bound", "429s/video", "late 429s", "polls/video", "median lag", "worst lag", "")


def row(title: str, found: Figures) -> tuple[str, ...]:
    """One entrant's line."""
    notes = []
    if found.archived < found.videos:
        notes.append(f"gave up: {found.archived} of {found.videos} archived")
    if found.extra:
        notes.append(f"{found.extra} paid twice")
    return (
        title,
        "-" if math.isinf(found.ratio) else f"{found.ratio:.3f}",
        f"{found.refused:.3f}",
        f"{found.refused_late:.3f}",
        f"{found.polls:.2f}",
        f"{100 * found.lag:.1f} %",
        f"{100 * found.worst_lag:.1f} %",
        "; ".join(notes),
    )


def table(rows: Sequence[Sequence[str]]) -> list[str]:
    """Aligned lines: the first and the last column to the left, all others to the right."""
    widths = [max(len(each[column]) for each in rows) for column in range(len(rows[0]))]
    lines = []
    for each in rows:
        middle = [cell.rjust(width) for cell, width in zip(each[1:-1], widths[1:-1], strict=True)]
        lines.append("  ".join(["", each[0].ljust(widths[0]), *middle, each[-1]]).rstrip())
    return lines


def goals(scenario: Scenario, ours: Figures, peers: Mapping[str, Figures]) -> list[tuple[str, bool]]:
    """Each goal in words, and whether it is met."""
    found = []
    if scenario.makespan is not None:
        text = f"makespan at most {scenario.makespan} × bound: {ours.ratio:.3f}"
        found.append((text, ours.ratio <= scenario.makespan))
    if scenario.refusals == "none":
        found.append((f"not one 429: {ours.refused * ours.videos:.0f}", ours.refused == 0))
    else:
        text = f"429s under {LATE_REFUSALS:.0%} once it has learned: {ours.refused_late:.1%}"
        found.append((text, ours.refused_late < LATE_REFUSALS))
    lag = f"at most {POLLS:.0f} polls a video and a median lag of {LAG:.0%}: {ours.polls:.2f} and {ours.lag:.1%}"
    found.append((lag, ours.polls <= POLLS and ours.lag <= LAG))
    for what, name in (("makespan", "ratio"), ("429s", "refused"), ("polls", "polls"), ("median lag", "lag")):
        better = [peer for peer, theirs in peers.items() if getattr(theirs, name) < getattr(ours, name)]
        if peers:
            text = f"no peer ahead in {what}" + (f": {', '.join(better)}" if better else "")
            found.append((text, not better))
    return found


def show(scenario: Scenario, results: Mapping[Entrant, Figures]) -> tuple[int, int]:
    """Print a scenario; how many goals are met, of how many."""
    print("\n".join(table([HEAD, *(row(entrant.title, found) for entrant, found in results.items())])))
    ours = [found for entrant, found in results.items() if entrant.product]
    if not ours:
        return 0, 0
    peers = {entrant.name: found for entrant, found in results.items() if not entrant.product}
    checked = goals(scenario, ours[0], peers)
    for text, met in checked:
        print(f"    {'pass' if met else 'FALLS SHORT':11}  {text}")
    return sum(met for _, met in checked), len(checked)
