"""Arguments and options that several commands share, with their help."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

Manifests = Annotated[
    list[Path],
    typer.Argument(
        help="Prompts: YAML, CSV, JSONL or .xlsx; - is standard input.", metavar="MANIFEST", show_default=False
    ),
]
Config = Annotated[
    Path | None,
    typer.Option("--config", help="Configuration file (else DAILIES_CONFIG, else ./dailies.yaml).", show_default=False),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")]
Sandboxed = Annotated[
    bool, typer.Option("--sandbox", help="Use the bundled pretend Azure, with state and archive of its own.")
]
Form = Annotated[
    str, typer.Option("--format", help="What standard input is: csv, yaml, jsonl or xlsx.", show_default=False)
]
New = Annotated[bool, typer.Option("--new", help="Start another batch where {date} or {time} in the name names one.")]
Reuse = Annotated[
    bool, typer.Option("--reuse", help="Rows that another batch has already take its videos: nothing is paid for them.")
]
Again = Annotated[
    bool, typer.Option("--again", help="Pay again for rows that another batch, other keys or the archive have already.")
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before much is spent.")]
Name = Annotated[str, typer.Argument(help="The batch.", metavar="BATCH")]


@dataclass(frozen=True, slots=True)
class Choices:
    """What a person decided about paying, before it is asked.

    `new`: start another batch of a dated name. `reuse`, `again`: what to do with rows that exist already. `yes`: do
    not ask.
    """

    new: bool = False
    reuse: bool = False
    again: bool = False
    yes: bool = False

    def __post_init__(self) -> None:
        """Refuse what contradicts itself."""
        if self.reuse and self.again:
            raise typer.BadParameter("--reuse takes videos that are there, and --again pays for new ones: give one")
