"""The shipped table of models: dated, with sources, and read the same wherever it is installed."""

from __future__ import annotations

import datetime as dt
import tomllib
from fnmatch import fnmatch

import pytest

from manifests import KNOWN
from orchestrator.video_models.model_table import base, known, provider, retirement, table
from orchestrator.video_models.prices import price
from tests.ledger import HOUSE

AZURE = "https://studio.openai.azure.com"


def test_every_figure_has_a_date_and_a_source() -> None:
    for model in table().values():
        for entry in (model.prices, model.render):
            assert dt.date(2025, 1, 1) < entry.as_of < dt.date(2027, 1, 1)
            assert entry.source
        assert all(r.source for r in model.retirements)


def test_every_size_that_a_shipped_rule_allows_has_a_price() -> None:
    unpriced = [(m, size) for m, rule in KNOWN.items() for size in rule.sizes or () if price(m, size, 4) is None]
    assert unpriced == []


def test_a_dated_version_is_its_model() -> None:
    assert base("sora-2-2025-12-08") == ("sora-2", "2025-12-08")
    assert base("sora-2-pro-2025-10-06") == ("sora-2-pro", "2025-10-06")
    assert base("somebody-elses") == ("somebody-elses", None)
    assert known("sora-2-pro-2025-10-06") == known("sora-2-pro")
    assert known("somebody-elses") is None


@pytest.mark.parametrize(
    ("endpoint", "who"),
    [
        (AZURE, "azure"),
        ("https://studio.services.ai.azure.com/openai/v1", "azure"),
        ("https://api.openai.com/v1", "openai"),
        ("http://127.0.0.1:8787", None),
        ("https://openai.azure.com.example.com", None),
    ],
)
def test_a_provider_is_told_by_the_endpoints_host(endpoint: str, who: str | None) -> None:
    assert provider(endpoint) == who


@pytest.mark.parametrize(
    ("model", "endpoint", "day"),
    [
        ("sora-2", AZURE, dt.date(2026, 11, 2)),
        ("sora-2-2025-10-06", AZURE, dt.date(2026, 7, 15)),
        ("sora-2-2025-12-08", AZURE, dt.date(2026, 11, 2)),
        ("sora-2-2025-10-06", "https://api.openai.com/v1", dt.date(2026, 9, 24)),
        ("sora-2-pro", AZURE, None),
        ("sora", AZURE, None),
        ("sora-2", "http://127.0.0.1:8787", None),
    ],
)
def test_a_retirement_is_the_providers_own(model: str, endpoint: str, day: dt.date | None) -> None:
    found = retirement(model, endpoint)
    assert (found and found.date) == day


def test_the_table_is_part_of_what_is_installed() -> None:
    packed = tomllib.loads((HOUSE / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]
    assert any(fnmatch("models.yaml", pattern) for pattern in packed["orchestrator.video_models"])
