"""Texts with `{placeholders}`: `{{` and `}}` are literal braces, a name stands as it is, spaces included."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache

from manifests.vocabulary.spelling import field_name, tidy

_TOKEN = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")


class BadTemplate(Exception):
    """A brace stands alone. `.at` is the text from that brace on."""

    def __init__(self, at: str) -> None:
        super().__init__(f"a brace stands alone: {at}")
        self.at = at


class Missing(Exception):
    """A placeholder has no value. `.name` is what stands in its braces."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


@lru_cache(maxsize=1024)
def _parts(text: str) -> tuple[tuple[str, str | None], ...]:
    """(literal text, name that follows it or None), in order."""
    parts: list[tuple[str, str | None]] = []
    literal, end = "", 0
    for token in _TOKEN.finditer(text):
        literal += text[end : token.start()]
        end = token.end()
        if token[0] in ("{{", "}}"):
            literal += token[0][0]
        elif token[1] is None:
            raise BadTemplate(text[token.start() :])
        else:
            parts.append((literal, token[1].strip()))
            literal = ""
    parts.append((literal + text[end:], None))
    return tuple(parts)


def placeholders(text: str) -> frozenset[str]:
    """The names in a text. Raises BadTemplate."""
    if "{" not in text and "}" not in text:
        return frozenset()
    return frozenset(name for _, name in _parts(text) if name is not None)


def fill(text: str, values: Mapping[str, str]) -> str:
    """The text with its placeholders filled; braces inside a value stay as they are. Raises BadTemplate, Missing.

    A name that is not known as it stands may be spelled as a column's header may: `{Input Reference}`, `{sku}` for SKU.
    """
    if "{" not in text and "}" not in text:
        return text
    filled = []
    for literal, name in _parts(text):
        filled.append(literal)
        if name is not None:
            known = next((way for way in (name, tidy(name), field_name(name)) if way in values), None)
            if known is None:
                known = next((way for way in values if field_name(way) == field_name(name)), None)
            if known is None:
                raise Missing(name)
            filled.append(values[known])
    return "".join(filled)
