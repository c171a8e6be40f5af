"""The chart as Helm itself renders it, for sets of values like those that people write."""

from __future__ import annotations

import copy
import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

#: Helm 4 as a library. There is none for musl, nor for macOS on Intel: there these tests are skipped, and say so.
helm = pytest.importorskip("helm_python", reason="helm-python-sdk has no build for this platform", exc_type=ImportError)

ROOT = Path(__file__).resolve().parents[2]
CHART = ROOT / "helm/dailies"
EXAMPLES = sorted((CHART / "examples").glob("*.yaml"))
VALUES = {path.stem: path for path in [*sorted((Path(__file__).parent / "values").glob("*.yaml")), *EXAMPLES]}
#: The pods of Dailies; those of other programs the chart brings for trials have none of their settings and secrets.
OTHERS = {"redis", "sandbox"}
RELEASE, NAMESPACE = "night", "films"

Values = dict[str, Any]
Document = dict[str, Any]


def values_of(name: str, changes: Values | None = None) -> Values:
    """A set of values by its file's name. `changes`: dotted path → what stands there instead."""
    values: Values = yaml.safe_load(VALUES[name].read_text())
    for path, value in (changes or {}).items():
        *levels, last = path.split(".")
        level: Any = values
        for key in levels:
            level = level[int(key)] if key.isdecimal() else level.setdefault(key, {})
        level[last] = copy.deepcopy(value)
    return values


def render_text(values: Values, *, release: str = RELEASE) -> dict[str, str]:
    """Each template's text by its file's name. Raises HelmError with what Helm says."""
    return dict(_rendered(json.dumps(values), release))


@cache
def _rendered(written: str, release: str) -> dict[str, str]:
    values = json.loads(written)
    with helm.Chart.load(CHART) as chart:
        chart.validate_schema(values)
        rendered: dict[str, str] = chart.render(values, name=release, namespace=NAMESPACE)
    return {Path(path).name: text for path, text in rendered.items()}


def render(values: Values, *, release: str = RELEASE) -> list[Document]:
    """The objects that Kubernetes would be given."""
    texts = render_text(values, release=release)
    texts.pop("NOTES.txt")
    return [document for text in texts.values() for document in yaml.safe_load_all(text) if document]


def one(documents: list[Document], kind: str, name: str | None = None) -> Document:
    """The only object of a kind, or the one of that name."""
    found = [d for d in documents if d["kind"] == kind and name in (None, d["metadata"]["name"])]
    assert len(found) == 1, f"{len(found)} of {kind} {name or ''}"
    return found[0]


def config_map(documents: list[Document]) -> Document:
    """The one that holds dailies.yaml."""
    (found,) = [d for d in documents if d["kind"] == "ConfigMap" and "dailies.yaml" in d["data"]]
    return found


def worker(documents: list[Document]) -> Document:
    """The Deployment of those workers that create."""
    component = "app.kubernetes.io/component"
    (found,) = [d for d in documents if d["kind"] == "Deployment" and d["metadata"]["labels"][component] == "worker"]
    return found


def template_of(document: Document) -> Document | None:
    """What an object makes its pods of; None where it makes none."""
    if document["kind"] == "Pod":
        return document
    if document["kind"] == "CronJob":
        document = document["spec"]["jobTemplate"]
    template: Document | None = document.get("spec", {}).get("template")
    return template


def templates(documents: list[Document], *, ours: bool = False) -> dict[str, Document]:
    """Every pod as its template has it, by the name of the object that makes it. `ours`: only those of Dailies."""
    found = {}
    for document in documents:
        template = template_of(document)
        if template is None:
            continue
        if not (ours and template["metadata"]["labels"]["app.kubernetes.io/component"] in OTHERS):
            found[document["metadata"]["name"]] = template
    return found


def pods(documents: list[Document], *, ours: bool = False) -> dict[str, Document]:
    """Every pod's spec, by the name of the object that makes it. `ours`: only those of Dailies."""
    return {name: template["spec"] for name, template in templates(documents, ours=ours).items()}


def refusal(values: Values) -> str:
    """What Helm says to values that it refuses."""
    with pytest.raises(helm.HelmError) as refused:
        render_text(values)
    return str(refused.value)
