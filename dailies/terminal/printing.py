"""How commands end, and how they print a document."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any

import typer

from dailies.terminal.exits import finish
from orchestrator.logs.harmless import harmless, harmless_json
from orchestrator.settings import Settings, load_settings


def end(work: Callable[[], Coroutine[Any, Any, int]]) -> None:
    """Do a command's work, and leave with its exit code."""
    raise typer.Exit(finish(work))


def print_document(document: object) -> None:
    """One JSON document on stdout."""
    sys.stdout.write(harmless_json(json.dumps(document, ensure_ascii=False, indent=2)) + "\n")


def tell(text: str) -> None:
    """What a person asked for, on stdout. Prompts and servers' words in it give a terminal no orders."""
    print(harmless(text))


def print_batches(documents: Sequence[object]) -> None:
    """One batch as itself, several as a list under `batches`."""
    print_document(documents[0] if len(documents) == 1 else {"batches": documents})


def read_settings(config: Path | None, *, sandbox: bool) -> Settings:
    """The settings; for the sandbox without what the environment says of real services."""
    real = ("AZURE_", "OPENAI_")
    return load_settings(config, {k: v for k, v in os.environ.items() if not (sandbox and k.startswith(real))})


def settings_for(config: Path | None, *, sandbox: bool) -> Settings:
    """The settings, or those of the sandbox with its own state and archive, for commands that do not start it."""
    settings = read_settings(config, sandbox=sandbox)
    return settings.for_sandbox("http://127.0.0.1:8787") if sandbox else settings
