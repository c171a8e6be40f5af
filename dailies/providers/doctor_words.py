"""What the doctor found as people read it: a table, and below it what to mend, with the lines to give."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table
from rich.text import Text

from dailies.providers.doctor import Diagnosis
from dailies.terminal.exits import counted
from orchestrator.logs.harmless import harmless
from workers.checkup import Status

_STYLES = {Status.OK: "green", Status.WARNING: "yellow", Status.FAILED: "bold red"}


def print_diagnosis(found: Diagnosis, console: Console) -> None:
    """The table, what to mend, and the sum of it."""
    table = Table("", "part", "check", "found", box=None, pad_edge=False)
    last = ""
    for finding in found.findings:
        part = "" if finding.part == last else finding.part
        last = finding.part
        status = Text(str(finding.status), style=_STYLES[finding.status])
        table.add_row(status, part, finding.check, Text(harmless(finding.says, lines=False)))
    if console.is_terminal:
        console.print(table)
    else:  # a table fills each line up to its longest, which in a log is very long
        with console.capture() as drawn:
            console.print(table)
        for line in drawn.get().splitlines():
            _line(console, line.rstrip())
    for finding in found.findings:
        if finding.status is Status.OK or not (finding.mend or finding.commands):
            continue
        _line(console, "")
        _line(console, f"{finding.part}, {finding.check}: {finding.mend or finding.says}")
        for command in finding.commands:
            _line(console, f"    {command}")
    _line(console, "")
    for part, claims in sorted(found.identities.items()):
        _line(console, f"For {part} this is the {claims.words()}.")
    _line(console, summary(found))


def summary(found: Diagnosis) -> str:
    """In one line."""
    failed = sum(finding.status is Status.FAILED for finding in found.findings)
    warned = sum(finding.status is Status.WARNING for finding in found.findings)
    warnings = f", {counted(warned, 'warning')}" if warned else ""
    if failed:
        return f"{counted(failed, 'check')} failed{warnings}: nothing can be made until that is mended."
    return f"All is well{warnings}."


def _line(console: Console, text: str) -> None:
    console.print(harmless(text, lines=False), markup=False, highlight=False, soft_wrap=True)
