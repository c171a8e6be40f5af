"""`dailies run`: submit, work in this process until the batches are final, report. It always ends."""

from __future__ import annotations

import asyncio
import datetime as dt
import signal
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from pathlib import Path

from redis.exceptions import RedisError
from rich.console import Console

from dailies.exits import Exit, UsageError, say
from dailies.panel import Panel
from dailies.session import Session, open_all, probe_stopped
from manifests import Manifest, ManifestError, load
from orchestrator import views
from orchestrator.clock import rfc3339
from orchestrator.records import Batch
from orchestrator.settings import Settings
from orchestrator.states import BatchState, State
from orchestrator.submission import Submission, Submitted, batch_name
from orchestrator.views import Stoppage
from sandbox.config import SandboxConfig
from sandbox.server import SandboxServer
from workers.inputs import stored
from workers.worker import Worker

LOOK_S = 0.5
#: A stoppage must hold for this many looks: a 429 or a moment between two states is none.
LOOKS_TO_STOP = 4


@dataclass(slots=True)
class Outcome:
    """How a run ended. `interrupted` is the signal that ended it, if one did."""

    batches: list[Batch] = field(default_factory=list)
    stoppages: dict[str, Stoppage] = field(default_factory=dict)
    interrupted: signal.Signals | None = None

    @property
    def exit(self) -> Exit:
        """The exit code that says so."""
        if self.interrupted is not None:
            return Exit.INTERRUPTED if self.interrupted is signal.SIGINT else Exit.TERMINATED
        if any(s.reason in ("deployments_stopped", "no_deployment") for s in self.stoppages.values()):
            return Exit.UNUSABLE
        complete = all(b.counts[State.ARCHIVED] == b.total for b in self.batches)
        return Exit.DONE if complete and not self.stoppages else Exit.INCOMPLETE


def load_all(paths: Sequence[Path], settings: Settings) -> list[Manifest]:
    """Every manifest, or every problem of all of them. Two of one name are refused."""
    manifests, problems, found = [], [], 0
    for path in paths:
        try:
            manifests.append(load(path, models=settings.model_rules() or None))
        except ManifestError as error:
            problems += error.problems
            found += error.problem_count
    if problems:
        raise ManifestError(problems, found)
    names = [m.name for m in manifests]
    if twice := {name for name in names if names.count(name) > 1}:
        raise UsageError(f"two manifests are named {sorted(twice)[0]}: give one of them another name")
    return manifests


@asynccontextmanager
async def sandboxed(settings: Settings) -> AsyncIterator[Settings]:
    """The bundled sandbox, and settings that touch nothing else. Its jobs survive a restart, so that a run that was
    interrupted goes on."""
    directory = settings.state_dir / "sandbox"
    directory.mkdir(parents=True, exist_ok=True)
    config = SandboxConfig(render_s=(1.0, 4.0), state=directory / "provider.sqlite")
    async with SandboxServer(config) as server:
        yield settings.for_sandbox(server.url)


async def submit_all(session: Session, manifests: Sequence[Manifest], *, new: bool) -> list[Submitted]:
    """Queue every manifest; what became of its rows, said and returned."""
    done = []
    for manifest in manifests:
        name = await _name(session, manifest.name, new=new)
        submission = Submission(
            session.store,
            name,
            deployments=session.settings.deployments,
            progress=partial(_rows_in, name),
        )
        result = await submission.submit(
            stored(manifest.items(), session.archive(), name),
            columns=manifest.columns,
            budget_usd=manifest.budget_usd,
            template=manifest.name,
        )
        say(f"{name}: {result.new} new, {result.changed} changed, {result.unchanged + result.updated} unchanged")
        done.append(result)
    return done


def _rows_in(name: str, rows: int) -> None:
    if rows and not rows % 5000:
        say(f"{name}: {rows} rows in")


async def _name(session: Session, template: str, *, new: bool) -> str:
    """A name with {date} or {time} is fixed at the first submit: while that batch is unsettled it goes on."""
    name = batch_name(template, dt.datetime.now().astimezone())
    if name == template:
        return name
    known = {b.name: b for b in await views.batches(session.store)}
    if new:
        numbered = (name if n == 1 else f"{name}-{n}" for n in count(1))
        return next(free for free in numbered if free not in known)
    going_on = [b for b in known.values() if b.fields.get("template") == template and b.state is not BatchState.FINAL]
    return going_on[-1].name if going_on else name


