"""`dailies results`: a batch's rows with what became of them, or as a manifest to be mended and run again."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence

from dailies.session import open_store
from dailies.terminal.exits import Exit, UsageError, counted, say
from manifests.manifest_text import NoColumn, as_csv, as_jsonl, as_yaml, formulas
from orchestrator.batches.mending import Mended, mended
from orchestrator.items.states import State
from orchestrator.ledger import views
from orchestrator.logs.harmless import harmless
from orchestrator.reports import results
from orchestrator.settings import Settings

_SHEETS = {"csv": results.as_csv, "jsonl": results.as_jsonl}


async def print_results(settings: Settings, name: str, form: str, states: Sequence[State]) -> int:
    """Results on stdout, as they are read; of items in these states, or all. What was superseded is in no state that
    one can ask for: nothing is to be done about it."""
    if form not in _SHEETS:
        raise UsageError(f"there is no format {form}: csv or jsonl (yaml is one of --as manifest)")
    async with open_store(settings) as session:
        batch = await views.batch(session.store, name)
        if batch is None:
            raise no_such(name)
        shown = _shown()
        found = (
            item async for item in views.items(session.store, name, set(states)) if not (states and item.replaced_by)
        )
        async for piece in _SHEETS[form](found, batch.columns):
            sys.stdout.write(shown(piece))
    return Exit.DONE


async def print_manifest(settings: Settings, name: str, form: str, states: Sequence[State]) -> int:
    """The same items as a manifest on stdout, and on stderr how to run it again."""
    if form not in ("csv", "jsonl", "yaml"):
        raise UsageError(f"there is no format {form} of manifests: yaml, csv or jsonl")
    async with open_store(settings) as session:
        batch = await views.batch(session.store, name)
        if batch is None:
            raise no_such(name)
        found = await mended(session.store, batch, states)
    if not found.rows:
        said = f"no item of {name} is {' or '.join(states)}: dailies status {name} shows how many are what"
        if any(batch.counts[state] for state in states):
            said = (
                f"nothing of {name} is left to mend: what is {' or '.join(states)} was submitted anew since, with "
                f"other contents (KEY~2): dailies status {name} --items shows both"
            )
        raise UsageError(said)
    try:
        pieces = list(_manifest(found, name, form))
    except NoColumn as error:
        raise UsageError(f"{error}; say --format yaml, or jsonl") from None
    shown = _shown()
    for piece in pieces:
        sys.stdout.write(shown(piece))
    _advise(found, name, form)
    return Exit.DONE


def no_such(name: str) -> UsageError:
    """There is no such batch in the ledger."""
    return UsageError(f"there is no batch {name}: dailies status lists them (--sandbox: those of the sandbox)")


def _manifest(found: Mended, name: str, form: str) -> Iterable[str]:
    if form == "yaml":
        return as_yaml(found.rows, name=name, budget_usd=found.budget_usd, window=found.window)
    return as_csv(found.rows) if form == "csv" else as_jsonl(found.rows)


def _shown() -> Callable[[str], str]:
    return harmless if sys.stdout.isatty() else str


def _advise(found: Mended, name: str, form: str) -> None:
    """What the file itself cannot say."""
    options = "" if form == "yaml" else f" --name {name}"
    if form != "yaml" and found.budget_usd is not None:
        options += f" --budget-usd {found.budget_usd:f}"
    if form != "yaml" and found.window is not None:
        options += f" --window '{_line(found)}'"
    if found.sources:
        say(f"{counted(found.sources, 'row')} of {len(found.rows):,} stands there only since others are made from it")
    if form == "csv" and (cells := formulas(found.rows)):
        say(f"{counted(cells, 'row')} begins as a formula would: in a spreadsheet program, import its columns as text")
    say(
        f"save it as mended.{form}, change what is to be changed, and give dailies run mended.{form}{options}: changed "
        f"rows are made anew; for those that you leave as they are, dailies retry {name}"
    )


def _line(found: Mended) -> str:
    window = found.window
    if window is None:
        return ""
    hours, _, rest = str(window).partition(" to ")
    return f"{hours}-{rest.replace(', ', ' ')}"
