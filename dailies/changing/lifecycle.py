"""`pause`, `resume`, `cancel`: what came of them, in numbers, for people and for scripts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from dailies.reading.documents import batch_document
from dailies.session import archive_url, open_store
from dailies.terminal.asking import agree
from dailies.terminal.exits import UsageError, counted
from dailies.terminal.person import who
from orchestrator.batches.lifecycle import Action, Chosen, Done, Word, ask
from orchestrator.items.states import BatchState, State
from orchestrator.ledger import views
from orchestrator.ledger.records import Batch
from orchestrator.ledger.replacements import replacements
from orchestrator.ledger.requests import pause_of
from orchestrator.reasons.stoppage import stoppage
from orchestrator.settings import Settings

_DONE = {Action.PAUSE: "paused", Action.RESUME: "resumed", Action.CANCEL: "cancelled"}


@dataclass(frozen=True, slots=True)
class Asked:
    """What a person asked: of the whole batch where nothing is chosen. `yes`: do not ask back."""

    action: Action
    chosen: Chosen
    reason: str = ""
    discard: bool = False
    yes: bool = False


async def carry_out(settings: Settings, name: str, asked: Asked) -> tuple[dict[str, Any], str]:
    """Do it; the batch's document, as `status` prints it, with what came of it; and the same in a sentence.

    Raises UsageError where there is no such batch, nothing was chosen, or the person took it back.
    """
    async with open_store(settings) as session:
        batch = await views.batch(session.store, name)
        if batch is not None and asked.action is Action.CANCEL and not asked.chosen:
            _ask_back(batch, asked)
        word = Word(who(), " ".join(asked.reason.split()), asked.discard)
        done = await ask(session.store, name, asked.action, word, asked.chosen)
        batch = await views.batch(session.store, name)
        if done is None or batch is None:
            raise UsageError(f"there is no batch {name}: dailies status lists them (--sandbox: those of the sandbox)")
        if asked.chosen and not done.swept.chosen:
            raise UsageError(f"nothing was chosen: {_unchosen(name, asked.chosen)}")
        stopped = await stoppage(session.store, batch, settings.deployments, budgets=settings.budgets)
        replaced = await replacements(session.store, name)
        document = batch_document(batch, replaced, stopped, archive_url(settings)) | {
            "asked": _document(asked, done, word)
        }
        return document, sentence(batch, asked, done)


def sentence(batch: Batch, asked: Asked, done: Done) -> str:
    """What came of it, in numbers. `batch` as it is now."""
    if done.whole and (nothing := _nothing_to_do(batch, asked.action, done)):
        return nothing
    swept, verb = done.swept, _DONE[asked.action]
    parts = [f"{verb} {batch.name}: " if done.whole else f"{verb} "]
    parts[0] += counted(swept.done, "item") if swept.done else "nothing"
    if done.whole and asked.action is not Action.CANCEL:
        parts[0] += " waits" if swept.done < 2 else " wait"
    if swept.going_on and asked.action is not Action.RESUME:
        parts.append(_going_on(swept.going_on, asked))
    if swept.already:
        were = "not paused" if asked.action is Action.RESUME else f"{verb} already"
        parts.append(f"{swept.already:,} {_were(swept.already)} {were}")
    if swept.cancelling:
        parts.append(f"{swept.cancelling:,} {_were(swept.cancelling)} cancelled, and go on only to their end")
    if swept.ended:
        parts.append(f"{swept.ended:,} had ended")
    if swept.failed:
        parts.append(f"{counted(swept.failed, 'item')} that {_were(swept.failed)} to be made from them failed")
    return "; ".join([*parts, *_still_paused(batch, asked.action, done)])


def _nothing_to_do(batch: Batch, action: Action, done: Done) -> str | None:
    """Why a whole batch was left as it is."""
    if done.state is BatchState.FINAL:
        return f"{batch.name} is final: nothing of it is sent any more, so there is nothing to {action}"
    if done.cancelling:
        return f"{batch.name} is cancelled: nothing of it is sent any more, so there is nothing to {action}"
    if action is Action.PAUSE and done.already:
        return f"{batch.name} was paused already, {pause_of(batch.fields)}: dailies resume {batch.name}"
    if action is Action.RESUME and done.already:
        return "; ".join([f"{batch.name} is not paused", *_still_paused(batch, action, done)])
    return None


def _still_paused(batch: Batch, action: Action, done: Done) -> list[str]:
    """After a resume: what another one is needed for."""
    if action is not Action.RESUME:
        return []
    own = int(batch.fields.get("paused_items") or 0)
    if done.whole and own:
        stay = "stays" if own == 1 else "stay"
        return [f"{counted(own, 'item')} of it {stay} paused: dailies resume {batch.name} --state waiting"]
    if not done.whole and pause_of(batch.fields):
        return [f"the batch itself is paused, {pause_of(batch.fields)}: dailies resume {batch.name}"]
    return []


def _going_on(number: int, asked: Asked) -> str:
    """What becomes of items that were sent."""
    be, go = ("is", "goes") if number == 1 else ("are", "go")
    told = f"{number:,} that {_were(number)} sent {go} on"
    if asked.action is not Action.CANCEL:
        return told
    return f"{told}, {be} paid for, and {be} {'not ' if asked.discard else ''}archived"


def _were(number: int) -> str:
    return "was" if number == 1 else "were"


def _unchosen(name: str, chosen: Chosen) -> str:
    keys = f"has a key like {' or '.join(chosen.keys)}" if chosen.keys else ""
    states = f"is {' or '.join(chosen.states)}" if chosen.states else ""
    return f"no item of {name} {' and '.join(p for p in (keys, states) if p)}; dailies status {name} --items lists them"


def _document(asked: Asked, done: Done, word: Word) -> dict[str, Any]:
    names = ("chosen", "done", "going_on", "already", "cancelling", "ended", "failed")
    return {
        "action": str(asked.action),
        "whole": done.whole,
        "by": word.by,
        "reason": word.reason or None,
        "discard": asked.discard,
        "items": {name: getattr(done.swept, name) for name in names},
        "unmatched": list(done.unmatched),
    }


def _ask_back(batch: Batch, asked: Asked) -> None:
    """A batch that is cancelled does not come back by itself."""
    unsent = batch.moving(State.WAITING, State.ADMITTED)
    sent = batch.moving(State.CREATING, State.RENDERING, State.ARCHIVING)
    if unsent or sent:
        goes_on = f"; {_going_on(sent, asked)}" if sent else ""
        agree(
            f"Cancel {counted(unsent, 'item')} of {batch.name}{goes_on}?",
            nobody="nobody can be asked whether to cancel it, since standard input is no terminal: say --yes to go on",
            no="nothing was cancelled",
            yes=asked.yes,
        )
