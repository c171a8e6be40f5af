"""`retry`: what it may cost is told and asked first; then what came of it, in numbers, for people and for scripts."""

from __future__ import annotations

import sys
from typing import Any

from dailies.reading.documents import batch_document
from dailies.session import archive_url, open_store
from dailies.terminal.asking import agree, on_terminal
from dailies.terminal.exits import UsageError, counted
from dailies.terminal.person import who
from orchestrator.batches.lifecycle import Word
from orchestrator.batches.retrying import ENDED, Revived, Wish, retry, survey
from orchestrator.batches.survey import Bill
from orchestrator.items.failures import TABLE
from orchestrator.items.states import State
from orchestrator.ledger import views
from orchestrator.ledger.records import Batch
from orchestrator.ledger.replacements import replacements
from orchestrator.ledger.requests import pause_of
from orchestrator.reasons.stoppage import stoppage
from orchestrator.settings import Settings
from orchestrator.video_models.prices import MICRO, usd

_NUMBERS = (
    "chosen",
    "done",
    "brought_back",
    "sourceless",
    "held",
    "superseded",
    "going_on",
    "ended",
    "again",
    "unpriced",
)


async def carry_out(settings: Settings, name: str, wish: Wish, *, yes: bool) -> tuple[dict[str, Any], str]:
    """Do it; the batch's document, as `status` prints it, with what came of it; and the same in a sentence.

    Raises UsageError where there is no such batch or item, or a person has to agree first and did not.
    """
    _check(wish)
    async with open_store(settings) as session:
        store = session.store
        before = await views.batch(store, name)
        found = await survey(store, name, wish)
        if before is None or found is None:
            raise UsageError(f"there is no batch {name}: dailies status lists them (--sandbox: those of the sandbox)")
        counts, until = found
        unmatched = [key for n, key in enumerate(wish.chosen.keys, 1) if not counts.hits.get(n)]
        if wish.chosen.keys and len(unmatched) == len(wish.chosen.keys) and not wish.codes and not wish.chosen.states:
            keys = " or ".join(wish.chosen.keys)
            raise UsageError(f"no item of {name} has a key like {keys}; dailies status {name} --items lists them")
        _ask(before, counts, yes=yes)
        done = await retry(store, name, wish, until, Word(who())) if counts.done else counts
        batch = await views.batch(store, name)
        if done is None or batch is None:
            raise UsageError(f"the batch {name} was forgotten meanwhile")
        stopped = await stoppage(store, batch, settings.deployments, budgets=settings.budgets)
        document = batch_document(batch, await replacements(store, name), stopped, archive_url(settings)) | {
            "retried": {number: getattr(done, number) for number in _NUMBERS}
            | {"cost_usd": usd(done.cost), "again_usd": usd(done.again_cost), "unmatched": unmatched}
        }
        return document, sentence(batch, done)


def sentence(batch: Batch, done: Revived) -> str:
    """What came of it, in numbers. `batch` as it is now."""
    parts = [f"{counted(done.done, 'item')} of {batch.name} queued again" if done.done else "nothing was queued again"]
    if done.brought_back:
        parts.append(f"{counted(done.brought_back, 'item')} to be made from them with them")
    if done.held:
        it = "it" if done.held == 1 else "they"
        parts.append(
            f"{done.held:,} {_is(done.held)} held, and left so: {it} may be made already, and "
            "--accept-double-charge sends again what may be paid twice"
        )
    if done.superseded:
        it = "its row was" if done.superseded == 1 else "their rows were"
        parts.append(f"{done.superseded:,} left so: {it} submitted anew since, with other content")
    if (alone := done.sourceless - done.brought_back) > 0:
        parts.append(f"{alone:,} cannot be made, since what they are made from ended without a video: retry that")
    if done.going_on:
        parts.append(f"{done.going_on:,} {_is(done.going_on)} waiting or under way already")
    if done.ended:
        parts.append(f"{done.ended:,} {_is(done.ended)} archived")
    if done.done:
        parts += [text for text in (_short(batch, done), _paused(batch)) if text]
    return "; ".join(parts)


def _check(wish: Wish) -> None:
    if unknown := [code for code in wish.codes if code not in TABLE]:
        raise UsageError(f"there is no reason {unknown[0]}: docs/failures.md lists them, and dailies status --items")
    if never := [state for state in wish.chosen.states if state not in ENDED]:
        raise UsageError(f"what is {never[0]} cannot be retried: --state is {', '.join(ENDED[:-1])} or {ENDED[-1]}")
    if State.HELD in wish.chosen.states and not wish.double:
        raise UsageError(
            "what is held may be made already: say --accept-double-charge to send it again all the same, or settle it "
            "with dailies reconcile"
        )


def _ask(batch: Batch, counts: Revived, *, yes: bool) -> None:
    """What may be paid a second time needs a person's word; without a terminal that is --yes."""
    if not (counts.done and counts.again) or yes:
        return
    cost = Bill(counts.done, counts.cost, counts.unpriced)
    twice = f"{counts.again:,} of them may be paid a second time (up to ${usd(counts.again_cost):,.2f})"
    short = _short(batch, counts)
    told = f"{cost}: {twice}" + (f"; {short}" if short else "")
    if not (on_terminal() and sys.stdin.isatty()):
        raise UsageError(f"to make {counted(counts.done, 'item')} again costs {told}: say --yes. Nothing was queued")
    agree(
        f"Make {counted(counts.done, 'item')} of {batch.name} again, for {told}?",
        nobody="nobody can be asked: say --yes",
        no="nothing was queued",
        yes=False,
    )


def _short(batch: Batch, done: Revived) -> str | None:
    """What the batch's budget lacks for them."""
    if batch.budget is None:
        return None
    spent = batch.reserved + batch.unknown + batch.confirmed
    left = max(batch.budget - spent, 0)
    if done.cost <= left:
        return None
    whole = f"of its budget of ${usd(batch.budget):,.2f} left"
    has = f"${usd(left):,.2f} {whole}" if left else f"nothing {whole}"
    enough = -(-(spent + done.cost) // MICRO)
    return f"{batch.name} has {has}: dailies set {batch.name} --budget-usd {enough}"


def _paused(batch: Batch) -> str | None:
    paused = pause_of(batch.fields)
    return None if paused is None else f"{batch.name} is paused, {paused}: dailies resume {batch.name}"


def _is(number: int) -> str:
    return "is" if number == 1 else "are"
