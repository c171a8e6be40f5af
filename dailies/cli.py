"""The command line: what can be asked, and nothing of how it is done."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from dailies import looking, running, serving, submitting
from dailies.documents import batch_document
from dailies.exits import Exit, finish, problem_lines, say
from dailies.options import Config, Json, Manifests, Name, New, Sandboxed
from manifests import ManifestError
from orchestrator import logs
from orchestrator.settings import Settings, load_settings
from orchestrator.states import State

app = typer.Typer(
    name="dailies",
    help="Render a manifest of prompts overnight and find every clip in your own storage by morning.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    epilog="Try it with nothing but Python: dailies run manifests/examples/first-night.yaml --sandbox",
)

def _end(work: Callable[[], Coroutine[Any, Any, int]]) -> None:
    raise typer.Exit(finish(work))


def _print(document: object) -> None:
    json.dump(document, sys.stdout, ensure_ascii=False, indent=2)
    sys.stdout.write("\n")


@app.callback()
def main(
    log_level: Annotated[
        str, typer.Option("--log-level", help="debug, info, warning or error (warning on a terminal, else info).")
    ] = "",
) -> None:
    """Set up the log before any command: on stderr, JSON unless that is a terminal."""
    try:
        logs.configure(level=log_level or ("warning" if sys.stderr.isatty() else "info"))
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--log-level") from None


@app.command()
def run(
    manifests: Manifests, config: Config = None, sandbox: Sandboxed = False, new: New = False, as_json: Json = False
) -> None:
    """Submit, render and archive in this process, until every item is final.

    Run again after an interruption, it goes on where it was; what is archived is never rendered again. Exit code: 0
    every item archived, 1 some not, 2 nothing was queued, 3 Redis, archive or every deployment unusable.
    """

    async def work() -> int:
        settings = _load(config, sandbox)
        outcome, archive = await running.run(
            settings, manifests, sandbox=sandbox, new=new, console=Console(stderr=True)
        )
        documents = [batch_document(b, outcome.stoppages.get(b.name), archive) for b in outcome.batches]
        if as_json:
            _print(documents[0] if len(documents) == 1 else {"batches": documents})
        else:
            for document in documents:
                print(looking.summary(document))
        return outcome.exit

    _end(work)


@app.command()
def validate(manifests: Manifests, config: Config = None, sandbox: Sandboxed = False, as_json: Json = False) -> None:
    """Find every problem of manifests at once, with file, line, column and a hint. Touches nothing."""

    async def work() -> int:
        settings = _settings(config, sandbox)
        items, error = 0, None
        try:
            items = sum(m.item_count for m in submitting.load_all(manifests, settings))
        except ManifestError as found:
            error = found
        problems, count = (error.problems, error.problem_count) if error else ([], 0)
        if as_json:
            _print(looking.validation(items, problems, count))
        else:
            for line in problem_lines(problems, count):
                print(line)
            print(f"{count} problem(s)" if count else f"{items} items, no problem")
        return Exit.USAGE if count else Exit.DONE

    _end(work)


@app.command()
def submit(manifests: Manifests, config: Config = None, new: New = False, as_json: Json = False) -> None:
    """Queue manifests for workers elsewhere. Submitting the same again changes nothing."""

    async def work() -> int:
        documents = await serving.submit(load_settings(config), manifests, new=new)
        if as_json:
            _print(documents[0] if len(documents) == 1 else {"batches": documents})
        else:
            for document in documents:
                print(document["batch"])
        return Exit.DONE

    _end(work)


@app.command()
def worker(
    config: Config = None,
    only: Annotated[
        str, typer.Option("--only", help="Steps to run, comma-separated: create,poll,archive,reconcile.")
    ] = "create,poll,archive,reconcile",
) -> None:
    """Work on whatever is queued: admit, create, poll, archive, reconcile. SIGTERM drains."""
    _end(lambda: serving.work(load_settings(config), only))


@app.command()
def status(
    batch: Annotated[str, typer.Argument(help="One batch; else all.", metavar="BATCH")] = "",
    items: Annotated[bool, typer.Option("--items", help="List the batch's items.")] = False,
    state: Annotated[
        State | None, typer.Option("--state", help="Only items in this state.", show_default=False)
    ] = None,
    config: Config = None,
    sandbox: Sandboxed = False,
    as_json: Json = False,
) -> None:
    """Show every batch, or one: counts, spend, what stops it; with --items its items."""

    async def work() -> int:
        settings = _settings(config, sandbox)
        document = await looking.status(settings, batch, items=items or state is not None, state=state)
        _print(document) if as_json else looking.print_status(document)
        return Exit.DONE

    _end(work)


@app.command()
def show(
    batch: Name,
    key: Annotated[str, typer.Argument(help="The item's key (KEY~2: its second content).", metavar="KEY")],
    config: Config = None,
    sandbox: Sandboxed = False,
    as_json: Json = False,
) -> None:
    """Show one item's life: attempts, remote ids, answers and request ids, times, money."""

    async def work() -> int:
        document = await looking.show(_settings(config, sandbox), batch, key)
        _print(document) if as_json else looking.print_item(document)
        return Exit.DONE

    _end(work)


@app.command()
def results(
    batch: Name,
    form: Annotated[str, typer.Option("--format", help="csv or jsonl.")] = "csv",
    config: Config = None,
    sandbox: Sandboxed = False,
) -> None:
    """Print a batch's results, one row an item: the manifest's columns first, then what became of it."""
    _end(lambda: looking.results(_settings(config, sandbox), batch, form))


@app.command(add_help_option=False, context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def sandbox(context: typer.Context) -> None:
    """Serve the two video APIs, pretend, on a port of this machine (dailies sandbox --help has every knob)."""
    from sandbox.cli import run as serve  # imported here: it brings a video encoder with it

    serve(context.args, prog="dailies sandbox")


def _load(config: Path | None, sandbox: bool) -> Settings:
    """The settings; for the sandbox without what the environment says of real services."""
    real = ("AZURE_", "OPENAI_")
    return load_settings(config, {k: v for k, v in os.environ.items() if not (sandbox and k.startswith(real))})


def _settings(config: Path | None, sandbox: bool) -> Settings:
    settings = _load(config, sandbox)
    return settings.for_sandbox("http://127.0.0.1:8787") if sandbox else settings


def _terminate(*_: object) -> None:
    raise SystemExit(Exit.TERMINATED)


def entry() -> None:
    """Run the command line; typer's own errors have exit code 2 already.

    SIGTERM ends a command that does not drain: as a container's first process it would be ignored by default.
    """
    signal.signal(signal.SIGTERM, _terminate)
    try:
        app()
    except KeyboardInterrupt:
        say("interrupted")
        raise SystemExit(Exit.INTERRUPTED) from None
