"""What is wrong with the settings: every problem at once, with its place and mend, and without a secret."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from typing import Any

from pydantic import BaseModel, ValidationError

from manifests.problem import Problem
from orchestrator.settings.schema import Location, children, known_paths, model_at
from orchestrator.settings.tree import Tree

# Where a value may hold a secret (a password in a URL, a key in place of a variable) it is not shown.
SECRET_PARTS = frozenset({"url", "endpoint", "auth"})
SHOWABLE = re.compile(r"[\w .:/-]{1,24}")  # keys are longer: one pasted into the wrong place is not echoed


class SettingsError(Exception):
    """The settings cannot be used. `problems` has all of them; the text is one line a problem."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = list(problems)
        super().__init__("\n".join(map(str, self.problems)))


def problems_of(error: ValidationError, tree: Tree, root: type[BaseModel]) -> list[Problem]:
    """Translate what pydantic found into problems with file, line, key path and mend."""
    found = []
    details = error.errors(include_url=False)
    refused = {tuple(detail["loc"])[:-1] for detail in details}
    for detail in details:
        location: Location = tuple(detail["loc"])
        if detail["type"] == "too_short" and location in refused:
            continue  # it has elements, and what is wrong with each of them is told
        context: dict[str, Any] = detail.get("ctx") or {}
        if detail["type"] == "extra_forbidden":
            message, hint, value = "is not a known key", nearest_key(location, root), ""
            if not SHOWABLE.fullmatch(str(location[-1])):
                location, message = location[:-1], "holds a key that is not known; it may be a secret: not shown"
        else:
            message, hint, value = _message(detail["msg"], detail["type"]), _hint(location, context, root), ""
            if detail["type"] != "missing":
                value = _shown(location, detail["input"])
            if detail["type"] == "literal_error" and value:
                hint = _nearest_word(value, str(context.get("expected"))) or hint
            message += f", not {value}" if value else ""
        found.append(tree.problem(location, message, hint=hint, value=value))
    return found


def nearest_key(location: Location, root: type[BaseModel]) -> str:
    """Name the known key nearest to an unknown one: a sibling first, then the same name on another level."""
    name = str(location[-1])
    parent = model_at(root, location[:-1])
    siblings = sorted(children(parent)) if parent is not None else []
    if match := get_close_matches(name, siblings, n=1, cutoff=0.6):
        return f"did you mean {match[0]}?"
    elsewhere = {path.rsplit(".", 1)[-1]: path for path in known_paths(root)}
    if match := get_close_matches(name, sorted(elsewhere), n=1, cutoff=0.8):
        return f"did you mean {elsewhere[match[0]]}?"
    return nearest_name(name, siblings)


def nearest_name(name: str, known: Sequence[str]) -> str:
    """Name the known name nearest to `name`, however far; when it is no likely slip, also the others."""
    match = get_close_matches(name, known, n=1, cutoff=0.0)
    if not match:
        return "leave it out"
    if get_close_matches(name, match, n=1, cutoff=0.6):
        return f"did you mean {match[0]}?"
    return f"the nearest known one is {match[0]}; known here: {', '.join(known)}"


def _nearest_word(value: str, expected: str) -> str:
    """Of the words that may stand there, in quotes each, the one that was meant; empty where none is near."""
    match = get_close_matches(value.lower(), re.findall("'([^']+)'", expected), n=1, cutoff=0.6)
    return f"did you mean {match[0]}?" if match else ""


def _message(text: str, kind: str) -> str:
    if kind == "missing":
        return "is missing"
    if kind == "too_short":
        return "must have at least one element"
    return re.sub(r"^Input ", "", text).split(", unable")[0].replace("should", "must", 1)


def _hint(location: Location, context: dict[str, Any], root: type[BaseModel]) -> str:
    """A validator's own mend, else the field's description, which says what belongs there."""
    if hint := context.get("hint"):
        return str(hint)
    parent = model_at(root, location[:-1])
    field = parent.model_fields.get(str(location[-1])) if parent is not None else None
    return (field.description or "") if field is not None else ""


def _shown(location: Location, value: object) -> str:
    if SECRET_PARTS & {str(part) for part in location} or not isinstance(value, str | int | float):
        return ""
    text = str(value)
    return text if SHOWABLE.fullmatch(text) else ""
