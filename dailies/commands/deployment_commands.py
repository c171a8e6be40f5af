"""`dailies deployments`: look at them, pause one, let it go on."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from dailies.options import Config, Json, Sandboxed
from dailies.providers import deployment_words, deployments
from dailies.terminal.exits import Exit
from dailies.terminal.printing import end, print_document, settings_for, tell
from orchestrator.settings import Settings

Deployment = Annotated[str, typer.Argument(help="The deployment, by its name in the configuration.", metavar="NAME")]

#: Wider than any line: what is not read on a terminal is not wrapped.
WIDE = 10_000

app = typer.Typer(help="Look at the deployments; pause one, or let it go on.", invoke_without_command=True)


@app.callback()
def listing(context: typer.Context, config: Config = None, sandbox: Sandboxed = False, as_json: Json = False) -> None:
    """Show each deployment's quota, what was learned of it, tokens, slots, and what keeps its next create back."""
    if context.invoked_subcommand is not None:
        return

    async def work() -> int:
        found = await deployments.listing(settings_for(config, sandbox=sandbox))
        if as_json:
            print_document([deployments.document(its) for its in found])
        else:
            console = Console()
            deployment_words.print_table(found, console if console.is_terminal else Console(width=WIDE))
        return Exit.DONE

    end(work)


@app.command()
def pause(
    context: typer.Context,
    name: Deployment,
    for_: Annotated[
        str,
        typer.Option("--for", help="For so long: 2h, 90m; else until resumed.", metavar="LENGTH", show_default=False),
    ] = "",
    until: Annotated[
        str,
        typer.Option("--until", help="Until then: 08:00, 2026-11-22T06:00.", metavar="TIME", show_default=False),
    ] = "",
    reason: Annotated[str, typer.Option("--reason", help="Why; it is kept and shown.", show_default=False)] = "",
    config: Config = None,
    sandbox: Sandboxed = False,
    as_json: Json = False,
) -> None:
    """Start no more creates there. What is rendering is fetched; items that wait go to other deployments."""

    async def work() -> int:
        settings = _settings(context, config, sandbox=sandbox)
        its, among = await deployments.pause(settings, name, for_=for_, until=until, reason=reason)
        print_document(deployments.document(its)) if as_json else tell(deployment_words.paused_text(its, among))
        return Exit.DONE

    end(work)


@app.command()
def resume(
    context: typer.Context,
    name: Deployment,
    forget_learned: Annotated[
        bool, typer.Option("--forget-learned", help="Forget what refusals taught of its quota, too.")
    ] = False,
    config: Config = None,
    sandbox: Sandboxed = False,
    as_json: Json = False,
) -> None:
    """Start creates there again at once, whatever stopped it: a pause, a refusal, a rest after too many requests."""

    async def work() -> int:
        settings = _settings(context, config, sandbox=sandbox)
        its = await deployments.resume(settings, name, forget_learned=forget_learned)
        print_document(deployments.document(its)) if as_json else tell(deployment_words.resumed_text(its))
        return Exit.DONE

    end(work)


def _settings(context: typer.Context, config: Path | None, *, sandbox: bool) -> Settings:
    """The options may stand before `pause` and `resume` too."""
    before = context.parent.params if context.parent else {}
    return settings_for(config or before.get("config"), sandbox=sandbox or bool(before.get("sandbox")))
