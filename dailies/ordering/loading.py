"""Manifests in: all of a command's together, or every problem of all of them."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from rich.console import Console

from dailies.terminal.exits import UsageError, say
from manifests import Manifest, ManifestError, Problem, load
from manifests.readers.standard_input import STDIN, spooled
from manifests.selecting.adjustments import Adjustments
from manifests.vocabulary.fields import likely_field
from manifests.vocabulary.rules import Served
from manifests.vocabulary.spelling import field_name
from orchestrator.settings import Settings
from orchestrator.video_models.prices import dearest


@contextmanager
def loaded(
    paths: Sequence[Path], settings: Settings, adjustments: Adjustments, *, form: str = ""
) -> Iterator[list[Manifest]]:
    """Every manifest of a command; `-` is standard input, in the format `form`. Raises ManifestError, UsageError.

    What came from standard input is kept in a temporary file for as long as this holds, since it is read repeatedly.
    """
    if len(paths) > 1 and adjustments.name:
        raise UsageError("--name names one batch: give it with one manifest only")
    if paths.count(Path("-")) > 1:
        raise UsageError("standard input can be read once only: name - once")
    manifests, problems, found = [], [], 0
    served = {d.name: Served(d.model, d.model_rule()) for d in settings.deployments}
    # The sandbox has deployments of its own, so that none of them is called as a manifest calls the real ones.
    rehearsal = any(d.auth.sandbox for d in settings.deployments)
    console = Console(stderr=True)
    with ExitStack() as stack:
        for path in paths:
            called = None
            try:
                if path == Path("-"):
                    called, path = STDIN, stack.enter_context(spooled(sys.stdin.buffer, form))
                with console.status(f"reading {called or path}"):  # only a terminal shows it
                    manifest = load(
                        path,
                        models=settings.model_rules() or None,
                        deployments=None if rehearsal else served or None,
                        pins=not rehearsal,
                        adjustments=adjustments,
                        called=called,
                    )
            except ManifestError as error:
                problems += error.problems
                found += error.problem_count
                continue
            manifests.append(manifest)
            for note in _notes(manifest, settings, adjustments):
                say(f"note: {manifest.called}: {note}")
            unpriced = _unpriced(manifest, settings)
            problems += unpriced
            found += len(unpriced)
        if problems:
            raise ManifestError(problems, found)
        names = [m.name for m in manifests]
        if twice := {name for name in names if names.count(name) > 1}:
            raise UsageError(f"two manifests are named {sorted(twice)[0]}: give one of them another name")
        yield manifests


def _notes(manifest: Manifest, settings: Settings, adjustments: Adjustments) -> Iterator[str]:
    """What is no problem, and could be a misunderstanding."""
    if any(d.auth.sandbox for d in settings.deployments) and "deployment" in manifest.columns:
        yield "the sandbox has deployments of its own: which ones the items name is passed over"
    if not settings.deployments:
        yield "models and deployments are not checked, since no deployment is configured"
    if Path(manifest.called).suffix.lower() not in (".csv", ".tsv", ".xlsx"):
        return
    mapped = {field_name(column) for column in adjustments.columns.values()}
    for column in manifest.columns:
        meant = likely_field(column)
        if column != meant and meant not in (None, *manifest.columns) and field_name(column) not in mapped:
            yield f'the column {column} is kept as a label; is it meant as {meant}? Then say --map {meant}="{column}"'


def _unpriced(manifest: Manifest, settings: Settings) -> list[Problem]:
    """A budget cannot be kept for what nobody knows the price of."""
    if manifest.budget_usd is None and not settings.budgets:
        return []
    budget = "budgets" if manifest.budget_usd is None else "budget_usd"
    where = " of the settings" if manifest.budget_usd is None else ""
    hint = f"set price_per_second_usd on the model's deployment, or leave {budget}{where} out"
    return [
        Problem(manifest.called, None, None, budget, model, f"the price of {model} at {size} is not known", hint)
        for model, size, *rest in sorted(manifest.kinds)
        if dearest(settings.deployments, model, size, *rest) is None
    ]