async def run(
    settings: Settings, paths: Sequence[Path], *, sandbox: bool, new: bool, console: Console
) -> tuple[Outcome, str]:
    """The main job; how it ended, and the archive's URL."""
    async with AsyncExitStack() as stack:
        if sandbox:
            settings = await stack.enter_async_context(sandboxed(settings))
        manifests = load_all(paths, settings)
        if not settings.deployments:
            raise UsageError(
                "no deployment is configured: write dailies.yaml, set AZURE_OPENAI_ENDPOINT, or try --sandbox"
            )
        session = await stack.enter_async_context(open_all(settings))
        submitted = await submit_all(session, manifests, new=new)
        await probe_stopped(session)
        names = [s.batch for s in submitted]
        worker = Worker(
            session.store,
            session.lines,
            session.archive(),
            claim_s=settings.claim_s,
            batches=names,
            replicas=session.replicas,
            delete_remote=settings.archive.delete_remote,
        )
        stopped = stop_on_signals(worker)
        outcome = Outcome()
        working = asyncio.create_task(worker.run())
        with Panel(settings.deployments, console) as panel:
            await _watch(session, worker, names, panel, outcome, working)
        worker.stop()
        await working
        outcome.interrupted = stopped.get("signal")
        outcome.batches = [b for n in names if (b := await views.batch(session.store, n))]
        if outcome.interrupted:
            await _say_what_is_at_risk(session)
        return outcome, session.archive().url


def stop_on_signals(worker: Worker) -> Mapping[str, signal.Signals]:
    """SIGINT and SIGTERM drain the worker; a second one ends the process at once. Says which came."""
    came: dict[str, signal.Signals] = {}
    loop = asyncio.get_running_loop()

    def stop(number: signal.Signals) -> None:
        if came:
            loop.remove_signal_handler(number)
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)
        came["signal"] = number
        say("stopping: creates under way are finished first; press again to stop at once")
        worker.stop()

    for number in (signal.SIGINT, signal.SIGTERM):
        with suppress(NotImplementedError):
            loop.add_signal_handler(number, stop, number)
    return came


async def _watch(
    session: Session, worker: Worker, names: Sequence[str], panel: Panel, outcome: Outcome, working: asyncio.Task[None]
) -> None:
    """Until every batch is final and reported, or stopped, or the worker ended."""
    stuck: dict[str, int] = {}
    while not working.done():
        try:
            batches = [b for n in names if (b := await views.batch(session.store, n))]
            outcome.stoppages = {}
            for batch in batches:
                stoppage = await views.stoppage(session.store, batch, session.settings.deployments)
                stuck[batch.name] = stuck.get(batch.name, 0) + 1 if stoppage else 0
                if stoppage and stuck[batch.name] >= LOOKS_TO_STOP:
                    outcome.stoppages[batch.name] = stoppage
        except (RedisError, OSError):  # the worker says so, and waits
            await asyncio.sleep(LOOK_S)
            continue
        gates = {a.gate for a in worker.dispatcher.answers.values()} - {"none", "empty"}
        panel.update(batches, ", ".join(sorted(gates)))
        if all(b.reported or b.name in outcome.stoppages for b in batches):
            return
        await asyncio.wait([working], timeout=LOOK_S)


async def _say_what_is_at_risk(session: Session) -> None:
    """Promise 30: what still renders or waits to be archived, and by when to run again before it is lost."""
    at_risk, earliest = 0, None
    for batch in await views.batches(session.store):
        if not batch.moving(State.CREATING, State.RENDERING, State.ARCHIVING):
            continue
        async for item in views.items(session.store, batch.name, {State.CREATING, State.RENDERING, State.ARCHIVING}):
            if item.attempt is None or item.attempt.intent_at is None:
                continue
            retention = session.lines[item.attempt.deployment].deployment.retention_s
            expires = item.expires_at or item.attempt.intent_at + retention
            at_risk, earliest = at_risk + 1, min(expires, earliest or expires)
    if at_risk:
        say(f"{at_risk} video(s) are still rendering or not archived: run again before {rfc3339(earliest)}, "
            "after which the provider deletes the first of them")
    else:
        say("nothing is rendering; the same command goes on where it was")
