"""Asking a person before much is spent. Without a terminal nobody is asked: a night must not wait for an answer."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from decimal import Decimal

import typer

from dailies.terminal.exits import UsageError
from orchestrator.batches.survey import Bill, Survey
from orchestrator.video_models.prices import micro


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
    agree(
        f"Render {bill.rows:,} videos for {bill}?",
        nobody=f"{bill.rows:,} videos would cost {bill}, and nobody can be asked, since standard input is no terminal: "
        "say --yes to go on. Nothing was queued",
        no="nothing was queued",
        yes=yes or (bill.cost <= micro(over_usd) and not bill.unpriced),
    )


def agree(question: str, *, nobody: str, no: str, yes: bool) -> None:
    """Ask, on a terminal, unless the answer is known to be yes.

    Raises UsageError: with `no` on a no, and with `nobody` where the question could be shown, but not answered.
    """
    if yes or not on_terminal():
        return
    if not sys.stdin.isatty():
        raise UsageError(nobody)
    try:
        wanted = typer.confirm(question, err=True)
    except typer.Abort:  # Ctrl-C, or the terminal is gone
        wanted = False
    if not wanted:
        raise UsageError(no)
