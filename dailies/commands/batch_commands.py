"""Commands about batches that are queued: what became of them, and what is changed while they run."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

import typer
from rich.console import Console

from dailies.changing import setting
from dailies.options import Config, Json, Name, Sandboxed
from dailies.ordering.adjusting import usd_amount
from dailies.reading import looking, rows, watching, why
from dailies.terminal.exits import Exit, UsageError
from dailies.terminal.printing import end, print_document, settings_for, tell
from orchestrator.items.states import State


def status(
    batch: Annotated[str, typer.Argument(help="One batch; else all.", metavar="BATCH")] = "",
    items: Annotated[bool, typer.Option("--items", help="List the batch's items.")] = False,
    state: Annotated[
        State | None, typer.Option("--state", help="Only items in this state.", show_default=False)
    ] = None,
    why_key: Annotated[
        str,
        typer.Option("--why", help="Why this item is not sent yet, or where it is.", metavar="KEY", show_default=False),
    ] = "",
    watch: Annotated[bool, typer.Option("--watch", help="Look again and again, until it is final.")] = False,
    config: Config = None,
    sandbox: Sandboxed = False,
    as_json: Json = False,
) -> None:
    """Show every batch, or one: counts, spend, what stops it; with --items its items, with --why one of them."""

    async def work() -> int:
        settings = settings_for(config, sandbox=sandbox)
        if watch:
            if as_json or items or state or why_key:
                raise UsageError("--watch shows how far a batch is, and nothing else: leave the other options out")
            await watching.watch(settings, batch, Console(stderr=True))
        if why_key:
            if not batch:
                raise UsageError("--why needs a batch: dailies status BATCH --why KEY")
            told = await why.why(settings, batch, why_key)
            print_document(told) if as_json else why.print_why(told)
            return Exit.DONE
        document = await looking.status(settings, batch, items=items or state is not None, state=state)
        print_document(document) if as_json else looking.print_status(document)
        return Exit.DONE

    end(work)


def show(
    batch: Name,
    key: Annotated[str, typer.Argument(help="The item's key (KEY~2: its second content).", metavar="KEY")],
    config: Config = None,
    sandbox: Sandboxed = False,
    as_json: Json = False,
) -> None:
    """Show one item's life: attempts, remote ids, answers and request ids, times, money."""

    async def work() -> int:
        document = await looking.show(settings_for(config, sandbox=sandbox), batch, key)
        print_document(document) if as_json else looking.print_item(document)
        return Exit.DONE

    end(work)


def results(
    batch: Name,
    form: Annotated[
        str, typer.Option("--format", help="csv or jsonl; with --as manifest: yaml, csv or jsonl.", show_default=False)
    ] = "",
    states: Annotated[
        list[State] | None, typer.Option("--state", help="Only items in this state; again for another.")
    ] = None,
    kind: Annotated[
        str, typer.Option("--as", help="manifest: rows to mend and run again.", metavar="manifest", show_default=False)
    ] = "",
    config: Config = None,
    sandbox: Sandboxed = False,
) -> None:
    """Print a batch's results, one row an item: the manifest's columns first, then what became of it."""

    async def work() -> int:
        if kind not in ("", "manifest"):
            raise UsageError(f"results cannot be had as {kind}: say --as manifest, or leave it out")
        settings = settings_for(config, sandbox=sandbox)
        if kind:
            return await rows.print_manifest(settings, batch, form or "yaml", states or ())
        return await rows.print_results(settings, batch, form or "csv", states or ())

    end(work)


def set_batch(
    batch: Name,
    budget_usd: Annotated[
        Decimal | None,
        typer.Option("--budget-usd", parser=usd_amount, help="The most that it may spend in all.", metavar="USD"),
    ] = None,
    priority: Annotated[
        int | None, typer.Option("--priority", help="Larger goes before other batches.", show_default=False)
    ] = None,
    weight: Annotated[
        int | None, typer.Option("--weight", help="Its share beside batches of its priority.", show_default=False)
    ] = None,
    config: Config = None,
    sandbox: Sandboxed = False,
    as_json: Json = False,
) -> None:
    """Change a live batch: its budget, its priority, its weight. Workers act on it at once."""

    async def work() -> int:
        settings = settings_for(config, sandbox=sandbox)
        document = await setting.set_batch(settings, batch, budget_usd=budget_usd, priority=priority, weight=weight)
        print_document(document) if as_json else tell(looking.summary(document))
        return Exit.DONE

    end(work)
