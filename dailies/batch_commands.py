"""Commands about batches that are queued: what became of them, and what is changed while they run."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

import typer

from dailies import looking, setting, why
from dailies.adjusting import usd_amount
from dailies.exits import Exit, UsageError
from dailies.options import Config, Json, Name, Sandboxed
from dailies.printing import end, print_document, settings_for, tell
from orchestrator.states import State


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
    config: Config = None,
    sandbox: Sandboxed = False,
    as_json: Json = False,
) -> None:
    """Show every batch, or one: counts, spend, what stops it; with --items its items, with --why one of them."""

    async def work() -> int:
        settings = settings_for(config, sandbox=sandbox)
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
    form: Annotated[str, typer.Option("--format", help="csv or jsonl.")] = "csv",
    config: Config = None,
    sandbox: Sandboxed = False,
) -> None:
    """Print a batch's results, one row an item: the manifest's columns first, then what became of it."""
    end(lambda: looking.results(settings_for(config, sandbox=sandbox), batch, form))


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
        document = await setting.set_batch(
            settings, batch, budget_usd=budget_usd, priority=priority, weight=weight
        )
        print_document(document) if as_json else tell(looking.summary(document))
        return Exit.DONE

    end(work)
