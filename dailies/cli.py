"""The command line: what can be asked, and nothing of how it is done."""

from __future__ import annotations

import signal
import sys
from importlib.metadata import version
from typing import Annotated

import typer

from dailies.commands import deployment_commands
from dailies.commands.archive_commands import verify, view
from dailies.commands.batch_commands import results, set_batch, show, status
from dailies.commands.doctor_commands import doctor
from dailies.commands.lifecycle_commands import cancel, pause, resume
from dailies.commands.manifest_commands import plan, run, submit, validate
from dailies.commands.reconcile_commands import reconcile
from dailies.commands.recovery_commands import forget, recover
from dailies.commands.retry_commands import retry
from dailies.options import Config
from dailies.reading.spending import spend
from dailies.rendering import working
from dailies.terminal.exits import Exit, say
from dailies.terminal.printing import end, read_settings, tell
from orchestrator import logs
from orchestrator.admission.attendance import STEPS
from orchestrator.settings.environment import ONLY_VARIABLE

app = typer.Typer(
    name="dailies",
    help="Render a manifest of prompts overnight and find every clip in your own storage by morning.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    epilog="Try it with nothing but Python: dailies run manifests/examples/first-night.yaml --sandbox",
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _tell_version(asked: bool) -> None:
    if asked:
        tell(f"dailies {version('dailies')}")
        raise typer.Exit


@app.callback()
def main(
    log_level: Annotated[
        str, typer.Option("--log-level", help="debug, info, warning or error (warning on a terminal, else info).")
    ] = "",
    _: Annotated[
        bool, typer.Option("--version", help="Say which release this is.", callback=_tell_version, is_eager=True)
    ] = False,
) -> None:
    """Set up the log before any command: on stderr, JSON unless that is a terminal."""
    try:
        logs.configure(level=log_level or ("warning" if sys.stderr.isatty() else "info"))
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--log-level") from None


for _command in (run, validate, plan, submit):
    app.command()(_command)


@app.command()
def worker(
    config: Config = None,
    only: Annotated[
        str,
        typer.Option(
            "--only", envvar=ONLY_VARIABLE, help="Steps to run, comma-separated: create,poll,archive,reconcile."
        ),
    ] = ",".join(STEPS),
) -> None:
    """Work on whatever is queued: admit, create, poll, archive, reconcile. SIGTERM drains."""
    end(lambda: working.work(read_settings(config, sandbox=False), only))


for _command in (status, show, results, spend, pause, resume, cancel, retry):
    app.command()(_command)
app.command("set")(set_batch)
for _command in (verify, view):
    app.command()(_command)
for _command in (reconcile, recover, forget):
    app.command()(_command)
app.command()(doctor)
app.add_typer(deployment_commands.app, name="deployments")


@app.command(add_help_option=False, context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def sandbox(context: typer.Context) -> None:
    """Serve the two video APIs, pretend, on a port of this machine (dailies sandbox --help has every knob)."""
    from sandbox.cli import run as serve  # imported here: it brings a video encoder with it

    serve(context.args, prog="dailies sandbox")


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
