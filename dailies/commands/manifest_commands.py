"""Commands that take manifests: check them, plan them, queue them, or do all of it and render."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import Annotated

import typer
from rich.console import Console

from dailies.options import Again, Choices, Config, Form, Json, Manifests, New, Reuse, Sandboxed, Yes
from dailies.ordering import planning, serving
from dailies.ordering.adjusting import adjusted
from dailies.ordering.loading import loaded
from dailies.reading import looking
from dailies.reading.documents import batch_document
from dailies.rendering import running
from dailies.terminal.exits import Exit, counted, need_deployments, problem_lines
from dailies.terminal.printing import end, print_batches, print_document, read_settings, settings_for, tell
from manifests import ManifestError
from manifests.selecting.adjustments import Adjustments


@adjusted
def run(
    manifests: Manifests,
    adjustments: Adjustments,
    form: Form = "",
    config: Config = None,
    sandbox: Sandboxed = False,
    new: New = False,
    reuse: Reuse = False,
    again: Again = False,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Submit, render and archive in this process, until every item is final.

    Run again after an interruption, it goes on where it was; what is archived is never rendered again. Exit code: 0
    every item archived, 1 some not, 2 nothing was queued, 3 Redis, archive or every deployment unusable.
    """
    choices = Choices(new, reuse, again, yes or sandbox)

    async def work() -> int:
        async with AsyncExitStack() as stack:
            settings = read_settings(config, sandbox=sandbox)
            if sandbox:
                settings = await stack.enter_async_context(running.sandboxed(settings))
            found = stack.enter_context(loaded(manifests, settings, adjustments, form=form))
            need_deployments(settings)
            outcome, archive = await running.run(settings, found, choices, Console(stderr=True))
        documents = [
            batch_document(b, outcome.replaced[b.name], outcome.stoppages.get(b.name), archive) for b in outcome.batches
        ]
        if as_json:
            print_batches(documents)
        else:
            for document in documents:
                tell(looking.summary(document))
        return outcome.exit

    end(work)


@adjusted
def validate(
    manifests: Manifests,
    adjustments: Adjustments,
    form: Form = "",
    show: Annotated[
        int, typer.Option("--show", min=0, help="Print the first so many items as they would be ordered.")
    ] = 0,
    config: Config = None,
    sandbox: Sandboxed = False,
    as_json: Json = False,
) -> None:
    """Find every problem of manifests at once, with file, line, column and a hint. Touches nothing."""

    async def work() -> int:
        settings = settings_for(config, sandbox=sandbox)
        items, shown, error = 0, list[dict[str, object]](), None
        try:
            with loaded(manifests, settings, adjustments, form=form) as found:
                items = sum(m.item_count for m in found)
                shown = looking.first_items(found, show)
        except ManifestError as wrong:
            error = wrong
        problems, count = (error.problems, error.problem_count) if error else ([], 0)
        if as_json:
            print_document(looking.validation(items, problems, count) | ({"first": shown} if show else {}))
        else:
            for line in problem_lines(problems, count):
                tell(line)
            looking.print_items(shown)
            tell(counted(count, "problem") if count else f"{counted(items, 'item')}, no problem")
        return Exit.USAGE if count else Exit.DONE

    end(work)


@adjusted
def plan(
    manifests: Manifests,
    adjustments: Adjustments,
    form: Form = "",
    by: Annotated[
        str,
        typer.Option("--by", help="How many are archived at this time: 08:00.", metavar="HH:MM", show_default=False),
    ] = "",
    config: Config = None,
    sandbox: Sandboxed = False,
    new: New = False,
    reuse: Reuse = False,
    again: Again = False,
    as_json: Json = False,
) -> None:
    """Say what a run would do: what is new, what it costs at most, when it ends. Changes nothing."""
    choices = Choices(new, reuse, again)

    async def work() -> int:
        settings = settings_for(config, sandbox=sandbox)
        with loaded(manifests, settings, adjustments, form=form) as found:
            need_deployments(settings)
            plans = await planning.plan(settings, found, choices, by=by)
        if as_json:
            print_batches([each.document() for each in plans])
        else:
            for each in plans:
                tell(each.text())
        return Exit.DONE

    end(work)


@adjusted
def submit(
    manifests: Manifests,
    adjustments: Adjustments,
    form: Form = "",
    config: Config = None,
    new: New = False,
    reuse: Reuse = False,
    again: Again = False,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Queue manifests for workers elsewhere. Submitting the same again changes nothing."""

    async def work() -> int:
        settings = read_settings(config, sandbox=False)
        with loaded(manifests, settings, adjustments, form=form) as found:
            need_deployments(settings)
            documents = await serving.submit(settings, found, Choices(new, reuse, again, yes), Console(stderr=True))
        if as_json:
            print_batches(documents)
        else:
            for document in documents:
                tell(document["batch"])
        return Exit.DONE

    end(work)
