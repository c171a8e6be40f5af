"""The source of a manifest's items: read anew as often as they are looked at, so that nobody has to hold them.

Everything flows one way: a reader yields rows with their places, expansion makes drafts of them, and validation makes
orders of those.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from manifests.checking.order import Order
from manifests.checking.pin import Pins
from manifests.checking.validation import Validation
from manifests.draft import Draft
from manifests.expansion import expand
from manifests.heading import Heading
from manifests.problem import Problems
from manifests.readers import csv_reader, jsonl_reader, xlsx_reader, yaml_reader
from manifests.readers.reading import Reading
from manifests.readers.renaming import Renaming
from manifests.readers.row import Row
from manifests.selecting.adjustments import Adjustments
from manifests.selecting.selection import Selection
from manifests.vocabulary.rules import ModelRule, Served

_READERS: Mapping[str, Callable[[Path, Reading], Iterator[Row]]] = {
    ".yaml": yaml_reader.read_items,
    ".yml": yaml_reader.read_items,
    ".csv": csv_reader.read_rows,
    ".tsv": csv_reader.read_rows,
    ".xlsx": xlsx_reader.read_rows,
    ".jsonl": jsonl_reader.read_rows,
    ".ndjson": jsonl_reader.read_rows,
}

Stamp = tuple[tuple[int, int, int], ...]


@dataclass(frozen=True, slots=True)
class Source:
    """What to read and how.

    - `called`: the manifest's name in messages
    - `folder`: what its paths are relative to
    - `models`, `deployments`: what is served, by model and by deployment; None leaves that unchecked
    - `pins`: whether an item keeps the deployment that it names
    - `forced`: what every row is made to say
    """

    path: Path
    called: str
    folder: Path
    heading: Heading
    models: Mapping[str, ModelRule] | None
    deployments: Mapping[str, Served] | None
    pins: bool
    adjustments: Adjustments
    forced: Row | None

    def orders(
        self,
        problems: Problems,
        columns: dict[str, None],
        *,
        wanted: Collection[str] | None = None,
        note_any: Callable[[str | None], None] | None = None,
    ) -> Iterator[tuple[Draft, str | None, Order | None]]:
        """Each draft with its key and what it orders; None where that is wrong, which is in `problems`.

        `columns` gathers the manifest's own. `wanted`: the only keys to look at. `note_any` gets the key of every
        row, also of those that are left out.
        """
        pins = Pins(self.deployments, problems, kept=self.pins)
        validation = Validation(self.folder, self.models, pins, problems)
        defaults, forced, said = self.heading.defaults, self.forced, self.adjustments
        renaming = Renaming(said.columns, self.called, problems) if said.columns else None
        selection = Selection(said.where, defaults, columns, renaming, self.called) if said.where else None
        given = frozenset(name for row in (defaults, forced) if row is not None for name in row.fields)
        for path, called in self._files():
            reading = Reading(called, problems, columns, given, said.sheet, renaming)
            problems.begin_file(called)
            try:
                rows = _READERS[path.suffix.lower()](path, reading)
                if note_any is not None:
                    rows = self._noted(rows, validation, note_any)
                for row in rows if selection is None else selection.kept(rows, problems):
                    problems.begin_row()
                    for draft in expand(row, defaults, forced, problems):
                        key = validation.key(draft)
                        if wanted is None or key in wanted:
                            yield draft, key, validation.order(draft, key)
            except OSError as error:
                message = f"cannot be read: {error.strerror or error}"
                reading.problem(None, None, "", "", message, "check the file and its permissions")
        if renaming is not None:
            renaming.check()
        if selection is not None:
            selection.check({**columns, **self.heading.default_columns}, problems)

    def stamp(self) -> Stamp:
        """What changes when a file of the manifest does; zeros for one that is gone."""
        stamps = []
        for path, _ in self._files(whole=True):
            try:
                found = path.stat()
                stamps.append((found.st_mtime_ns, found.st_size, found.st_ino))
            except OSError:
                stamps.append((0, 0, 0))
        return tuple(stamps)

    def _files(self, *, whole: bool = False) -> Iterator[tuple[Path, str]]:
        """The files that have items, each with its name in messages; `whole`: the manifest's even if it has none."""
        if whole or self.heading.has_items:
            yield self.path, self.called
        if self.heading.rows is not None:
            yield self.heading.rows, str(self.heading.rows)

    def _noted(self, rows: Iterator[Row], validation: Validation, note: Callable[[str | None], None]) -> Iterator[Row]:
        for row in rows:
            for draft in expand(row, self.heading.defaults, self.forced, Problems()):
                note(validation.key(draft))
            yield row
