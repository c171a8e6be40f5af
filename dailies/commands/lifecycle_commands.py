"""Commands that hold a batch up or end it, as a whole or some of its items."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dailies.changing.lifecycle import Asked, carry_out
from dailies.options import Config, Json, Name, Sandboxed
from dailies.terminal.exits import Exit, say
from dailies.terminal.printing import end, print_document, settings_for, tell
from orchestrator.batches.lifecycle import Action, Chosen
from orchestrator.items.states import State

Keys = Annotated[
    list[str] | None,
    typer.Option("--key", help="Only items of this key; mug-* is every key that begins so. Repeatable.", metavar="KEY"),
]
States = Annotated[list[State] | None, typer.Option("--state", help="Only items in this state. Repeatable.")]
Reason = Annotated[str, typer.Option("--reason", help="Why; it is kept, with who and when.", metavar="TEXT")]


def pause(
    batch: Name,
    key: Keys = None,
    state: States = None,
    reason: Reason = "",
    config: Config = None,
    sandbox: Sandboxed = False,
    as_json: Json = False,
) -> None:
    """Send nothing more of a batch, or of some of its items, until they are resumed. What was sent goes on."""
    asked = Asked(Action.PAUSE, Chosen(key or (), state or ()), reason)
    _carry_out(batch, asked, config, sandbox=sandbox, as_json=as_json)


def resume(
    batch: Name,
    key: Keys = None,
    state: States = None,
    reason: Reason = "",
    config: Config = None,
    sandbox: Sandboxed = False,
    as_json: Json = False,
) -> None:
    """End the pause of a batch; or, with --key or --state, of items that were paused by themselves."""
    asked = Asked(Action.RESUME, Chosen(key or (), state or ()), reason)
    _carry_out(batch, asked, config, sandbox=sandbox, as_json=as_json)


def cancel(
    batch: Name,
    key: Keys = None,
    state: States = None,
    discard: Annotated[
        bool, typer.Option("--discard", help="Do not archive videos of them that are made all the same.")
    ] = False,
    reason: Reason = "",
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before a whole batch is cancelled.")] = False,
    config: Config = None,
    sandbox: Sandboxed = False,
    as_json: Json = False,
) -> None:
    """Take back what was not sent yet. What was sent is paid for: it goes on, and is archived unless --discard."""
    asked = Asked(Action.CANCEL, Chosen(key or (), state or ()), reason, discard, yes)
    _carry_out(batch, asked, config, sandbox=sandbox, as_json=as_json)


def _carry_out(batch: str, asked: Asked, config: Path | None, *, sandbox: bool, as_json: bool) -> None:
    async def work() -> int:
        document, told = await carry_out(settings_for(config, sandbox=sandbox), batch, asked)
        for key in document["asked"]["unmatched"]:
            say(f"no item of {batch} has a key like {key}")
        print_document(document) if as_json else tell(told)
        return Exit.DONE

    end(work)
