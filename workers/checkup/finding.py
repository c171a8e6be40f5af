"""What a look at one thing found."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Status(StrEnum):
    """OK; WARNING: work is done all the same, at a risk or with something to see to; FAILED: it cannot be done."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Finding:
    """`part` is what was looked at ("redis", a deployment's name, "archive", "inputs"), `check` which of its sides;
    `says` what was found, `mend` what to do about it, `commands` the lines of a shell that do it."""

    part: str
    check: str
    status: Status
    says: str
    mend: str = ""
    commands: tuple[str, ...] = ()


def fine(part: str, check: str, says: str) -> Finding:
    return Finding(part, check, Status.OK, says)


def warning(part: str, check: str, says: str, mend: str = "", *commands: str) -> Finding:
    return Finding(part, check, Status.WARNING, says, mend, commands)


def failed(part: str, check: str, says: str, mend: str = "", *commands: str) -> Finding:
    return Finding(part, check, Status.FAILED, says, mend, commands)
