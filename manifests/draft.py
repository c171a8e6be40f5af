"""A draft: one video as a row asks for it, between expansion and validation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from manifests.problem import Spot
from manifests.readers.row import Row
from manifests.vocabulary.fields import SCALARS

# The fields in which placeholders are filled: texts of the user's own, and names that are built as keys are.
TEMPLATES = ("prompt", "key", "remix_of", "input_reference")
_CONTENT = ("model", "size", "seconds", "input_reference", "remix_of")


@dataclass(slots=True)
class Draft:
    """One video as asked for, defaults laid under it and placeholders filled, nothing checked yet.

    `forced`: what every row is made to say, whatever it says itself. `fields` lacks what nobody gave, and what is no
    text or could not be filled (in `broken`). `axes`: the values of the matrix that this draft has. `take` counts
    variants from 1.
    """

    row: Row
    defaults: Row | None
    forced: Row | None
    fields: dict[str, str]
    labels: dict[str, str]
    axes: Mapping[str, str]
    broken: frozenset[str]
    take: int

    def own(self) -> dict[str, str]:
        """What the row itself, not the defaults, says of the video; also where the row is made to say otherwise.

        A key that is made of it stays then, so that a trial at four seconds and the real thing are one item.
        """
        row, axes, fields = self.row.fields, self.axes, self.fields
        own = {name: fields[name] for name in _CONTENT if (name in row or name in axes) and name in fields}
        return own if self.forced is None else {name: row[name] if self.is_forced(name) else own[name] for name in own}

    def combined(self, axes: Mapping[str, str]) -> Draft:
        """The same with values of a matrix: axes that are no fields are labels as well."""
        fields = self.fields | {name: value for name, value in axes.items() if name in SCALARS}
        labels = self.labels | {name: value for name, value in axes.items() if name not in SCALARS}
        return Draft(self.row, self.defaults, self.forced, fields, labels, axes, self.broken, 1)

    def again(self, take: int) -> Draft:
        """Another take of the same."""
        labels, axes, broken = self.labels, self.axes, self.broken
        return Draft(self.row, self.defaults, self.forced, self.fields, labels, axes, broken, take)

    def is_forced(self, name: str) -> bool:
        return self.forced is not None and name in self.forced.fields

    def spot(self, name: str) -> Spot:
        """Where to mend the value of a field. A default that was filled from the row is judged at the row."""
        source = self.forced if self.is_forced(name) else self.defaults
        if name in TEMPLATES and source is not None and "{" in source.fields.get(name, ""):
            return self.row_spot(name)
        return self.written_spot(name)

    def written_spot(self, name: str) -> Spot:
        """Where the value of a field stands: in an option, the row, its matrix or the defaults; else in the row."""
        row, defaults = self.row, self.defaults
        if self.forced is not None and name in self.forced.fields:
            return self.forced.spot(name)
        if name in row.fields:
            return row.spot(name)
        for source in (row, defaults):
            if source is not None and name in source.matrix:
                return source.spot("matrix", name)
        if defaults is not None and name in defaults.fields:
            return defaults.spot(name)
        return self.row_spot(name)

    def row_spot(self, name: str) -> Spot:
        """The place of a field in the row, of its empty cell too; the row's own where there is none."""
        if name in self.row.fields or self.row.places.knows(name):
            return self.row.spot(name)
        spot = self.row.spot()
        return spot._replace(path=f"{spot.path}.{name}" if spot.path else name)

    def label_spot(self, name: str) -> Spot:
        """Where a label stands."""
        for source in (self.row, self.defaults):
            if source is not None and name in source.labels:
                return source.spot("labels", name)
            if source is not None and name in source.matrix:
                return source.spot("matrix", name)
        return self.row.spot()
