"""`dailies plan`: what a run would do, for people and for scripts; and the same before `run` and `submit` ask."""

from __future__ import annotations

import os
import time
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

from rich.console import Console

from dailies.options import Choices
from dailies.ordering.plan import Plan
from dailies.ordering.submitting import batch_of
from dailies.ordering.surveying import Surveyed, survey
from dailies.session import Session, open_store
from dailies.terminal.asking import on_terminal
from dailies.terminal.exits import UsageError, say
from dailies.terminal.instants import time_of_day
from manifests import Manifest
from orchestrator.admission.timings import timings
from orchestrator.clock import local
from orchestrator.deployments import Standing, standings
from orchestrator.items.states import BatchState, State
from orchestrator.ledger import views
from orchestrator.ledger.store import Store
from orchestrator.planning import Learned, forecast
from orchestrator.settings import Settings
from workers.rendering.inputs import image_hashes
from workers.sinks import open_sink

#: After so many videos, the simulation tells how far it is.
SAY_EVERY = 100_000


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
            hashes = await image_hashes(manifest.images, allow=settings.inputs.allow)
            surveyed.append(await survey(settings, store, sink, manifest, name, hashes, choices, earlier))
        return await _plans(settings, store, surveyed, at)


async def show_plans(session: Session, surveyed: Sequence[Surveyed], console: Console) -> None:
    """On a terminal: what is about to be done, before it is."""
    if not on_terminal():
        return
    for each in await _plans(session.settings, session.store, surveyed, None):
        console.print(each.text(), highlight=False, markup=False, soft_wrap=True)


async def _plans(settings: Settings, store: Store | None, surveyed: Sequence[Surveyed], by: float | None) -> list[Plan]:
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

    now = time.time()
    spent = {} if store is None else await views.spent(store, settings.budgets, now)
    standing = [] if store is None else await standings(store, settings.deployments)
    found = forecast(
        works,
        settings.deployments,
        seen,
        now=now,
        budgets=settings.budgets,
        spent=spent,
        learned={each.name: Learned(each.learned_slots, each.learned_per_minute) for each in standing},
        progress=tell,
    )
    others = {} if store is None else await _others(store, {work.batch for work in works})
    closed = [sentence for each in standing if (sentence := _closed(each))]
    return [Plan(each, its, by, others, closed) for each, its in zip(surveyed, found, strict=True)]


def _closed(standing: Standing) -> str:
    """Why no create starts at a deployment right now, where that is not what a plan reckons with."""
    name, view = standing.name, standing.view
    resume = f"dailies deployments resume {name}"
    if standing.state == "paused":
        until = f"until {local(view.paused_until)}" if view.paused_until else f"until {resume}"
        return f"{name} is paused {until}: the times here are as if it were not"
    if standing.state == "stopped":
        return f"{name} is stopped ({view.stopped}: {view.message}): the times here are as if it were mended ({resume})"
    return ""


async def _others(store: Store, names: Collection[str]) -> dict[str, int]:
    left = {b.name: b.counts[State.WAITING] for b in await views.batches(store) if b.state is BatchState.RUNNING}
    return {name: count for name, count in left.items() if count and name not in names}


def instant_of(clock: str, now: float) -> float:
    """The next time that a clock here shows `08:00`, in Unix seconds. Raises UsageError."""
    at = time_of_day(clock, now)
    if at is None:
        raise UsageError(f"--by {clock} is no time of day: write hours and minutes, like 08:00")
    return at


@asynccontextmanager
async def _ledger(settings: Settings) -> AsyncIterator[Store | None]:
    """The ledger to read from; None where there never was one, since planning makes none."""
    if settings.redis.url is None and not (settings.state_dir.expanduser() / "redis").is_dir():
        yield None
        return
    async with open_store(settings) as session:
        yield session.store
