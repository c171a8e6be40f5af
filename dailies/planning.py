"""`dailies plan`: what a run would do, for people and for scripts; and the same before `run` and `submit` ask."""

from __future__ import annotations

import datetime as dt
import os
import re
import time
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

from rich.console import Console

from dailies.asking import on_terminal
from dailies.exits import UsageError, say
from dailies.options import Choices
from dailies.session import Session, open_store
from dailies.submitting import batch_of
from dailies.surveying import Surveyed, survey
from manifests import Manifest
from orchestrator import views
from orchestrator.clock import local
from orchestrator.comparison import Verdict
from orchestrator.planning import Forecast, forecast
from orchestrator.prices import usd
from orchestrator.settings import Settings
from orchestrator.states import BatchState, State
from orchestrator.store import Store
from orchestrator.timings import timings
from workers.inputs import image_hashes
from workers.sinks import open_sink

#: Hours that are shown; `--json` has them all.
SHOWN_HOURS = 8
#: After so many videos, the simulation tells how far it is.
SAY_EVERY = 100_000
_CLOCK = re.compile(r"([01]?[0-9]|2[0-3]):([0-5][0-9])")


@dataclass(frozen=True, slots=True)
class Plan:
    """A manifest's survey, and what would come of it. `by`: an instant about which somebody asked (Unix seconds).
    `others`: batches that are being made besides, and how many of their items are still to be created."""

    surveyed: Surveyed
    forecast: Forecast
    by: float | None
    others: Mapping[str, int]

    @property
    def warnings(self) -> list[str]:
        """What may come otherwise."""
        found = list(self.forecast.warnings)
        if self.others and self.surveyed.survey.renders.rows:
            names = ", ".join(f"{name} ({count:,} left)" for name, count in self.others.items())
            found.append(f"other batches are being made too, and have their share of every quota: {names}")
        return found

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
        lines = [f"{survey.batch}: {survey.items:,} items ({known or 'none'})"]
        if survey.removed > 0:
            lines.append(f"  {survey.removed:,} items of the batch are not in this manifest; they stay as they are")
        lines += [f"  {line}" for line in (*self._money(), *self._times())]
        lines += [f"  warning: {warning}" for warning in self.warnings]
        if refusal := survey.refusal():
            lines.append(f"  before that: {refusal}")
        return "\n".join(lines)

    def _money(self) -> list[str]:
        renders = self.surveyed.survey.renders
        if not renders.rows:
            return ["nothing is left to render, and nothing to pay"]
        made = self.forecast.shares
        if len(made) == 1:
            return [f"renders {renders.rows:,} videos with {made[0].model} at {made[0].deployment}, for {renders}"]
        return [f"renders {renders.rows:,} videos, for {renders}"] + [
            f"  {each.items:,} with {each.model} at {each.deployment}, for ${usd(each.cost):,.2f}" for each in made
        ]

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


async def plan(settings: Settings, manifests: Sequence[Manifest], choices: Choices, *, by: str) -> list[Plan]:
    """Every manifest's plan. Reads the ledger, the archive and the images; changes nothing anywhere.

    Raises UsageError for a time that is none, and what reading the ledger or an image raises.
    """
    at = instant_of(by, time.time()) if by else None
    earlier: dict[str, str] | None = {} if len(manifests) > 1 else None
    surveyed: list[Surveyed] = []
    async with _ledger(settings) as store, AsyncExitStack() as stack:
        sink = await stack.enter_async_context(open_sink(settings.archive, os.environ))
        for manifest in manifests:
            name = await batch_of(store, manifest.name, new=choices.new)
            hashes = await image_hashes(manifest.images)
            surveyed.append(await survey(settings, store, sink, manifest, name, hashes, choices, earlier))
        return await _plans(settings, store, surveyed, at)


async def show_plans(session: Session, surveyed: Sequence[Surveyed], console: Console) -> None:
    """On a terminal: what is about to be done, before it is."""
    if not on_terminal():
        return
    for each in await _plans(session.settings, session.store, surveyed, None):
        console.print(each.text(), highlight=False, markup=False, soft_wrap=True)


async def _plans(
    settings: Settings, store: Store | None, surveyed: Sequence[Surveyed], by: float | None
) -> list[Plan]:
    """All manifests of a command together: they share the quotas."""
    works = [each.workload for each in surveyed]
    kinds = {kind for work in works for kind in work.kinds}
    seen = await timings(store, settings.deployments, kinds)
    told = 0

    def tell(done: int, of: int) -> None:
        nonlocal told
        if done - told >= SAY_EVERY and done < of:
            told = done
            say(f"planned {done:,} of {of:,} videos")

    found = forecast(works, settings.deployments, seen, now=time.time(), budgets=settings.budgets, progress=tell)
    others = {} if store is None else await _others(store, {work.batch for work in works})
    return [Plan(each, its, by, others) for each, its in zip(surveyed, found, strict=True)]


async def _others(store: Store, names: Collection[str]) -> dict[str, int]:
    left = {b.name: b.counts[State.WAITING] for b in await views.batches(store) if b.state is BatchState.RUNNING}
    return {name: count for name, count in left.items() if count and name not in names}


def instant_of(clock: str, now: float) -> float:
    """The next time that a clock here shows `08:00`, in Unix seconds. Raises UsageError."""
    found = _CLOCK.fullmatch(clock.strip())
    if found is None:
        raise UsageError(f"--by {clock} is no time of day: write hours and minutes, like 08:00")
    today = dt.datetime.fromtimestamp(now).astimezone()
    at = today.replace(hour=int(found[1]), minute=int(found[2]), second=0, microsecond=0, tzinfo=None)
    at = at if at.timestamp() > now else at + dt.timedelta(days=1)
    return at.timestamp()


@asynccontextmanager
async def _ledger(settings: Settings) -> AsyncIterator[Store | None]:
    """The ledger to read from; None where there never was one, since planning makes none."""
    if settings.redis.url is None and not (settings.state_dir.expanduser() / "redis").is_dir():
        yield None
        return
    async with open_store(settings) as session:
        yield session.store


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
