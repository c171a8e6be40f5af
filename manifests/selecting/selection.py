"""Selection: `--where` says which rows of a manifest count. What is wrong with the others nobody needs to know yet."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field

from manifests.problem import Problems, Spot, excerpt
from manifests.readers.renaming import Renaming
from manifests.readers.row import Row
from manifests.vocabulary.fields import SCALARS, nearest_few
from manifests.vocabulary.spelling import field_name, tidy

_SHOWN = 5


@dataclass(slots=True)
class _Condition:
    """`meant`: the field that it is about, None for a label. `held`: for any row up to now. `seen`: some of the values
    that stand there."""

    name: str
    value: str
    folded: str
    meant: str | None
    held: bool = False
    seen: dict[str, str] = field(default_factory=dict)


class Selection:
    """The rows for which all conditions hold; one for each reading of a manifest.

    `columns`: those of the manifest, growing as it is read. `file`: the manifest's, as messages name it.
    """

    def __init__(
        self,
        where: Collection[tuple[str, str]],
        defaults: Row | None,
        columns: Collection[str],
        renaming: Renaming | None,
        file: str,
    ) -> None:
        self._defaults, self._columns, self._file = defaults, columns, file
        self._conditions = [
            _Condition(tidy(name), tidy(value), _folded(value), _field(name, renaming))
            for name, value in where
            if tidy(name)
        ]
        self._looked = self._kept = 0

    def kept(self, rows: Iterator[Row], problems: Problems) -> Iterator[Row]:
        """The rows that count. What a reader said of the others is forgotten."""
        row: Row | None
        while True:
            problems.hold()
            try:
                row = next(rows, None)
            except BaseException:
                problems.settle(None)
                raise
            keeps = row is not None and self.keeps(row)
            problems.settle(row.line if row is not None and not keeps else None)
            if row is None:
                return
            if keeps:
                yield row

    def keeps(self, row: Row) -> bool:
        """Whether a row counts. Of its axes only the values stay for which the conditions hold."""
        self._looked += 1
        for condition in self._conditions:
            axis, values = self._values(row, condition)
            if len(condition.seen) < _SHOWN:
                for value in values:
                    condition.seen.setdefault(_folded(value), value)
            fitting = [value for value in values if _folded(value) == condition.folded]
            if not fitting:
                return False
            condition.held = True
            if axis is not None and len(fitting) < len(values):
                row.matrix[axis] = fitting
        self._kept += 1
        return True

    def _values(self, row: Row, condition: _Condition) -> tuple[str | None, list[str]]:
        """(axis or None, what a row or its defaults say there); an empty text where that is nothing."""
        sources = [row] if self._defaults is None else [row, self._defaults]
        for source in sources:
            texts = source.labels if condition.meant is None else source.fields
            for names in (texts, source.matrix):
                name = self._named(condition, names)
                if name is not None and name in source.matrix and name not in texts:
                    return name, source.matrix[name] or [""]
                if name is not None:
                    return None, [texts[name]]
        return None, [""]

    def _named(self, condition: _Condition, names: Collection[str]) -> str | None:
        exact = condition.meant or condition.name
        if exact in names:
            return exact
        if condition.meant is not None or exact in self._columns:
            return None
        wanted = field_name(exact)
        return next((name for name in names if field_name(name) == wanted), None)

    def check(self, columns: Collection[str], problems: Problems) -> None:
        """Notes, after the last row, conditions on columns that are not there, or that no row fulfils."""
        known = {field_name(column) for column in columns}
        unknown = [c for c in self._conditions if c.meant is None and field_name(c.name) not in known]
        for condition in unknown:
            near = nearest_few(condition.name, [*columns, *SCALARS])
            named = ", ".join(map(excerpt, near or list(columns)[:12]))
            hint = f"did you mean {named}?" if near else f"the columns are {named}" if named else "it has none"
            message = f"there is no column and no label {excerpt(condition.name)}"
            problems.add(self._spot(condition), condition.name, message, hint)
        if self._looked and not self._kept and not unknown:
            asked = " and ".join(f"{excerpt(c.name)}={excerpt(c.value)}" for c in self._conditions)
            blocking = next(c for c in self._conditions if not c.held)
            shown = ", ".join(excerpt(value) or "nothing" for value in list(blocking.seen.values())[:_SHOWN])
            more = ", …" if len(blocking.seen) >= _SHOWN else ""
            hint = f"what stands in {excerpt(blocking.name)}: {shown}{more}"
            message = f"nothing is left: of {self._looked:,} rows none has {asked}"
            problems.add(self._spot(blocking), "", message, hint)

    def _spot(self, condition: _Condition) -> Spot:
        return Spot(self._file, None, None, f"--where {condition.name}={condition.value}")


def _field(name: str, renaming: Renaming | None) -> str | None:
    if renaming is not None and (field := renaming.field_of(name)) is not None:
        return field
    return plain if (plain := field_name(name)) in SCALARS else None


def _folded(value: str) -> str:
    return tidy(value).casefold()
