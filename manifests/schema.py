"""The JSON Schema of YAML manifests, by which editors complete and check them while somebody writes.

It holds for what can be told of a manifest alone, and never refuses what `load` accepts: sizes, seconds and models are
suggested, since a deployment may have others. `python -m manifests.schema` prints it; `schema.json` is what it printed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from manifests.checking.kind import DEFAULT_MODEL
from manifests.checking.validation import HIGHEST_PRIORITY
from manifests.expansion import MOST_VARIANTS
from manifests.readers.input_file import ROW_FILES
from manifests.vocabulary.amount import SHAPES
from manifests.vocabulary.fields import FIELDS, HEADER
from manifests.vocabulary.glossary import OF_BATCHES, OF_ITEMS, OF_WINDOWS, Meaning
from manifests.vocabulary.rules import KNOWN
from manifests.window import DAYS
from manifests.window import FIELDS as WINDOW_FIELDS

SHIPPED = Path(__file__).with_name("schema.json")

# Every value is read as the text that stands there, whatever YAML takes it for: `007` is a key, `yes` a prompt.
_TEXT = {"type": ["string", "number", "boolean", "null"]}
_NOT_GIVEN = r"^\s*$"
_UNUSUAL = r"[^\x00-\x7F]"  # typed by a word processor perhaps: ×, a no-break space; only the loader can tell
_RATIOS = ("9:16", "16:9", "1:1")
_RULES = [KNOWN[DEFAULT_MODEL], *KNOWN.values()]
_SIZES = tuple(dict.fromkeys(size for rule in _RULES for size in rule.sizes or ()))
_SECONDS = tuple(dict.fromkeys(length for rule in _RULES for length in rule.seconds or ()))


def schema() -> dict[str, Any]:
    """The schema of a YAML manifest, draft 7 of JSON Schema, which editors know best."""
    heading = _described(OF_BATCHES, _heading())
    prompted = {"properties": {"defaults": {"type": "object", "required": ["prompt"]}}, "required": ["defaults"]}
    each_prompted = {"properties": {"items": {"items": {"required": ["prompt"]}}}}
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Dailies manifest",
        "description": "What to make: one batch of videos, checked before anything is ordered.",
        **_mapping({name: heading[name] for name in HEADER}),
        "anyOf": [{"required": ["items"]}, {"required": ["items_from"]}],
        "if": prompted,
        "else": each_prompted,
        "definitions": {"item": _item(_scalars()), "default": _item(_any_value(_scalars()))},
    }


def _item(scalars: dict[str, dict[str, Any]]) -> dict[str, Any]:
    fields = _described(OF_ITEMS, {**scalars, **_collections(scalars)})
    return _mapping({name: fields[name] for name in FIELDS})


def _any_value(scalars: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Suggestions only: a default counts where an item says nothing else, and every item may."""
    checked = ("size", "seconds", "variants", "priority")
    loose = {name: {"anyOf": [scalars[name], _TEXT], "default": scalars[name]["default"]} for name in checked}
    return {**scalars, **loose}


def _heading() -> dict[str, dict[str, Any]]:
    ends = rf"\.({_any_case(*(end.removeprefix('.') for end in ROW_FILES))})"
    name = r"\{date\}|\{time\}|[A-Za-z0-9_-]"
    return {
        "version": {"type": ["integer", "string"], "minimum": 1, "maximum": 1, "pattern": r"^\s*1\s*$", "default": 1},
        "name": _TEXT | {"pattern": rf"^\s*({name})({name}|\.)*\s*$"},
        "defaults": {"anyOf": [{"$ref": "#/definitions/default"}, {"type": "null"}]},
        "budget_usd": {
            "type": ["number", "string", "null"],
            "exclusiveMinimum": 0,
            "pattern": r"^\s*[0-9]{1,9}(\.[0-9]{1,6})?\s*$",
        },
        "window": _mapping(_described(OF_WINDOWS, _window()), required=["start", "end"], empty=True),
        "items": {"type": ["array", "null"], "items": {"$ref": "#/definitions/item"}},
        "items_from": _TEXT | {"pattern": ends},
    }


