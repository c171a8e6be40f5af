"""The shipped table of models (`models.yaml`): prices, retirement dates and usual render times, dated, with sources."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib import resources
from typing import Literal
from urllib.parse import urlsplit

import yaml
from pydantic import TypeAdapter

Provider = Literal["azure", "openai"]

_AZURE = (".openai.azure.com", ".services.ai.azure.com", ".cognitiveservices.azure.com")
_OPENAI = (".openai.com",)


@dataclass(frozen=True, slots=True)
class Prices:
    """Dollars a second of video by size, as of a day, and where they were read."""

    usd_per_second: Mapping[str, str]
    as_of: dt.date
    source: str


@dataclass(frozen=True, slots=True)
class Retirement:
    """From this day on a provider may refuse creates of a model (or of one dated version of it)."""

    at: Provider
    date: dt.date
    source: str
    version: str | None = None


@dataclass(frozen=True, slots=True)
class Render:
    """Seconds that a render usually takes; `assumed` where no measurement is behind it."""

    typical_s: float
    assumed: bool
    as_of: dt.date
    source: str


@dataclass(frozen=True, slots=True)
class KnownModel:
    """What the table says of one model."""

    prices: Prices
    retirements: tuple[Retirement, ...]
    render: Render


@cache
def table() -> Mapping[str, KnownModel]:
    """The whole table, by model."""
    text = resources.files("orchestrator.video_models").joinpath("models.yaml").read_text(encoding="utf-8")
    return TypeAdapter(dict[str, KnownModel]).validate_python(yaml.safe_load(text))


@lru_cache(maxsize=256)
def base(model: str) -> tuple[str, str | None]:
    """A model and its dated version: `sora-2-2025-12-08` is the version 2025-12-08 of sora-2."""
    if model in table():
        return model, None
    for name in sorted(table(), reverse=True):
        if model.startswith(f"{name}-20"):
            return name, model.removeprefix(f"{name}-")
    return model, None


def known(model: str) -> KnownModel | None:
    """What is known of a model; a dated version of it costs and takes what the model does."""
    return table().get(base(model)[0])


def provider(endpoint: str) -> Provider | None:
    """Who serves an endpoint, by its host. None: a server of one's own, of which nobody published anything."""
    host = f".{urlsplit(endpoint).hostname or ''}"
    if host.endswith(_AZURE):
        return "azure"
    return "openai" if host.endswith(_OPENAI) else None


def retirement(model: str, endpoint: str) -> Retirement | None:
    """When the endpoint's provider retires the model, or None where no date is known.

    A model named without its version is taken for the version that stays longest.
    """
    found, at = known(model), provider(endpoint)
    version = base(model)[1]
    dates = [r for r in found.retirements if r.at == at] if found else []
    own = [r for r in dates if r.version == version and version is not None]
    return max(own or [r for r in dates if r.version is None], key=lambda r: r.date, default=None)
