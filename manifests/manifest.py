"""The manifest: a streaming pass finds every problem, further passes hand out the items.

Everything flows one way: a reader yields rows with their places, expansion makes drafts of them, validation makes
items of those, and the register looks at what holds only for all of them together. No step holds the items.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from manifests import csv_reader, jsonl_reader, xlsx_reader, yaml_reader
from manifests.draft import Draft
from manifests.expansion import expand
from manifests.heading import Heading, read_heading, too_large, unreadable
from manifests.item import Item
from manifests.order import Order
from manifests.problem import Problems, Spot
from manifests.register import Register
from manifests.row import Reading, Row
from manifests.rules import ModelRule
from manifests.validation import Validation

_READERS: Mapping[str, Callable[[Path, Reading], Iterator[Row]]] = {
    ".yaml": yaml_reader.read_items,
    ".yml": yaml_reader.read_items,
    ".csv": csv_reader.read_rows,
    ".tsv": csv_reader.read_rows,
    ".xlsx": xlsx_reader.read_rows,
    ".jsonl": jsonl_reader.read_rows,
    ".ndjson": jsonl_reader.read_rows,
}

Kind = tuple[str, str, int]
Stamp = tuple[tuple[int, int, int], ...]


@dataclass(frozen=True, slots=True)
class Manifest:
    """A manifest without problems.

    - `name`: the batch's; `{date}` and `{time}` are not filled in yet
    - `budget_usd`: None where there is none
    - `columns`: the manifest's own columns in order: all of a CSV's header; of YAML and JSONL the fields, labels and
      axes as they first appear
    - `item_count`: after expansion
    - `kinds`: which model, size and seconds occur, so that prices can be checked before anything is queued
    - `images`: every input_reference that occurs
    """

    path: Path
    name: str
    budget_usd: Decimal | None
    columns: tuple[str, ...]
    item_count: int
    kinds: frozenset[Kind]
    images: frozenset[str]
    _heading: Heading
    _models: Mapping[str, ModelRule] | None
    _stamp: Stamp
    _sheet: str | None

    def items(self) -> Iterator[Item]:
        """The items in the manifest's order, read anew each time; memory stays flat.

        Raises ManifestError when a file is not as it was loaded: nobody has seen what would be ordered then.
        """
        problems = Problems()
        self._check_unchanged(problems)
        for draft, key, order in _orders(self.path, self._heading, self._models, self._sheet, problems, {}):
            problems.raise_if_any()
            if key is not None and order is not None:
                yield order.item(key, draft)
        problems.raise_if_any()
        self._check_unchanged(problems)

    def _check_unchanged(self, problems: Problems) -> None:
        if _stamp(self.path, self._heading) != self._stamp:
            hint = "run the command again; what was queued already stays"
            problems.add(Spot(str(self.path), None, None, ""), "", "the file changed while it was read", hint)
        problems.raise_if_any()


def load(path: Path, *, models: Mapping[str, ModelRule] | None = None, sheet: str | None = None) -> Manifest:
    """Reads a manifest as a stream, and finds every problem.

    `models`: what the deployments serve, by name; None leaves that unchecked and goes by the known models' rules.
    `sheet`: which one of a workbook holds the items; None for the first.
    Raises ManifestError, and nothing else for whatever the file holds.
    """
    path = Path(path)
    problems = Problems()
    problems.begin_file(str(path))
    _check_file(path, problems)
    reading = Reading(str(path), problems)
    try:
        heading = read_heading(path, reading)
    except OSError as error:
        heading = None
        reading.problem(None, None, "", "", f"cannot be read: {error.strerror or error}", "check its permissions")
    if heading is None:
        raise problems.error()
    if sheet is not None and not any(source.suffix.lower() == ".xlsx" for source in (path, heading.rows) if source):
        reading.problem(None, None, "", sheet, "only an .xlsx file has sheets", "leave the sheet out")
    stamp = _stamp(path, heading)
    register = Register(problems)
    columns: dict[str, None] = {}
    count = 0
    kinds: set[Kind] = set()
    images: set[str] = set()
    for draft, key, order in _orders(path, heading, models, sheet, problems, columns):
        register.note(key, order, draft)
        if order is not None:
            count += 1
            kinds.add(order.kind.named)
            if (image := order.image[0]) is not None:
                images.add(image)
    if register.must_look_again():
        for draft, key, order in _orders(path, heading, models, sheet, Problems(), {}):
            register.note_again(key, order, draft)
        register.finish()
    if count == 0 and problems.count == 0:
        reading.problem(None, None, "", "", "there are no items", "write at least one, with a prompt")
    problems.raise_if_any()
    columns.update(heading.default_columns)
    return Manifest(
        path=path,
        name=heading.name,
        budget_usd=heading.budget_usd,
        columns=tuple(columns),
        item_count=count,
        kinds=frozenset(kinds),
        images=frozenset(images),
        _heading=heading,
        _models=models,
        _stamp=stamp,
        _sheet=sheet,
    )


def _orders(
    path: Path,
    heading: Heading,
    models: Mapping[str, ModelRule] | None,
    sheet: str | None,
    problems: Problems,
    columns: dict[str, None],
) -> Iterator[tuple[Draft, str | None, Order | None]]:
    """Each draft with its key and what it orders; None where that is wrong, which is in `problems`."""
    validation = Validation(path.parent, models, problems)
    defaults = heading.defaults
    given = frozenset(defaults.fields) if defaults is not None else frozenset[str]()
    sources = [path] if heading.has_items else []
    for source in [*sources, *([heading.rows] if heading.rows else [])]:
        reading = Reading(str(source), problems, columns, given, sheet)
        problems.begin_file(reading.file)
        try:
            for row in _READERS[source.suffix.lower()](source, reading):
                problems.begin_row()
                for draft in expand(row, defaults, problems):
                    key = validation.key(draft)
                    yield draft, key, validation.order(draft, key)
        except OSError as error:
            message = f"cannot be read: {error.strerror or error}"
            reading.problem(None, None, "", "", message, "check the file and its permissions")


def _check_file(path: Path, problems: Problems) -> None:
    """Raises ManifestError where there is no file, or none of a known kind."""
    wrong = None
    if why := unreadable(path):
        wrong = why, "check the path; a manifest is a .yaml, .csv, .xlsx or .jsonl file"
    elif path.suffix.lower() not in _READERS:
        spreadsheet = path.suffix.lower() in (".xls", ".xlsm", ".ods", ".numbers")
        hint = (
            "save it as .xlsx, or the sheet as CSV UTF-8"
            if spreadsheet
            else f"its name must end in one of {', '.join(_READERS)}"
        )
        wrong = "the kind of manifest cannot be told by the file's name", hint
    else:
        wrong = too_large(path)
    if wrong:
        problems.add(Spot(str(path), None, None, ""), "", *wrong)
    problems.raise_if_any()


def _stamp(path: Path, heading: Heading) -> Stamp:
    """What changes when a file of the manifest does; zeros for one that is gone."""
    stamps = []
    for source in [path, *([heading.rows] if heading.rows else [])]:
        try:
            found = source.stat()
            stamps.append((found.st_mtime_ns, found.st_size, found.st_ino))
        except OSError:
            stamps.append((0, 0, 0))
    return tuple(stamps)
