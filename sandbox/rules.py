"""Which sizes and lengths each model takes, and the checks of the fields that both APIs share."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from sandbox.refusals import ApiError, invalid_value, missing_parameter, wrong_type

_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
_SIZE = re.compile(r"([1-9]\d{0,3})x([1-9]\d{0,3})")

_SORA_2 = ("720x1280", "1280x720")
_SORA_2_PRO = (*_SORA_2, "1024x1792", "1792x1024", "1080x1920", "1920x1080")
_SORA_1 = (
    *("480x480", "480x854", "854x480", "720x720", "720x1280", "1280x720"),
    *("1080x1080", "1080x1920", "1920x1080"),
)


@dataclass(frozen=True, slots=True)
class Rule:
    """`sizes` None: any even size from 16 up; `seconds` None: 1 to 60."""

    sizes: tuple[str, ...] | None
    seconds: tuple[int, ...] | None


def rule_for(model: str) -> Rule:
    """Sora 2 and pro: OpenAI's OpenAPI document and guide. Sora 1: Microsoft's page. Others take anything."""
    if model.startswith("sora-2-pro"):
        return Rule(_SORA_2_PRO, (4, 8, 12))
    if model.startswith("sora-2"):
        return Rule(_SORA_2, (4, 8, 12))
    if model == "sora":
        return Rule(_SORA_1, tuple(range(1, 21)))
    return Rule(None, None)


def check_text(fields: dict[str, Any], name: str, longest: int) -> str:
    """A required text of 1 to `longest` characters."""
    value = fields.get(name)
    if value is None or value == "":
        raise missing_parameter(name)
    if not isinstance(value, str):
        raise wrong_type(name, "a string", value)
    if _LONE_SURROGATE.search(value):
        raise invalid_value(name, f"Invalid '{name}': half of a surrogate pair is no character.")
    if len(value) > longest:
        raise ApiError(
            400,
            f"Invalid '{name}': string too long. Expected a string with maximum length {longest}, but got a "
            f"string with length {len(value)} instead.",
            param=name,
            code="string_above_max_length",
        )
    return value


def check_size(rule: Rule, size: str, param: str = "size") -> tuple[int, int]:
    """Width and height of a size that the rule allows."""
    if rule.sizes is not None and size not in rule.sizes:
        raise _none_of(param, size, rule.sizes)
    match = _SIZE.fullmatch(size)
    if match is None:
        raise invalid_value(param, f"Invalid value: '{size}'. Write a size as WIDTHxHEIGHT.")
    width, height = int(match[1]), int(match[2])
    if min(width, height) < 16 or width % 2 or height % 2:
        raise invalid_value(param, f"Invalid value: '{size}'. Width and height must be even and 16 at least.")
    return width, height


def check_seconds(rule: Rule, seconds: int, param: str) -> int:
    allowed = rule.seconds or tuple(range(1, 61))
    if seconds not in allowed:
        raise _none_of(param, str(seconds), tuple(str(number) for number in allowed))
    return seconds


def _none_of(param: str, value: str, allowed: tuple[str, ...]) -> ApiError:
    quoted = [f"'{name}'" for name in allowed]
    listed = quoted[0] if len(quoted) == 1 else f"{', '.join(quoted[:-1])}, and {quoted[-1]}"
    return invalid_value(param, f"Invalid value: '{value}'. Supported values are: {listed}.")
