"""The manifest: a streaming pass finds every problem, further passes hand out the items.

What holds only for all items together is looked at by the register. No step holds the items.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from manifests.checking.register import Register
from manifests.heading import read_heading
from manifests.item import Item
from manifests.problem import Problems, Spot
from manifests.readers.input_file import unusable
from manifests.readers.reading import Reading
from manifests.readers.standard_input import STDIN
from manifests.selecting.adjustments import NOTHING, Adjustments, check, forced_row
from manifests.selecting.sample import Sample
from manifests.source import Source, Stamp
from manifests.vocabulary.rules import ModelRule, Served
from manifests.window import Window

#: Model, size and seconds, and the deployment where only one may make it.
Kind = tuple[str, str, int] | tuple[str, str, int, str]


@dataclass(frozen=True, slots=True)
class Manifest:
    """A manifest without problems, as far as it was asked for: rows that were left out do not count anywhere.

    - `path`: the file that is read; `called`: its name in messages
    - `name`: the batch's; `{date}` and `{time}` are not filled in yet
    - `budget_usd`: None where there is none
    - `window`: the hours in which videos may be ordered; None for all
    - `columns`: the manifest's own columns in order: all of a CSV's header; of YAML and JSONL the fields, labels and
      axes as they first appear
    - `item_count`: after expansion
    - `kinds`: which model, size and seconds occur, and at which deployment where only one may make it, so that prices
      can be checked before anything is queued
    - `images`: every input_reference that occurs
    """

    path: Path
    called: str
    name: str
    budget_usd: Decimal | None
    window: Window | None
    columns: tuple[str, ...]
    item_count: int
    kinds: frozenset[Kind]
    images: frozenset[str]
    _source: Source
    _sample: frozenset[str] | None
    _stamp: Stamp

    def items(self) -> Iterator[Item]:
        """The items in the manifest's order, read anew each time; memory stays flat.

        Raises ManifestError when a file is not as it was loaded: nobody has seen what would be ordered then.
        """
        problems = Problems()
        self._check_unchanged(problems)
        for draft, key, order in self._source.orders(problems, {}, wanted=self._sample):
            problems.raise_if_any()
            if key is not None and order is not None:
                yield order.item(key, draft)
        problems.raise_if_any()
        self._check_unchanged(problems)

    def _check_unchanged(self, problems: Problems) -> None:
        if self._source.stamp() != self._stamp:
            hint = "run the command again; what was queued already stays"
            problems.add(Spot(self.called, None, None, ""), "", "the file changed while it was read", hint)
        problems.raise_if_any()


def load(
    path: Path,
    *,
    models: Mapping[str, ModelRule] | None = None,
    deployments: Mapping[str, Served] | None = None,
    pins: bool = True,
    adjustments: Adjustments = NOTHING,
    called: str | None = None,
    folder: Path | None = None,
) -> Manifest:
    """Reads a manifest as a stream, and finds every problem.

    - `models`: what the deployments serve, by name; None leaves that unchecked and goes by the known models' rules
    - `deployments`: what each one serves, by its name; None leaves what an item says of that unchecked
    - `pins`: False lets any deployment make an item that names one (a rehearsal)
    - `adjustments`: what is said about the manifest besides; its problems name the option as their `path`
    - `called`: how messages name the file, where its path says nothing to anybody
    - `folder`: what paths in the manifest are relative to; None for the file's, or where we are if it is `called`

    Raises ManifestError, and nothing else for whatever the file holds.
    """
    path = Path(path)
    folder = folder or (path.parent if called is None else Path())
    called = called or str(path)
    problems = Problems()
    problems.begin_file(called)
    reading = Reading(called, problems)
    heading = None
    try:
        if wrong := unusable(path):
            reading.problem(None, None, "", "", *wrong)
        else:
            heading = read_heading(path, folder, reading)
    except OSError as error:
        reading.problem(None, None, "", "", f"cannot be read: {error.strerror or error}", "check its permissions")
    if heading is None:
        raise problems.error()
    check(adjustments, called, problems)
    if adjustments.sheet is not None and not any(
        file.suffix.lower() == ".xlsx" for file in (path, heading.rows) if file is not None
    ):
        reading.problem(None, None, "--sheet", adjustments.sheet, "only an .xlsx file has sheets", "leave --sheet out")
    forced = forced_row(adjustments, called)
    source = Source(path, called, folder, heading, models, deployments, pins, adjustments, forced)
    stamp = source.stamp()
    register = Register(problems)
    sample = Sample(adjustments.sample) if adjustments.sample is not None else None
    columns: dict[str, None] = {}
    count = 0
    kinds: set[Kind] = set()
    images: set[str] = set()
    for draft, key, order in source.orders(problems, columns):
        register.note(key, order, draft)
        if order is None:
            continue
        count += 1
        if sample is not None and key is not None:
            sample.offer(key, order)
            continue
        kinds.add(order.kind.priced)
        if (image := order.image[0]) is not None:
            images.add(image)
    if register.must_look_again():
        note_any = register.note_any if adjustments.where else None
        for draft, key, order in source.orders(Problems(), {}, note_any=note_any):
            register.note_again(key, order, draft)
        register.finish()
    if count == 0 and problems.count == 0:
        reading.problem(None, None, "", "", "there are no items", "write at least one, with a prompt")
    if sample is not None:
        chosen, kinds, images = sample.keys, sample.kinds, sample.images
        if count and not chosen and not problems.count:
            message = "every item is a remix of another one, and those are never in a sample"
            reading.problem(None, None, "--sample", str(adjustments.sample), message, "leave --sample out")
    name = adjustments.name or heading.name
    if name == STDIN == called:
        message = "what comes from standard input has no file's name to be called after"
        reading.problem(None, None, "--name", "", message, "name the batch: --name spring")
    problems.raise_if_any()
    columns.update(heading.default_columns)
    return Manifest(
        path=path,
        called=called,
        name=name,
        budget_usd=heading.budget_usd if adjustments.budget_usd is None else adjustments.budget_usd,
        window=heading.window if adjustments.window is None else adjustments.window,
        columns=tuple(columns),
        item_count=count if sample is None else len(chosen),
        kinds=frozenset(kinds),
        images=frozenset(images),
        _source=source,
        _sample=None if sample is None else chosen,
        _stamp=stamp,
    )
