"""The names that a manifest may use, and what to say about those it may not."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping

from manifests.vocabulary.spelling import field_name

HEADER = ("version", "name", "defaults", "budget_usd", "window", "items", "items_from")
SCALARS = (
    "key",
    "prompt",
    "model",
    "size",
    "seconds",
    "variants",
    "input_reference",
    "remix_of",
    "deployment",
    "priority",
)
FIELDS = (*SCALARS, "labels", "matrix")

_NOT_YET = "take it out: this version cannot carry it out"
_NO_SUCH = "take it out: the video APIs have no such setting"
# Refused by name, so that nobody believes them to be in force.
UNABLE: Mapping[str, str] = {
    "deployments": "deployments are set in dailies.yaml; let an item name one of them: deployment: NAME",
    "weight": _NOT_YET,
    "seed": _NO_SUCH,
    "fps": _NO_SUCH,
    "negative_prompt": f"{_NO_SUCH}; say in the prompt what to leave out",
}
# What other tools call our fields.
_ALSO_CALLED: Mapping[str, str] = {
    "custom_id": "key",
    "id": "key",
    "name": "key",
    "text": "prompt",
    "description": "prompt",
    "duration": "seconds",
    "n_seconds": "seconds",
    "length": "seconds",
    "resolution": "size",
    "aspect_ratio": "size",
    "aspect": "size",
    "format": "size",
    "ratio": "size",
    "dimensions": "size",
    "n": "variants",
    "count": "variants",
    "n_variants": "variants",
    "takes": "variants",
    "image": "input_reference",
    "input_image": "input_reference",
    "reference": "input_reference",
    "remix": "remix_of",
    "deployment_name": "deployment",
    "pin": "deployment",
    "pinned_to": "deployment",
    "tags": "labels",
    "metadata": "labels",
}


def unknown_field(name: str) -> tuple[str, str]:
    """(message, hint) for a field that an item cannot have."""
    if name in UNABLE:
        return f"{name} is not a field of this version", UNABLE[name]
    if name in HEADER:
        return f"{name} is not a field of an item", "it belongs at the top of a YAML manifest, beside items"
    if name == "windows":
        return "windows is not a field of an item", "write window: at the top of a YAML manifest, beside items"
    return f"{name} is not a field of an item", _likely(name, FIELDS)


def unknown_header(name: str) -> tuple[str, str]:
    """(message, hint) for a name that cannot stand at the top of a YAML manifest."""
    if name in UNABLE:
        return f"{name} is not a field of this version", UNABLE[name]
    if name in FIELDS:
        return f"{name} belongs to the items", "put it under defaults to set it for all items, or into each item"
    near = nearest(name, HEADER)
    hint = f"did you mean {near}?" if near else f"known here: {', '.join(HEADER)}"
    return f"{name} is not a field of a manifest", hint


def near_field(column: str) -> str | None:
    """The field for which a column's name was surely meant, or None for an honest label."""
    plain = field_name(column)
    if plain in SCALARS:
        return plain
    return next(iter(difflib.get_close_matches(plain, SCALARS, n=1, cutoff=0.85)), None)


def likely_prompts(columns: Iterable[str]) -> list[str]:
    """The columns that probably hold the prompts."""
    words = ("prompt", "text", "description", "scene", "shot", "idea", "script")
    return [column for column in columns if any(word in column.casefold() for word in words)]


def nearest(name: str, names: Iterable[str]) -> str | None:
    """The name that is most like `name`, None when none is."""
    by_case = {known.casefold(): known for known in names}
    found = difflib.get_close_matches(name.casefold(), by_case, n=1, cutoff=0.6)
    return by_case[found[0]] if found else None


def likely_field(name: str) -> str | None:
    """The field of one value that somebody means who calls it otherwise, None when none is like it."""
    meant = _ALSO_CALLED.get(field_name(name)) or nearest(name, SCALARS)
    # A department, or a state of development, stands in many a sheet; what means a deployment is called like one.
    if meant == "deployment" and field_name(name) not in _ALSO_CALLED and near_field(name) != meant:
        return None
    return meant if meant in SCALARS else None


def nearest_few(name: str, names: Iterable[str]) -> list[str]:
    """Up to three names that are like `name`, or have a word like one of it, the nearest first."""
    by_plain = {field_name(known): known for known in names}
    plain = field_name(name)
    found = difflib.get_close_matches(plain, by_plain, n=3, cutoff=0.6)
    words = plain.split("_")
    for known in by_plain:
        if known not in found and any(
            difflib.get_close_matches(word, words, n=1, cutoff=0.8) for word in known.split("_")
        ):
            found.append(known)
    return [by_plain[known] for known in found[:3]]


def _likely(name: str, names: Iterable[str]) -> str:
    near = _ALSO_CALLED.get(name.casefold()) or nearest(name, names)
    return f"did you mean {near}?" if near else f"put it under labels; an item's fields are {', '.join(names)}"
