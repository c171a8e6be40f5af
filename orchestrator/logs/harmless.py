"""Texts of other people and of servers, as a terminal or a log may be given them."""

from __future__ import annotations

import re

# Control characters, the eight-bit ones too, by which a terminal is given orders; line ends of other scripts; marks
# that turn the reading direction around, so that a name reads as another; halves of characters. Not \t and \n.
_ORDERS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_ORDERS_AND_ENDS = re.compile(_ORDERS.pattern.replace("\x0b-", "\t\n\x0b-"))


def harmless(text: str, *, lines: bool = True) -> str:
    """The text with what would not be shown, but done, written out: `\\x1b[2J`. `lines`: it may have several."""
    if text.isprintable():
        return text
    if lines:
        return _ORDERS.sub(_written, text.replace("\r\n", "\n"))
    return _ORDERS_AND_ENDS.sub(_written, text)


def harmless_json(text: str) -> str:
    """A JSON document with the same characters escaped, so that it still says the same."""
    return _ORDERS.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def _written(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape").decode("ascii")
