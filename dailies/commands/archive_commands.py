"""Commands that look at what stands in the archive; none of them needs Redis."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console

from dailies.archive import verifying, viewing
from dailies.options import Config, Json, Name, Sandboxed
from dailies.terminal.exits import Exit
from dailies.terminal.printing import end, print_document, settings_for, tell


def verify(
    batch: Name,
    quick: Annotated[
        bool, typer.Option("--quick", help="Compare lengths and recorded checksums; read no video.")
    ] = False,
    config: Config = None,
    sandbox: Sandboxed = False,
    as_json: Json = False,
) -> None:
    """Read an archived batch back against its receipts: what is missing, changed, or nobody's. Needs no Redis."""

    async def work() -> int:
        settings = settings_for(config, sandbox=sandbox)
        document = await verifying.verify(settings, batch, quick=quick, console=Console(stderr=True))
        print_document(document) if as_json else tell(verifying.words(document))
        return Exit.DONE if document["ok"] else Exit.INCOMPLETE

    end(work)


def view(
    batch: Name,
    port: Annotated[int, typer.Option("--port", help="A port of this machine; 0: any.", min=0, max=65535)] = 0,
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Only print the address.")] = False,
    config: Config = None,
    sandbox: Sandboxed = False,
) -> None:
    """Watch a batch: its contact sheet and videos on this machine, read with your own identity. Ctrl-C ends it."""
    end(lambda: viewing.view(settings_for(config, sandbox=sandbox), batch, port=port, browser=not no_browser))
