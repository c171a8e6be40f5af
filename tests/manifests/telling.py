"""Problems and items as the corpus writes them: plain lines that a person can check."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from pathlib import Path

from manifests import Item, Problem
from manifests.selecting.adjustments import Adjustments


def told(problem: Problem, folder: Path) -> str:
    """A problem in three lines: its place with path and value, what is wrong, what to do."""
    place = ":".join(str(part) for part in (problem.file, problem.line, problem.column) if part is not None)
    head = " ".join(part for part in (place, problem.path, repr(problem.value) if problem.value else "") if part)
    text = f"{head}\n    {problem.message}\n    {problem.hint}\n"
    return text.replace(f"{folder}/", "").replace(str(folder), "FOLDER")


def listed(item: Item) -> str:
    """An item in a line or two."""
    line = f"{item.line}: {item.key} | {item.prompt!r} | {item.model} {item.size} {item.seconds} s"
    if item.priority:
        line += f" | priority {item.priority}"
    if item.remix_of:
        line += f" | remix of {item.remix_of}"
    if item.deployment:
        line += f" | at {item.deployment}"
    if item.labels:
        line += "\n    " + ", ".join(f"{name}={value}" for name, value in item.labels.items())
    return line + "\n"


def options_of(manifest: Path) -> Adjustments:
    """The options with which a manifest of the corpus is read: those in its `.options`, one a line; most have none."""
    path = Path(f"{manifest}.options")
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return adjustments(line.split(" ", 1) for line in lines)


def adjustments(options: Iterable[Sequence[str]]) -> Adjustments:
    """What options say, each with its value."""
    said: dict[str, list[str]] = {}
    for option, value in options:
        said.setdefault(option, []).append(value)

    def pairs(option: str) -> list[tuple[str, str]]:
        return [(name, value) for name, _, value in (text.partition("=") for text in said.pop(option, []))]

    def one(option: str) -> str | None:
        return said.pop(option, [None])[0]

    budget, sample = one("--budget-usd"), one("--sample")
    read = Adjustments(
        name=one("--name"),
        budget_usd=Decimal(budget) if budget else None,
        fields=dict(pairs("--set")),
        columns=dict(pairs("--map")),
        key=one("--key"),
        where=tuple(pairs("--where")),
        sample=int(sample) if sample else None,
        sheet=one("--sheet"),
    )
    assert not said, said
    return read
