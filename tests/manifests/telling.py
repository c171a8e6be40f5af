"""Problems and items as the corpus writes them: plain lines that a person can check."""

from __future__ import annotations

from pathlib import Path

from manifests import Item, Problem


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
    if item.labels:
        line += "\n    " + ", ".join(f"{name}={value}" for name, value in item.labels.items())
    return line + "\n"