def _window() -> dict[str, dict[str, Any]]:
    # Unquoted, 22:00 is a number to YAML 1.1.
    time = {"type": ["string", "integer"], "pattern": rf"^\s*[0-9]?[0-9]:[0-5][0-9](:00)?\s*$|{_UNUSUAL}"}
    day = {"anyOf": [{"enum": [*DAYS, "mon-fri", "sat-sun"]}, {"type": "string"}]}
    days = {"anyOf": [{"type": "array", "items": day, "minItems": 1}, day]}
    zone = {"type": "string", "default": "UTC"}
    every: dict[str, dict[str, Any]] = {"start": time, "end": time, "timezone": zone, "days": days}
    return {name: every[name] for name in WINDOW_FIELDS}


def _scalars() -> dict[str, dict[str, Any]]:
    by = rf"[0-9]\s*({_any_case('px')})?\s*({_any_case('x', 'by')}|[*:])\s*[0-9]"
    size = rf"{by}|^\s*({_any_case(*SHAPES)})\s*$|{_UNUSUAL}|{_NOT_GIVEN}"
    units = _any_case("s", "sec", "secs", "second", "seconds")
    seconds = rf"^\s*[0-9]+([.,]0{{0,2}})?\s*({units})?\.?\s*$|{_UNUSUAL}|{_NOT_GIVEN}"
    usual = KNOWN[DEFAULT_MODEL]
    return {
        **dict.fromkeys(("prompt", "key", "input_reference", "remix_of", "deployment"), _TEXT),
        "model": {"anyOf": [{"enum": list(KNOWN)}, _TEXT], "default": DEFAULT_MODEL},
        # Unquoted, 16:9 is a number to YAML 1.1.
        "size": {
            "anyOf": [{"enum": [*_SIZES, *_RATIOS, *SHAPES]}, {"type": ["string", "integer", "null"], "pattern": size}],
            "default": usual.default_size,
        },
        "seconds": {
            "anyOf": [
                {"enum": list(_SECONDS)},
                {"type": ["number", "string", "null"], "minimum": 1, "multipleOf": 1, "pattern": seconds},
            ],
            "default": usual.default_seconds,
        },
        "variants": _whole(1, MOST_VARIANTS) | {"default": 1},
        "priority": _whole(-HIGHEST_PRIORITY, HIGHEST_PRIORITY) | {"default": 0},
    }


def _collections(scalars: Mapping[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    named = {"type": ["object", "null"], "additionalProperties": _TEXT, "propertyNames": {"not": {"const": "key"}}}
    value = {"type": ["string", "number", "boolean"], "minLength": 1}
    axes = {name: _axis({"allOf": [value, scalars[name]]}) for name in ("model", "size", "seconds")}
    matrix = {
        "type": ["object", "null"],
        "properties": axes,
        "additionalProperties": _axis(value),
        "propertyNames": {"not": {"enum": ["key", "prompt", "variants"]}},
    }
    return {"labels": named, "matrix": matrix}


def _axis(value: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "array", "minItems": 1, "items": value}


def _whole(least: int, most: int) -> dict[str, Any]:
    pattern = rf"^\s*[+-]?[0-9]{{1,9}}([.,]0{{1,2}})?\s*$|{_UNUSUAL}|{_NOT_GIVEN}"
    kinds = ["number", "string", "null"]
    return {"type": kinds, "minimum": least, "maximum": most, "multipleOf": 1, "pattern": pattern}


def _mapping(properties: dict[str, Any], required: list[str] | None = None, *, empty: bool = False) -> dict[str, Any]:
    """A mapping of these names and no others; `empty`: it may be left empty."""
    kind = ["object", "null"] if empty else "object"
    found: dict[str, Any] = {"type": kind, "additionalProperties": False, "properties": properties}
    return found | ({"required": required} if required else {})


def _any_case(*words: str) -> str:
    """A pattern of the words in any case; schemas have no other way to say it."""
    return "|".join("".join(f"[{letter}{letter.upper()}]" for letter in word) for word in words)


def _described(meanings: Mapping[str, Meaning], parts: Mapping[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Each part with what its name means; a KeyError where one of the two is missing."""
    found = {}
    for name in {**meanings, **parts}:
        meaning = meanings[name]
        absent = f" When left out: {meaning.absent}." if meaning.absent else ""
        examples = {"examples": list(meaning.examples)} if meaning.examples else {}
        found[name] = {"description": meaning.what + absent, **parts[name], **examples}
    return found


def text() -> str:
    """The schema as `schema.json` has it."""
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    print(text(), end="")
