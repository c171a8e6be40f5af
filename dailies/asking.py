"""Asking a person before much is spent. Without a terminal nobody is asked: a night must not wait for an answer."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from decimal import Decimal

import typer

from dailies.exits import UsageError
from orchestrator.prices import micro
from orchestrator.survey import Bill, Survey


def on_terminal() -> bool:
    """Whether a person is there to see the plan, on stderr."""
    return sys.stderr.isatty()


def confirm(surveys: Sequence[Survey], *, over_usd: Decimal, yes: bool) -> None:
    """Ask before more than `over_usd` is spent, or an unknown price is paid. Raises UsageError on a no."""
    bill = Bill()
    for survey in surveys:
        bill.rows += survey.renders.rows
        bill.cost += survey.renders.cost
        bill.unpriced += survey.renders.unpriced
    if yes or not on_terminal() or (bill.cost <= micro(over_usd) and not bill.unpriced):
        return
    if not sys.stdin.isatty():
        raise UsageError(
            f"{bill.rows:,} videos would cost {bill}, and nobody can be asked, since standard input is no terminal: "
            "say --yes to go on. Nothing was queued"
        )
    try:
        wanted = typer.confirm(f"Render {bill.rows:,} videos for {bill}?", err=True)
    except typer.Abort:  # Ctrl-C, or the terminal is gone
        wanted = False
    if not wanted:
        raise UsageError("nothing was queued")
