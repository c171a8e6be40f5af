"""What each video model can make, as far as it is documented.

Sources, read in November 2026: the OpenAPI description of OpenAI (`openai/openai-openapi`, v2.3.0) for the
`videos` API, with the 1080p sizes of Sora 2 Pro from OpenAI's video guide; Microsoft's concept page, REST
reference and model page for Sora 1. Lengths of 16 and 20 seconds, which only a changelog names for Sora 2,
are left out: a deployment that has them says so by `limits` in the configuration.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, NamedTuple


@dataclass(frozen=True, slots=True)
class ModelRule:
    """What one model can do. None is *unchecked*: nobody told us, so anything well formed passes.

    `sizes` are `WIDTHxHEIGHT` in pixels, `prompt_chars` counts Unicode code points, `remix` and
    `input_reference` say whether its API takes those fields.
    """

    api: Literal["videos", "jobs"]
    sizes: tuple[str, ...] | None
    seconds: tuple[int, ...] | None
    prompt_chars: int | None
    default_size: str
    default_seconds: int
    remix: bool
    input_reference: bool


class Served(NamedTuple):
    """What one deployment serves: the model, and what it can make of it there."""

    model: str
    rule: ModelRule


_SORA_2 = ModelRule(
    api="videos",
    sizes=("720x1280", "1280x720"),
    seconds=(4, 8, 12),
    prompt_chars=32_000,
    default_size="720x1280",
    default_seconds=4,
    remix=True,
    input_reference=True,
)
_SORA_2_PRO = ModelRule(
    api="videos",
    sizes=("720x1280", "1280x720", "1024x1792", "1792x1024", "1080x1920", "1920x1080"),
    seconds=(4, 8, 12),
    prompt_chars=32_000,
    default_size="720x1280",
    default_seconds=4,
    remix=True,
    input_reference=True,
)
_SORA_1 = ModelRule(
    api="jobs",
    sizes=(
        "480x480",
        "480x854",
        "854x480",
        "720x720",
        "720x1280",
        "1280x720",
        "1080x1080",
        "1080x1920",
        "1920x1080",
    ),
    seconds=tuple(range(1, 21)),
    prompt_chars=4_000,
    default_size="480x480",
    default_seconds=5,
    remix=False,
    input_reference=True,  # sent as the first frame, an `inpaint_items` entry
)

KNOWN: Mapping[str, ModelRule] = MappingProxyType(
    {
        "sora-2": _SORA_2,
        "sora-2-2025-10-06": _SORA_2,
        "sora-2-2025-12-08": _SORA_2,
        "sora-2-pro": _SORA_2_PRO,
        "sora-2-pro-2025-10-06": _SORA_2_PRO,
        "sora": _SORA_1,
    }
)

_UNKNOWN: Mapping[str, ModelRule] = MappingProxyType(
    {
        "videos": ModelRule("videos", None, None, None, "720x1280", 4, remix=True, input_reference=True),
        "jobs": ModelRule("jobs", None, None, None, "480x480", 5, remix=False, input_reference=True),
    }
)


def rule_for(model: str, api: str = "videos") -> ModelRule:
    """The rule of a model. One that we do not know has the defaults of its API and is otherwise unchecked.

    `api` is `videos` or `jobs` (KeyError for another) and counts only for models that we do not know.
    """
    unknown = _UNKNOWN[api]
    return KNOWN.get(model, unknown)
