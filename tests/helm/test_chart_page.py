"""The chart's README is drawn from its values, and is current."""

from __future__ import annotations

import importlib.machinery
import importlib.util
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

from tests.helm.chart import CHART, ROOT


@pytest.fixture
def drawing() -> ModuleType:
    """scripts/draw-chart, as a module."""
    loader = importlib.machinery.SourceFileLoader("draw_chart", str(ROOT / "scripts/draw-chart"))
    spec = importlib.util.spec_from_loader("draw_chart", loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


def test_the_readme_is_what_the_values_say(drawing: ModuleType) -> None:
    """Else run python3 scripts/draw-chart."""
    assert (CHART / "README.md").read_text(encoding="utf-8") == drawing.page()


def test_every_value_has_its_row_and_the_schema_knows_it(drawing: ModuleType) -> None:
    """The three agree: values.yaml, its schema, and the README."""
    described = {name for name, _, _ in drawing.entries((CHART / "values.yaml").read_text())}
    schema = json.loads((CHART / "values.schema.json").read_text())

    def known(part: dict[str, Any], before: str = "") -> set[str]:
        if "$ref" in part:
            part = schema["definitions"][part["$ref"].rsplit("/", 1)[-1]]
        found = set()
        for key, inner in part.get("properties", {}).items():
            path = f"{before}{key}"
            found |= {path} if path in ("config", "global", "schedules") else {path, *known(inner, f"{path}.")}
        return found

    kubernetes = {"requests", "limits", "nodeAffinity", "podAffinity", "podAntiAffinity"}
    assert {name for name in known(schema) - {"global"} if name.rpartition(".")[2] not in kubernetes} == described


def test_defaults_in_the_readme_are_the_real_ones(drawing: ModuleType) -> None:
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    for name, default, _ in drawing.entries((CHART / "values.yaml").read_text()):
        level: Any = values
        for key in name.split("."):
            level = level[key]
        if default and not default.startswith("requests:"):
            assert yaml.safe_load(default) == level, name


def test_what_the_readme_names_is_there() -> None:
    for target in ("examples/trial.yaml", "examples/azure.yaml", "../../docs/kubernetes.md", "../../docs/runbook.md"):
        assert f"({target})" in (CHART / "README.md").read_text()
        assert (Path(CHART) / target).is_file(), target
