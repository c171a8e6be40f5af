"""`spend`: what was spent since when, by model, batch, deployment or day."""

from __future__ import annotations

import csv
import datetime as dt
import io
from collections.abc import Sequence
from typing import Annotated, Any

import typer

from dailies.options import Config, Json, Sandboxed
from dailies.session import open_store
from dailies.terminal.exits import Exit, UsageError, counted
from dailies.terminal.instants import length
from dailies.terminal.printing import end, print_document, settings_for, tell
from orchestrator.reports.spending import GROUPS, KEPT_DAYS, Spent, grouped, spending, total
from orchestrator.settings import Settings
from orchestrator.video_models.prices import usd


def spend(
    since: Annotated[
        str, typer.Option("--since", help="From this day on (UTC): 2026-11-01, or 7d for a week.", metavar="DATE")
    ] = "",
    until: Annotated[
        str, typer.Option("--until", help="Up to and with this day (UTC); else today.", metavar="DATE")
    ] = "",
    by: Annotated[str, typer.Option("--by", help="Told by any of model,batch,deployment,day.")] = "day",
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV.")] = False,
    config: Config = None,
    sandbox: Sandboxed = False,
    as_json: Json = False,
) -> None:
    """Show what was spent: confirmed, and unknown. Batches that were forgotten are in it, for 800 days."""

    async def work() -> int:
        today = dt.datetime.now(dt.UTC).date()
        first = day_of(since, today, option="--since") or today - dt.timedelta(days=KEPT_DAYS)
        last = day_of(until, today, option="--until") or today
        document = await spend_document(settings_for(config, sandbox=sandbox), first, last, told_by(by))
        if as_json:
            print_document(document)
        else:
            tell(as_sheet(document) if as_csv else as_text(document))
        return Exit.DONE

    end(work)


async def spend_document(settings: Settings, since: dt.date, until: dt.date, by: Sequence[str]) -> dict[str, Any]:
    """As `spend --json` prints it. Raises UsageError."""
    if since > until:
        raise UsageError(f"--since {since} is after --until {until}")
    async with open_store(settings) as session:
        rows = await spending(session.store, since, until)
    return {
        "since": since.isoformat(),
        "until": until.isoformat(),
        "by": list(by),
        "rows": [{name: _plain(getattr(row, name)) for name in by} | _money(row) for row in grouped(rows, by)],
        "total": _money(total(rows)),
    }


def day_of(text: str, today: dt.date, *, option: str) -> dt.date | None:
    """`2026-11-01`, or `7d` for the first of so many days up to `today`; None where nothing is said. Raises
    UsageError."""
    if not text:
        return None
    try:
        return dt.date.fromisoformat(text.strip())
    except ValueError:
        pass
    try:
        days = int(length(text, option=option) / 86_400)
    except UsageError:
        days = 0
    if not days:
        raise UsageError(f"{option} {text} is no day: write it like 2026-11-01, or 7d for a week")
    return today - dt.timedelta(days=days - 1)


def told_by(text: str) -> list[str]:
    """The groups that are named, in their order. Raises UsageError."""
    asked = {name.strip() for name in text.split(",") if name.strip()}
    if unknown := sorted(asked - set(GROUPS)):
        raise UsageError(f"--by {unknown[0]}: it is told by {', '.join(GROUPS)}")
    return [name for name in GROUPS if name in asked]


def as_text(document: dict[str, Any]) -> str:
    """For people: a line for each row, and the total."""
    names = [*document["by"], "confirmed", "unknown", "videos"]
    table = [names]
    for row in document["rows"]:
        told = [f"${row['confirmed_usd']:,.2f}", f"${row['unknown_usd']:,.2f}", f"{row['videos']:,}"]
        table.append([*(str(row[name]) for name in document["by"]), *told])
    widths = [max(len(row[n]) for row in table) for n in range(len(names))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in table]
    all_of = document["total"]
    summary = f"${all_of['confirmed_usd']:,.2f} confirmed, ${all_of['unknown_usd']:,.2f} unknown, of "
    summary += f"{counted(all_of['videos'], 'video')} from {document['since']} to {document['until']} (UTC)"
    if all_of["unpriced"]:
        summary += f"; {all_of['unpriced']:,} of them at a price that is not known, and not in it"
    return "\n".join([*(lines if document["rows"] and document["by"] else []), summary])


def as_sheet(document: dict[str, Any]) -> str:
    """As CSV, without the total."""
    buffer = io.StringIO()
    names = [*document["by"], *document["total"]]
    writer = csv.DictWriter(buffer, names, lineterminator="\r\n")
    writer.writeheader()
    writer.writerows(document["rows"])
    return buffer.getvalue().rstrip("\r\n")


def _money(row: Spent) -> dict[str, Any]:
    return {
        "confirmed_usd": usd(row.confirmed),
        "unknown_usd": usd(row.unknown),
        "videos": row.videos,
        "unpriced": row.unpriced,
    }


def _plain(value: object) -> str | None:
    return None if value is None else str(value)
