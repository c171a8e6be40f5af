"""`dailies run`: submit, work in this process until the batches are final, report. It always ends."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from redis.exceptions import RedisError
from rich.console import Console

from dailies.options import Choices
from dailies.ordering.planning import show_plans
from dailies.ordering.submitting import submit_all, survey_all
from dailies.rendering.crew import DAY_S, Interrupts, crew
from dailies.rendering.parting import tell
from dailies.rendering.probes import probe_reachable, probe_stopped
from dailies.session import Session, open_all
from dailies.terminal.asking import confirm
from dailies.terminal.exits import Exit, Unusable, say
from dailies.terminal.panel import Panel
from manifests import Manifest
from orchestrator.clock import local, rfc3339
from orchestrator.items.states import State
from orchestrator.ledger import views
from orchestrator.ledger.records import Batch
from orchestrator.ledger.replacements import SUPERSEDED, Replacements, replacements
from orchestrator.logs.redaction import redact
from orchestrator.reasons.gate_words import when
from orchestrator.reasons.stoppage import Stoppage, stoppage
from orchestrator.settings import Settings
from sandbox.config import SandboxConfig
from workers.telling.herald import webhooks
from workers.worker import Worker

LOOK_S = 0.5
#: A stoppage must hold for this many looks: a 429 or a moment between two states is none.
LOOKS_TO_STOP = 4
#: Reasons of a stoppage that mean that no deployment can be used, be it for its key or for a person's word.
NO_DEPLOYMENT = ("deployments_stopped", "deployments_paused", "no_deployment")
FORGOTTEN = (
    "Redis has lost the ledger while this ran (it was emptied, or another one answers): nothing more is sent. Give the "
    "same command again: what the archive has, and what is listed as rendering, is found and not paid again"
)


@dataclass(slots=True)
class Outcome:
    """How a run ended. `interrupted` is the signal that ended it, if one did; `replaced`: what of a batch came to
    nothing whose row was mended since."""

    batches: list[Batch] = field(default_factory=list)
    replaced: dict[str, Replacements] = field(default_factory=dict)
    stoppages: dict[str, Stoppage] = field(default_factory=dict)
    interrupted: signal.Signals | None = None

    @property
    def exit(self) -> Exit:
        """The exit code that says so."""
        if self.interrupted is not None:
            return Exit.INTERRUPTED if self.interrupted is signal.SIGINT else Exit.TERMINATED
        if any(s.reason in NO_DEPLOYMENT for s in self.stoppages.values()):
            return Exit.UNUSABLE
        counts = [self.replaced[b.name].counts(b) for b in self.batches]
        complete = all(n[State.ARCHIVED] + n.get(SUPERSEDED, 0) == n["total"] for n in counts)
        return Exit.DONE if complete and not self.stoppages else Exit.INCOMPLETE


@asynccontextmanager
async def sandboxed(settings: Settings) -> AsyncIterator[Settings]:
    """The bundled sandbox, and settings that touch nothing else. Its jobs survive a restart, so that a run that was
    interrupted goes on."""
    from sandbox.server import SandboxServer  # imported here: it brings a web server with it

    directory = settings.state_dir / "sandbox"
    directory.mkdir(parents=True, exist_ok=True)
    config = SandboxConfig(render_s=(1.0, 4.0), state=directory / "provider.sqlite")
    async with SandboxServer(config) as server:
        yield settings.for_sandbox(server.url)


async def run(
    settings: Settings, manifests: Sequence[Manifest], choices: Choices, console: Console
) -> tuple[Outcome, str]:
    """The main job; how it ended, and the archive's URL."""
    interrupts = Interrupts()
    webhooks(settings.notify)  # what cannot be told in the morning is refused in the evening
    async with open_all(settings) as session:
        await probe_reachable(session)
        await probe_stopped(session)
        surveyed = await survey_all(session, manifests, choices)
        await show_plans(session, surveyed, console)
        confirm([each.survey for each in surveyed], over_usd=settings.confirm_over_usd, yes=choices.yes)
        submitted = await submit_all(session, surveyed, choices)
        names = [s.batch for s in submitted]
        worker = crew(session, batches=names)
        interrupts.drain(worker)
        outcome = Outcome()
        working = asyncio.create_task(worker.run())
        models = {kind[0] for manifest in manifests for kind in manifest.kinds}
        asked = [d for d in settings.deployments if d.model in models]
        with Panel(asked, console) as panel:
            await _watch(session, worker, names, panel, outcome, working)
        if worker.herald is not None and interrupts.signal is None:
            await tell(session.store, worker.herald, outcome.stoppages)
        worker.stop()
        await working
        outcome.interrupted = interrupts.signal
        outcome.batches = [b for n in names if (b := await views.batch(session.store, n))]
        if len(outcome.batches) < len(names):
            raise Unusable(FORGOTTEN)
        outcome.replaced = {b.name: await replacements(session.store, b.name) for b in outcome.batches}
        if outcome.interrupted:
            await _say_what_is_at_risk(session)
        return outcome, session.archive().url


