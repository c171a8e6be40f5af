"""A plan, as people and scripts read it: what is new, what it costs at most, when it ends."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dailies.ordering.surveying import Surveyed
from dailies.terminal.exits import counted
from orchestrator.batches.comparison import Verdict
from orchestrator.clock import local
from orchestrator.planning import Forecast, Share
from orchestrator.video_models.prices import usd

#: Hours that are shown; `--json` has them all.
SHOWN_HOURS = 8


@dataclass(frozen=True, slots=True)
class Plan:
    """A manifest's survey, and what would come of it. `by`: an instant about which somebody asked (Unix seconds).
    `others`: batches that are being made besides, and how many of their items are still to be created. `closed`: what
    keeps deployments from creates right now, in sentences."""

    surveyed: Surveyed
    forecast: Forecast
    by: float | None
    others: Mapping[str, int]
    closed: Sequence[str] = ()

    @property
    def warnings(self) -> list[str]:
        """What may come otherwise."""
        found = [*self.surveyed.survey.notes(), *self.forecast.warnings]
        if self.others and self.surveyed.survey.renders.rows:
            names = ", ".join(f"{name} ({count:,} left)" for name, count in self.others.items())
            found.append(f"other batches are being made too, and have their share of every quota: {names}")
        return [*found, *(self.closed if self.surveyed.survey.renders.rows else ())]

    def archived_by(self, instant: float) -> int:
        """How many of the manifest's videos there are at an instant: those that are there or under way now, too."""
        return self.surveyed.survey.there + self.forecast.archived_by(instant)

    def document(self) -> dict[str, Any]:
        """As `plan --json` prints it. Instants are Unix seconds; `cost_usd` is the most that it can cost."""
        survey = self.surveyed.survey
        document: dict[str, Any] = {
            "batch": survey.batch,
            "items": survey.items,
            **{str(verdict): survey.verdicts[verdict] for verdict in Verdict},
            "removed": survey.removed,
            "renders": survey.renders.rows,
            "found": survey.found,
            "elsewhere": survey.elsewhere.rows,
            "cost_usd": usd(survey.renders.cost),
            "unpriced": survey.renders.unpriced,
            "there": survey.there,
            **self.forecast.document(),
            "warnings": self.warnings,
            "refused": survey.refusal(),
        }
        if self.by is not None:
            document["by"] = {"at": int(self.by), "archived": self.archived_by(self.by)}
        return document

    def text(self) -> str:
        """The same for people, in their own time zone."""
        survey = self.surveyed.survey
        counts = {str(verdict): survey.verdicts[verdict] for verdict in Verdict}
        counts |= {"found in the archive": survey.found, "also in another batch": survey.elsewhere.rows}
        known = ", ".join(f"{count:,} {what}" for what, count in counts.items() if count)
        lines = [f"{survey.batch}: {counted(survey.items, 'item')} ({known or 'none'})"]
        if survey.removed > 0:
            lines.append(f"  {survey.removed:,} items of the batch are not in this manifest; they stay as they are")
        if refusal := survey.refusal():
            lines.append(f"  refused until you decide: {refusal}")
        lines += [f"  {line}" for line in (*self._money(), *self._times())]
        lines += [f"  warning: {warning}" for warning in self.warnings]
        return "\n".join(lines)

    def _money(self) -> list[str]:
        renders = self.surveyed.survey.renders
        if not renders.rows:
            return ["nothing is left to render, and nothing to pay"]
        made, stop = self.forecast.shares, self.forecast.budget_stop
        videos = counted(renders.rows, "video")
        if len(made) == 1:
            videos += f" with {made[0].model} at {made[0].deployment}"
        lines = [f"renders {videos}, for {renders}"]
        if stop is not None:
            lines.append(f"but its budget reaches for {counted(stop.items, 'video')} only, and then it stops")
        if len(made) > 1:
            lines += [f"  {each.items:,} with {each.model} at {each.deployment}, for {_cost(each)}" for each in made]
        return lines

    def _times(self) -> list[str]:
        found = self.forecast
        lines = []
        if found.creates_end_at is not None and found.archived_by_at is not None:
            hours = "  ".join(f"{_clock(at)} {count:,}" for at, count in _spread(list(found.hours())))
            lines += [
                f"last create    {local(found.creates_end_at)}",
                f"last archived  {local(found.archived_by_at)}, in {_span(found.archived_by_at - time.time())}",
                *([f"archived by    {hours}"] if hours else []),
                f"most at once   {found.peak_in_flight}",
            ]
        if found.bottleneck:
            lines.append(f"held up by     {found.bottleneck}, {found.held:.0%} of the time")
        if self.by is not None:
            of = self.surveyed.survey.items
            lines.append(f"at {local(self.by)} you have {self.archived_by(self.by):,} of {of:,} videos")
        return lines


def _cost(share: Share) -> str:
    return "a price that is not known" if share.unpriced == share.items else f"${usd(share.cost):,.2f}"


def _spread(hours: Sequence[tuple[int, int]]) -> Sequence[tuple[int, int]]:
    """A few of them, evenly spread, the last one too."""
    step = -(-len(hours) // SHOWN_HOURS) or 1
    return hours[::-1][::step][::-1]


def _clock(instant: float) -> str:
    return f"{dt.datetime.fromtimestamp(instant).astimezone():%d %b %H:%M}"


def _span(seconds: float) -> str:
    """`2 days 9 h`, `9 h 12 min`, `3 min`, `40 s`."""
    days, hours, minutes = (int(max(seconds, 0) // unit) for unit in (86_400, 3600, 60))
    if days:
        return f"{days} day{'s' if days > 1 else ''} {hours % 24} h"
    if hours:
        return f"{hours} h {minutes % 60} min"
    return f"{minutes} min" if minutes else f"{max(seconds, 0):.0f} s"
