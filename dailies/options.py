"""Arguments and options that several commands share, with their help."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Manifests = Annotated[
    list[Path], typer.Argument(help="Prompts: YAML, CSV, JSONL or .xlsx.", metavar="MANIFEST", show_default=False)
]
Config = Annotated[
    Path | None,
    typer.Option("--config", help="Configuration file (else DAILIES_CONFIG, else ./dailies.yaml).", show_default=False),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")]
Sandboxed = Annotated[
    bool, typer.Option("--sandbox", help="Use the bundled pretend Azure, with state and archive of its own.")
]
New = Annotated[bool, typer.Option("--new", help="Start another batch where {date} or {time} in the name names one.")]
Name = Annotated[str, typer.Argument(help="The batch.", metavar="BATCH")]
