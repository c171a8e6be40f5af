"""Sizes, seconds and counts as people write them, as the plain values that are ordered. None: not understood."""

from __future__ import annotations

import re
from decimal import Decimal

from manifests.vocabulary.rules import ModelRule
from manifests.vocabulary.spelling import tidy

_PLAIN_SIZE = re.compile(r"[1-9][0-9]{0,4}x[1-9][0-9]{0,4}")
_PLAIN_SECONDS = re.compile(r"[1-9][0-9]{0,4}")
_PLAIN_WHOLE = re.compile(r"[0-9]{1,9}")
_PIXELS = re.compile(r"([1-9][0-9]{0,4}) ?(?:px)? ?(?:x|×|✕|\*|by) ?([1-9][0-9]{0,4}) ?(?:px|pixels?)?")
# `16:09` and `16:09:00` are what spreadsheet programs make of 16:9, which they take for a time of day.
_RATIO = re.compile(r"0*([1-9][0-9]{0,2}) ?: ?0*([1-9][0-9]{0,2})(?::00)?")
SHAPES = {"portrait": -1, "vertical": -1, "landscape": 1, "horizontal": 1, "square": 0}
# At most two decimals: in `1.000` the dot may stand for thousands.
_SECONDS = re.compile(r"([1-9][0-9]{0,4})(?:[.,]0{1,2})? ?(?:s|secs?|seconds?)?\.?")
_WHOLE = re.compile(r"([+-]?[0-9]{1,9})(?:[.,]0{1,2})?")
_USD = re.compile(r"[0-9]{1,9}(?:\.[0-9]{1,6})?")
_NEAR = 0.01


def is_shape(text: str) -> bool:
    """Whether a size is given by its shape only: `16:9`, `portrait`."""
    plain = tidy(text).casefold()
    return plain in SHAPES or _RATIO.fullmatch(plain) is not None


def size_of(text: str, rule: ModelRule) -> str | None:
    """`WIDTHxHEIGHT` of `720×1280` or `720 x 1280 px`; of a shape the smallest size of it that the model can make."""
    if _PLAIN_SIZE.fullmatch(text):
        return text
    plain = tidy(text).casefold()
    if pixels := _PIXELS.fullmatch(plain):
        return f"{pixels[1]}x{pixels[2]}"
    fitting = [pair for pair in map(_pair, rule.sizes or ()) if _fits(plain, *pair)]
    if not fitting:
        return None
    width, height = min(fitting, key=lambda pair: pair[0] * pair[1])
    return f"{width}x{height}"


def seconds_of(text: str) -> int | None:
    """8 of `8`, `8s`, `8.0` or `8 sec`."""
    if _PLAIN_SECONDS.fullmatch(text):
        return int(text)
    found = _SECONDS.fullmatch(tidy(text).casefold())
    return int(found[1]) if found else None


def whole_of(text: str) -> int | None:
    """3 of `3`, `+3` or `3.0`; numbers of up to nine digits."""
    if _PLAIN_WHOLE.fullmatch(text):
        return int(text)
    found = _WHOLE.fullmatch(tidy(text))
    return int(found[1]) if found else None


def usd_of(text: str) -> Decimal | None:
    """An amount in US dollars above 0, written plainly: `120`, `120.50`."""
    return Decimal(text) or None if _USD.fullmatch(text) else None


def _fits(shape: str, width: int, height: int) -> bool:
    """Whether a size is of a shape; 854x480 is 16:9 too, as near as whole pixels come."""
    if shape in SHAPES:
        return (width > height) - (width < height) == SHAPES[shape]
    ratio = _RATIO.fullmatch(shape)
    return ratio is not None and abs(width * int(ratio[2]) / (height * int(ratio[1])) - 1) <= _NEAR


def _pair(size: str) -> tuple[int, int]:
    width, height = size.split("x")
    return int(width), int(height)
