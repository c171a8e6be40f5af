"""The settings as raw values, before they are checked, with the place where each was written."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from manifests.problem import Problem
from orchestrator.settings.schema import Location, path_text

ENVIRONMENT = "environment"


@dataclass(frozen=True, slots=True)
class Place:
    """A file with line and column (1-based), or the environment with the variable's name."""

    file: str
    line: int | None = None
    column: int | None = None
    variable: str | None = None


@dataclass(slots=True)
class Tree:
    """Nested plain values, where each stands, and what was wrong already in reading them."""

    file: str = ENVIRONMENT
    values: dict[str, Any] = field(default_factory=dict)
    places: dict[Location, Place] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def put(self, location: Location, value: object, place: Place) -> bool:
        """Set one value over what stands there, making levels as needed.

        False, and nothing set, where a level above is no mapping or the list has no such entry.
        """
        at: Any = self.values
        for part, following in pairwise(location):
            at = _enter(at, part, [] if isinstance(following, int) else {})
        _enter(at, location[-1], value)
        if isinstance(at, dict) or (isinstance(at, list) and location[-1] in range(len(at))):
            at[location[-1]] = value  # type: ignore[index]
        else:
            return False
        for below in [known for known in self.places if known[: len(location)] == location]:
            del self.places[below]
        self.places[location] = place
        return True

    def problem(self, location: Location, message: str, *, hint: str, value: str = "") -> Problem:
        """A problem at a key, placed where the key, or the nearest level above it, was written."""
        depth = next((d for d in range(len(location), 0, -1) if location[:d] in self.places), 0)
        place = self.places.get(location[:depth], Place(self.file))
        path = path_text(location)
        if place.variable is not None:
            rest = path_text(location[depth:])
            path = place.variable + (f".{rest}" if rest and not rest.startswith("[") else rest)
        return Problem(place.file, place.line, place.column, path, value, message, hint)


def _enter(at: Any, part: str | int, empty: object) -> Any:
    """The value at `part`, put there as `empty` when nothing is; None where `at` cannot hold such a part."""
    if isinstance(at, dict):
        if at.get(part) is None:
            at[part] = empty
        return at[part]
    if isinstance(at, list) and isinstance(part, int) and part <= len(at):
        if part == len(at):
            at.append(empty)
        return at[part]
    return None
