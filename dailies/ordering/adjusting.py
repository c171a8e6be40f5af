"""What a command says about a manifest, so that nobody has to edit it: read from options, for every command alike."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from decimal import Decimal
from typing import Annotated, Any, get_type_hints

import typer

from dailies.terminal.exits import Exit, say
from manifests.selecting.adjustments import Adjustments
from manifests.vocabulary.amount import usd_of
from manifests.window import BadWindow, Window
from manifests.window_line import EXAMPLE, window_of


def _pair(text: str) -> tuple[str, str]:
    name, found, value = text.partition("=")
    if not found or not name.strip():
        raise typer.BadParameter(f"{text} has no name or no = in it: write NAME=VALUE")
    return name.strip(), value.strip()


def usd_amount(text: str) -> Decimal:
    """Dollars as people write them: `120`, `120.50`, `$120`. Anything else ends the command, with one line."""
    amount = usd_of(text.strip().removeprefix("$"))
    if amount is None:
        say(f"--budget-usd: {text} is not an amount above 0: write dollars plainly, like 120.50")
        raise typer.Exit(Exit.USAGE)
    return amount


def window(text: str) -> Window:
    """Hours as `window_of` reads them. What it cannot read ends the command, with one line."""
    try:
        return window_of(text)
    except BadWindow as error:
        say(f"--window: {error}")
        raise typer.Exit(Exit.USAGE) from None


_OPTIONS: dict[str, Any] = {
    "name": Annotated[
        str,
        typer.Option("--name", help="The batch's name, instead of the file's.", metavar="BATCH", show_default=False),
    ],
    "budget_usd": Annotated[
        Decimal | None,
        typer.Option("--budget-usd", parser=usd_amount, help="Stop before more than this is spent.", metavar="USD"),
    ],
    "window": Annotated[
        Window | None,
        typer.Option(
            "--window", parser=window, help=f"Hours in which videos may be ordered: '{EXAMPLE}'.", metavar="HOURS"
        ),
    ],
    "fields": Annotated[
        list[str] | None,
        typer.Option("--set", help="A field for every row: --set seconds=8 --set size=16:9.", metavar="FIELD=VALUE"),
    ],
    "columns": Annotated[
        list[str] | None,
        typer.Option("--map", help="Which column is a field: --map prompt='Shot text'.", metavar="FIELD=COLUMN"),
    ],
    "key": Annotated[
        str,
        typer.Option("--key", help="How keys are made: --key '{sku}-{market}'.", metavar="TEXT", show_default=False),
    ],
    "where": Annotated[
        list[str] | None,
        typer.Option("--where", help="Only rows whose column says so: --where Ready=TRUE.", metavar="COLUMN=VALUE"),
    ],
    "sample": Annotated[
        int | None,
        typer.Option("--sample", min=1, help="Only so many, spread over the sheet; without it the rest is added."),
    ],
    "sheet": Annotated[
        str, typer.Option("--sheet", help="Which sheet of a workbook; else the first.", show_default=False)
    ],
}
_DEFAULTS: dict[str, Any] = {"name": "", "key": "", "sheet": ""}


def adjusted(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options that say something about its manifests; it gets them as `adjustments`."""
    signature = inspect.signature(command)
    hints = get_type_hints(command, include_extras=True)
    kept = [p.replace(annotation=hints[p.name]) for p in signature.parameters.values() if p.name != "adjustments"]
    added = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=_DEFAULTS.get(name), annotation=option)
        for name, option in _OPTIONS.items()
    ]

    @functools.wraps(command)
    def with_adjustments(**options: Any) -> None:
        own = {name: options.pop(name) for name in _OPTIONS}
        command(**options, adjustments=_adjustments(own))

    with_adjustments.__signature__ = signature.replace(parameters=[*kept, *added])  # type: ignore[attr-defined]
    with_adjustments.__annotations__ = {p.name: p.annotation for p in [*kept, *added]}
    return with_adjustments


def _once(option: str, given: list[str] | None) -> dict[str, str]:
    pairs = list(map(_pair, given or ()))
    if twice := [name for name, _ in pairs if [each for each, _ in pairs].count(name) > 1]:
        raise typer.BadParameter(f"{option} says twice what {twice[0]} is: leave one of them out")
    return dict(pairs)


def _adjustments(own: dict[str, Any]) -> Adjustments:
    return Adjustments(
        name=own["name"] or None,
        budget_usd=own["budget_usd"],
        fields=_once("--set", own["fields"]),
        columns=_once("--map", own["columns"]),
        key=own["key"] or None,
        where=tuple(map(_pair, own["where"] or ())),
        sample=own["sample"],
        sheet=own["sheet"] or None,
        window=own["window"],
    )