async def _watch(
    session: Session, worker: Worker, names: Sequence[str], panel: Panel, outcome: Outcome, working: asyncio.Task[None]
) -> None:
    """Until every batch is final and reported, or stopped, or the worker ended."""
    stuck: dict[str, int] = {}
    while not working.done():
        try:
            batches = [b for n in names if (b := await views.batch(session.store, n))]
            if len(batches) < len(names):
                return
            outcome.stoppages = {}
            for batch in batches:
                stopped = await stoppage(
                    session.store,
                    batch,
                    session.settings.deployments,
                    admitted=names,
                    budgets=session.settings.budgets,
                )
                stuck[batch.name] = stuck.get(batch.name, 0) + 1 if stopped else 0
                if stopped and stuck[batch.name] >= LOOKS_TO_STOP:
                    outcome.stoppages[batch.name] = stopped
            gates = await _gates(session, worker), await _archive(session)
        except (RedisError, OSError) as error:  # the worker says so, and waits
            if session.settings.redis.url is None:  # ours: it was started again, or cannot be
                raise Unusable(f"the embedded Redis cannot be used: {redact(str(error))}") from error
            await asyncio.sleep(LOOK_S)
            continue
        panel.update(batches, "; ".join(filter(None, gates)))
        if all(b.reported_at or b.name in outcome.stoppages for b in batches):
            return
        await asyncio.wait([working], timeout=LOOK_S)


async def _gates(session: Session, worker: Worker) -> str:
    """What keeps the next create of each deployment waiting, in words, with the time where it is known."""
    words = []
    for name, answer in sorted(worker.dispatcher.answers.items()):
        if answer.gate in ("none", "empty"):
            continue
        word = answer.gate
        if word in ("cooling", "stopped", "paused", "recovering"):
            view = await views.deployment(session.store, name)
            why = {
                "cooling": view.cool_reason,
                "stopped": view.message,
                "paused": view.paused_reason,
                "recovering": view.recovery_error or _look_words(view.next_look_at),
            }[word]
            word = f"{word}, {why}" if why else word
        seconds = answer.ask_again_in_s or 0
        again = f" (again in {seconds / 60:.0f} min)" if seconds >= 60 else ""
        if word == "window" and answer.ask_again_in_s is not None:
            opens_at = 60 * round((time.time() + seconds) / 60)  # windows open at whole minutes
            word, again = f"outside the window, until {local(opens_at)}", ""
        words.append(f"{name}: {word}{again}")
    return "; ".join(words)


def _look_words(at: float | None) -> str:
    """When the jobs that are listed there are looked at again."""
    now = time.time()
    return f"its jobs are looked at again {when(at, now)}" if at and at > now else "its jobs are looked at first"


async def _archive(session: Session) -> str:
    """What keeps finished videos from being archived, in words."""
    refuses = await views.archive_refuses_until(session.store, time.time())
    return "the archive refuses videos: dailies doctor says what to mend" if refuses else ""


async def _say_what_is_at_risk(session: Session) -> None:
    """Promise 30: what still renders or waits to be archived, and by when to run again before it is lost."""
    at_risk, earliest = 0, None
    for batch in await views.batches(session.store):
        if not batch.moving(State.CREATING, State.RENDERING, State.ARCHIVING):
            continue
        async for item in views.items(session.store, batch.name, {State.CREATING, State.RENDERING, State.ARCHIVING}):
            if item.attempt is None or item.attempt.intent_at is None:
                continue
            line = session.lines.get(item.attempt.deployment)
            retention = line.deployment.retention_s if line else DAY_S
            expires = item.expires_at or item.attempt.intent_at + retention
            at_risk, earliest = at_risk + 1, min(expires, earliest or expires)
    if at_risk:
        say(
            f"{at_risk} video(s) are still rendering or not archived: run again before {rfc3339(earliest)}, "
            "after which the provider deletes the first of them"
        )
    else:
        say("nothing is rendering; the same command goes on where it was")
