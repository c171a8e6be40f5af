"""Expansion: one row becomes one draft for each combination of its matrix and each of its variants."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType

from manifests.draft import TEMPLATES, Draft
from manifests.problem import Problems, Spot, excerpt
from manifests.readers.row import Row
from manifests.template import BadTemplate, Missing, fill, placeholders
from manifests.vocabulary.amount import whole_of
from manifests.vocabulary.fields import SCALARS, nearest
from manifests.vocabulary.spelling import field_name

MOST_VARIANTS = 1_000
MOST_COMBINATIONS = 100_000
_NO_AXES = ("key", "prompt", "variants")
_NO_MATRIX: Mapping[str, str] = MappingProxyType({})


def expand(row: Row, defaults: Row | None, forced: Row | None, problems: Problems) -> Iterable[Draft]:
    """The drafts of a row, in the order of its axes, the last one turning fastest; its variants side by side.

    `defaults` lie under each row, `forced` over it: an axis of the same name then makes no difference any more.
    """
    fields, labels, matrix = row.fields, row.labels, row.matrix
    if defaults is not None:
        fields, labels = {**defaults.fields, **fields}, {**defaults.labels, **labels}
        matrix = {**defaults.matrix, **matrix}
    if forced is not None:
        fields = {**fields, **forced.fields}
        matrix = {axis: values for axis, values in matrix.items() if axis not in forced.fields}
    draft = Draft(row, defaults, forced, fields, labels, _NO_MATRIX, row.broken, 1)
    variants = _variants(draft, problems) if "variants" in fields else 1
    return _combinations(draft, matrix, variants, problems) if matrix else _takes(draft, variants, problems)


def _combinations(draft: Draft, matrix: dict[str, list[str]], variants: int, problems: Problems) -> Iterator[Draft]:
    if not _axes_hold(draft, matrix, problems):
        # One draft stands for all, so that what else is wrong with the row is found as well. It has no key.
        first = {axis: next(filter(None, values), "?") for axis, values in matrix.items() if axis not in _NO_AXES}
        for single in _takes(draft.combined(first), 1, problems):
            single.broken |= {"key"}
            yield single
        return
    for values in itertools.product(*matrix.values()):
        yield from _takes(draft.combined(dict(zip(matrix, values, strict=True))), variants, problems)


def _takes(draft: Draft, variants: int, problems: Problems) -> list[Draft]:
    texts = draft.fields
    if draft.row.verbatim:
        texts = draft.forced.fields if draft.forced is not None else {}
    if _has_braces(texts):
        draft.fields = dict(draft.fields)
        _fill(draft, texts, problems)
    if variants == 1:
        return [draft]
    return [draft, *[draft.again(take) for take in range(2, variants + 1)]]


def _has_braces(fields: Mapping[str, str]) -> bool:
    for name in TEMPLATES:
        text = fields.get(name)
        if text is not None and ("{" in text or "}" in text):
            return True
    return False


def _fill(draft: Draft, texts: Mapping[str, str], problems: Problems) -> None:
    """Fills the placeholders of these texts of a draft in place; what cannot be filled is told and taken out."""
    known: dict[str, str] | None = None
    fields = draft.fields
    for name in TEMPLATES:
        text = texts.get(name)
        if text is None or ("{" not in text and "}" not in text):
            continue
        if known is None:
            plain = {field: value for field, value in fields.items() if field not in TEMPLATES}
            known = {**plain, **draft.labels, **draft.axes}
        try:
            filled = fill(text, known).strip()
        except BadTemplate as error:
            hint = "write {{ or }} for a brace that is meant as such, {name} for a placeholder"
            problems.add(draft.written_spot(name), text, f"a brace stands alone: {excerpt(error.at)}", hint)
        except Missing as error:
            problems.add(*_missing(draft, name, text, error.name, known))
        else:
            if filled:
                fields[name] = filled
                continue
            problems.add(draft.spot(name), text, "is empty once its placeholders are filled", "write a text there too")
        draft.broken |= {name}
        del fields[name]


def _missing(draft: Draft, name: str, text: str, wanted: str, known: dict[str, str]) -> tuple[Spot, str, str, str]:
    if wanted and draft.row.places.knows(wanted) and wanted not in TEMPLATES:
        message = f"{{{excerpt(wanted)}}} stands in the {name}, and this row has no {excerpt(wanted)}"
        return draft.row.spot(wanted), text, message, "fill the cell, or take the placeholder out"
    near = nearest(wanted, known)
    names = ", ".join(f"{{{excerpt(label)}}}" for label in itertools.islice(known, 12))
    hint = f"did you mean {{{near}}}? Else" if near else f"known here: {names};" if known else "no labels are given;"
    hint += " write {{ and }} for braces that are meant as such"
    spot, row = draft.written_spot(name), draft.row.spot()
    if spot.shared:  # told once for all rows, so it names the first
        hint = f"first missed by the item on line {row.line} of {row.file}; {hint}"
    return spot, text, f"nothing is named {{{excerpt(wanted)}}}", hint


def _variants(draft: Draft, problems: Problems) -> int:
    text = draft.fields["variants"]
    variants = whole_of(text)
    if variants is not None and 1 <= variants <= MOST_VARIANTS:
        return variants
    message = f"must be a whole number from 1 to {MOST_VARIANTS}"
    hint = "write how many takes you want, or leave it out for one"
    problems.add(draft.written_spot("variants"), text, message, hint)
    return 1


def _axes_hold(draft: Draft, matrix: dict[str, list[str]], problems: Problems) -> bool:
    """Whether the matrix can be expanded. Each axis must change the video's prompt, key or a field."""
    row, defaults, labels = draft.row, draft.defaults, draft.labels
    used = _used(draft.fields)
    sound = all(values and all(values) for values in matrix.values())
    for axis in matrix:
        source = defaults if defaults is not None and axis not in row.matrix else row
        spot = source.spot("matrix", axis)
        if axis in _NO_AXES:
            hint = f"give the axis another name and write {{{axis}_name}} where it shall stand"
            problems.add(spot, axis, f"an axis cannot be named {axis}", hint)
            sound = False
        elif axis in row.fields or axis in labels:
            what = "a field" if axis in row.fields else "a label"
            hint = "take one of the two out, or rename it"
            problems.add(spot, axis, f"{excerpt(axis)} is {what} and an axis at once", hint)
            sound = False
        elif used is not None and matrix[axis] and field_name(axis) not in used and axis not in SCALARS:
            message = f"the axis {excerpt(axis)} changes nothing: the same video would be ordered again and again"
            problems.add(spot, axis, message, f"write {{{excerpt(axis)}}} in prompt or key; for more takes, variants")
            sound = False
    if (count := math.prod(map(len, matrix.values()))) > MOST_COMBINATIONS:
        message = f"the matrix makes {count:,} items, and a row may make {MOST_COMBINATIONS:,}"
        problems.add(row.spot("matrix"), "", message, "take values out, or write the rows into a CSV")
        sound = False
    return sound


def _used(fields: dict[str, str]) -> frozenset[str] | None:
    """The placeholders of all texts, spelled as fields are; None when a text is broken, which is told elsewhere."""
    try:
        return frozenset(field_name(each) for name in TEMPLATES for each in placeholders(fields.get(name, "")))
    except BadTemplate:
        return None
