"""`dailies retry`: what ended without a video is made after all."""

from __future__ import annotations

from typing import Annotated

import typer

from dailies.changing import retrying
from dailies.commands.lifecycle_commands import Keys
from dailies.options import Config, Json, Name, Sandboxed
from dailies.terminal.exits import Exit, say
from dailies.terminal.printing import end, print_document, settings_for, tell
from orchestrator.batches.lifecycle import Chosen
from orchestrator.batches.retrying import Wish
from orchestrator.items.states import State


def retry(
    batch: Name,
    key: Keys = None,
    state: Annotated[
        list[State] | None,
        typer.Option("--state", help="Only what is failed, cancelled, expired or held. Repeatable."),
    ] = None,
    reason: Annotated[
        list[str] | None,
        typer.Option("--reason", help="Only what ended for this reason. Repeatable.", metavar="CODE"),
    ] = None,
    accept_double_charge: Annotated[
        bool, typer.Option("--accept-double-charge", help="Also what is held, though it may be made and paid already.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before what may be paid a second time.")] = False,
    config: Config = None,
    sandbox: Sandboxed = False,
    as_json: Json = False,
) -> None:
    """Make again what failed, was cancelled or expired: the same rows, their next attempts."""

    async def work() -> int:
        wish = Wish(Chosen(key or (), state or ()), reason or (), accept_double_charge)
        document, told = await retrying.carry_out(settings_for(config, sandbox=sandbox), batch, wish, yes=yes)
        for each in document["retried"]["unmatched"]:
            say(f"no item of {batch} that ended has a key like {each}")
        print_document(document) if as_json else tell(told)
        return Exit.DONE

    end(work)
