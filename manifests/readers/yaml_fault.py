"""Why a document is not YAML, for people who never heard of it: what libyaml says, looked up in the line it means."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

import yaml

_LONGEST_LINE = 1 << 16
_LONGEST_SHOWN = 60
_ENTRY = re.compile(r"(?P<indent>\s*(?:- +)*)(?P<name>[^\s:#\"'{\[][^:]*):\s+(?P<value>\S.*)")
_QUOTED = {'"': '"', "'": "'", "“": "”", "„": "“", "‘": "’", "«": "»"}
_OWN_MEANING = "*&@%`!?-,]}"

# What is opened and never closed is told at the place where it was opened.
_OPENED = (
    (
        "did not find expected ',' or",
        "a list or mapping in brackets is not closed, or a comma is missing in it",
        "close it with ] or }; a text with { or [ or a comma in it must stand in quotes there",
    ),
    ("unexpected end of stream", "a quote is opened and never closed", "close the quote"),
    (
        "could not find expected ':'",
        "this line has no colon, and does not belong to the text above it",
        "a text that goes on must be indented further than its name; else write name: value",
    ),
)
_SAID = (
    (
        "did not find expected key",
        "this does not fit what stands before it",
        'indent it like its neighbours; a text that begins with { or [ or " must be in quotes as a whole',
    ),
    (
        "did not find expected '-'",
        "this line does not fit the list above it",
        "indent it like its neighbours; each item begins with - in the same column",
    ),
    ("mapping values are not allowed", "a colon stands where none can be", 'put the text in quotes: "like: this"'),
    ("cannot start any token", "this character cannot begin a value", "put the text in quotes"),
)


class Fault(NamedTuple):
    """`line` and `column` count from 1, None where there is no such place."""

    line: int | None
    column: int | None
    message: str
    hint: str


def fault_of(error: yaml.MarkedYAMLError, path: Path) -> Fault:
    """What to tell of an error that libyaml found in a file. Raises OSError."""
    said, mark = f"{error.problem or error.context}", error.problem_mark or error.context_mark
    if mark is None:
        return Fault(None, None, said, "compare it with an example")
    line, above = _lines(path, mark.line)
    here = mark.line + 1, mark.column + 1
    if "\t" in line[: mark.column + 1] and not line[: mark.column].strip(" \t-"):
        return Fault(*here, "a tab stands where spaces must be", "indent with spaces, two for each level")
    for part, what, mend in _OPENED:
        if part in said:
            opened = error.context_mark or mark
            return Fault(opened.line + 1, opened.column + 1, what, mend)
    entry = _ENTRY.fullmatch(line)
    if entry is not None and entry.start("value") <= mark.column:
        return Fault(*here, *_of_value(entry["name"], entry["value"], said))
    if entry is not None and "mapping values" in said:
        return Fault(*here, *_of_name(entry["name"], above))
    known = ((what, mend) for part, what, mend in _SAID if part in said)
    return Fault(*here, *next(known, (said, "mend this line, or the one above it")))


def _of_value(name: str, value: str, said: str) -> tuple[str, str]:
    """(message, hint) where the text after a name is to be put in quotes."""
    first, plain = value[0], _unquoted(value)
    if "escape character" in said:
        return "a backslash in double quotes begins a special character", _written(name, plain, '"')
    if first in "|>":
        hint = "put the text in quotes, or write it below its name, indented"
        return f"after {first} the text must begin on the next line", hint
    if first in "\"'":
        what = "the text goes on after a closing quote"
    elif first in _OWN_MEANING or first in "{[":
        what = f"a text that begins with {first} must stand in quotes as a whole"
    elif ": " in value or value.endswith(":"):
        what = "a text with a colon and a space in it must stand in quotes"
    else:
        what = "this does not fit what stands before it"
    return what, _written(name, plain)


def _of_name(name: str, above: str) -> tuple[str, str]:
    """(message, hint) where a name stands although the line above it has not ended."""
    before = _ENTRY.fullmatch(above)
    if before is None:
        return f"the line above {name} has no colon", "write a colon and a space after the name in that line"
    column = len(before["indent"])
    message = f"{name} is indented further than {before['name']} above it, which has its value already"
    return message, f"write {column} spaces before {name}, so that both begin in the same column"


def _written(name: str, text: str, avoided: str = "") -> str:
    """What to write: the name and its text, quoted by the quotes that the text leaves free."""
    if len(text) > _LONGEST_SHOWN:
        return f"put the whole text in {'single ' if avoided else ''}quotes"
    if avoided or '"' in text or "\\" in text:
        return f"write {name}: '" + text.replace("'", "''") + "'"
    return f'write {name}: "{text}"'


def _unquoted(value: str) -> str:
    """A text without the comment after it, and without the quotes that were meant to be around it."""
    text = re.split(r"\s#", value, maxsplit=1)[0].strip()
    closing = _QUOTED.get(text[0])
    around = closing is not None and len(text) > 1 and text.endswith(closing)
    return text[1:-1] if around and (text[0] != '"' or '"' not in text[1:-1]) else text


def _lines(path: Path, number: int) -> tuple[str, str]:
    """A line, counted from 0, and the last one above it that is not empty."""
    line = above = ""
    with path.open("rb") as stream:
        start = stream.read(2)
        codec = "utf-16" if start in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    with path.open(encoding=codec, errors="replace") as text:
        for _ in range(number + 1):
            above = line if line.strip() else above
            line = text.readline(_LONGEST_LINE).rstrip("\n")
    return line, above
