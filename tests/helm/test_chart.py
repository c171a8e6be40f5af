"""The chart is well-formed: for Helm, for every Kubernetes that it is meant for, and for people who read it."""

from __future__ import annotations

import json
import re
import textwrap
import tomllib
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
import yaml
from yamllint import linter
from yamllint.config import YamlLintConfig

from orchestrator.settings import Settings
from orchestrator.settings.schema import known_paths
from tests.helm.chart import CHART, ROOT, VALUES, helm, refusal, render, render_text, values_of

CRDS = Path(__file__).parent / "crds"
OLDEST, NEWEST = "1.30", kubernetes_validate.latest_version()
MIDDLE = "1.33"
#: Kinds that others define: what a chart may say of them, by hand, after their own definitions.
CUSTOM = {s["properties"]["kind"]["const"]: s for s in map(json.loads, map(Path.read_text, CRDS.glob("*.json")))}
YAMLLINT_RULES = (
    "{extends: default, rules: {line-length: {max: 120}, document-start: disable, "
    "indentation: {indent-sequences: whatever}, empty-lines: {max-start: 1, max-end: 1}, "
    "comments-indentation: disable}}"
)
YAMLLINT = YamlLintConfig(YAMLLINT_RULES)
#: What is rendered is read by Kubernetes: sentences and commands are as long as they are.
RENDERED = YamlLintConfig(YAMLLINT_RULES.replace("line-length: {max: 120}", "line-length: disable"))
SCHEMA = json.loads((CHART / "values.schema.json").read_text())


def complaints(text: str, rules: YamlLintConfig = YAMLLINT) -> list[str]:
    return [str(problem) for problem in linter.run(text, rules)]


@pytest.mark.parametrize("name", VALUES)
def test_helm_has_no_complaint_about_the_chart(name: str) -> None:
    """helm lint --strict; that the chart has no icon is information."""
    report = helm.lint(CHART, values_of(name), strict=True)
    assert report["errors"] == []
    assert {message["error"] for message in report["messages"]} <= {"icon is recommended"}


def test_there_are_as_many_sets_of_values_as_there_are_ways_to_run_it() -> None:
    """And together they make every kind of object that the chart can make."""
    assert len(VALUES) >= 8
    made = {document["kind"] for name in VALUES for document in render(values_of(name))}
    written = {
        kind
        for path in (CHART / "templates").rglob("*")
        if path.is_file()
        for kind in re.findall(r"(?m)^kind: (\w+)$", path.read_text())
    }
    assert made == written


@pytest.mark.parametrize("version", [OLDEST, MIDDLE, NEWEST])
@pytest.mark.parametrize("name", VALUES)
def test_kubernetes_takes_every_object(name: str, version: str) -> None:
    """Strictly: a field that this version does not know is an error."""
    documents = render(values_of(name))
    assert {"ConfigMap", "Deployment"} <= {document["kind"] for document in documents}
    for document in documents:
        if document["kind"] in CUSTOM:
            jsonschema.validate(document, CUSTOM[document["kind"]])
        else:
            kubernetes_validate.validate(document, version, strict=True)


def test_no_two_objects_have_one_name() -> None:
    for name in VALUES:
        names = [(document["kind"], document["metadata"]["name"]) for document in render(values_of(name))]
        assert len(names) == len(set(names))


def test_the_chart_asks_for_the_oldest_kubernetes_that_it_is_tested_on() -> None:
    assert yaml.safe_load((CHART / "Chart.yaml").read_text())["kubeVersion"] == f">={OLDEST}.0-0"


@pytest.mark.parametrize("name", VALUES)
def test_all_yaml_is_tidy(name: str) -> None:
    """yamllint, on the chart's own files and on what it renders."""
    rendered = render_text(values_of(name))
    del rendered["NOTES.txt"]
    texts = {file: text.strip() + "\n" for file, text in rendered.items() if text.strip()}
    found = {file: problems for file, text in texts.items() if (problems := complaints(text, RENDERED))}
    for path in (CHART / "Chart.yaml", CHART / "values.yaml", VALUES[name]):
        found |= {str(path): problems} if (problems := complaints(path.read_text())) else {}
    assert not found


def test_versions_agree() -> None:
    """The chart installs the program that it stands beside."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert yaml.safe_load((CHART / "Chart.yaml").read_text())["appVersion"] == project


def test_every_value_is_explained() -> None:
    """Each key of values.yaml has a comment right above it; only the parts of a Kubernetes object need none."""
    lines = (CHART / "values.yaml").read_text().splitlines()
    bare = []
    for above, line in zip(["", *lines], lines, strict=False):
        key = re.match(r" *([A-Za-z]+):", line)
        if key and key[1] not in ("requests", "limits") and not above.lstrip().startswith("#"):
            bare.append(line)
    assert not bare


def test_the_examples_in_values_are_values() -> None:
    """What stands there in comments as an example is taken as it is, once the image is named."""
    text = (CHART / "values.yaml").read_text()
    for key in re.findall(r"(?m)^(\w+): (?:\{\}|\[\])\n#  ", text):
        text = re.sub(rf"(?m)^{key}: (\{{\}}|\[\])$", f"{key}:", text)
    values = yaml.safe_load(re.sub(r"(?m)^#(  )", r"\1", text))
    values["image"]["repository"] = "registry.example.com/dailies"
    assert {"ConfigMap", "CronJob", "Deployment", "ServiceAccount"} <= {d["kind"] for d in render(values)}


def test_the_values_in_the_page_for_platform_engineers_are_values() -> None:
    """Those to install with, and the schedule on top of them."""
    page = (ROOT / "docs/kubernetes.md").read_text(encoding="utf-8")
    blocks = [yaml.safe_load(textwrap.dedent(t)) for t in re.findall(r"(?ms)^ *```yaml\n(.*?)^ *```", page)]
    whole, schedule = (block for block in blocks if "externalRules" not in block)  # those are of another program
    kinds = {document["kind"] for document in render(whole | schedule)}
    assert {"ConfigMap", "CronJob", "Deployment", "NetworkPolicy", "PodDisruptionBudget"} <= kinds


@pytest.mark.parametrize(
    ("typo", "value", "name"),
    [
        ("replicaCount", 3, "replicaCount"),
        ("image.registry", "docker.io", "registry"),
        ("worker.replica", 3, "replica"),
        ("worker.resources.limit", {"memory": "1Gi"}, "limit"),
        ("config.archive.uri", "https://example.blob.core.windows.net/videos", "uri"),
        ("config.deployments.0.qota", {"per_minute": 12}, "qota"),
        ("secretEnv.EXTRA_KEY", {"name": "dailies", "key": "key", "optinal": True}, "optinal"),
        ("schedules.nightly", {"schedule": "0 18 * * *", "manifest": {"configmap": "m", "key": "n"}}, "configmap"),
        ("networkPolicy.egress.redis.port", [6379], "port"),
        ("monitoring.alerts.runbookURL", "https://wiki.example.com", "runbookURL"),
        ("archiveWorker.replica", 2, "replica"),
        ("redis.password.value", "hunter2", "value"),
    ],
)
def test_a_typo_is_refused_by_name(typo: str, value: Any, name: str) -> None:
    assert f"'{name}' not allowed" in refusal(values_of("smallest", {typo: value}))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("worker.replicas", "3"),
        ("image.pullPolicy", "always"),
        ("config.deployments.0.create_timeout_s", "a minute"),
        ("secretEnv.AZURE_OPENAI_API_KEY", "0123456789abcdef"),
        ("schedules.nightly", {"schedule": "at six", "manifest": {"configMap": "m", "key": "n.yaml"}}),
        ("schedules.nightly", {"schedule": "0 18 * * *", "manifest": {"configMap": "m", "key": "n.txt"}}),
        ("podLabels", {"app.kubernetes.io/name": "other"}),
        ("image.digest", "latest"),
        ("scaling.by", "vpa"),
        ("workloadIdentity.clientId", "dailies"),
    ],
)
def test_a_value_of_the_wrong_form_is_refused(path: str, value: Any) -> None:
    """A secret itself, in place of the Secret that holds it, above all: it is not even repeated."""
    said = refusal(values_of("smallest", {path: value}))
    assert path.replace(".", "/") in said or "'app.kubernetes.io/name'" in said
    assert "0123456789abcdef" not in said


def test_the_schema_knows_every_setting_and_no_other() -> None:
    """`config` is dailies.yaml: a new setting of the program is a new key here."""

    def keys(schema: dict[str, Any], before: str = "") -> list[str]:
        found = []
        for part in schema.get("anyOf", ()):
            found += keys(part, before)
        if "$ref" in schema:
            found += keys(SCHEMA["definitions"][schema["$ref"].rsplit("/", 1)[-1]], before)
        if isinstance(schema.get("additionalProperties"), dict):
            found += keys(schema["additionalProperties"], f"{before}.NAME")
        for key, inner in schema.get("properties", {}).items():
            path = f"{before}.{key}" if before else key
            found.append(path)
            found += keys(inner.get("items", inner), f"{path}[]" if "items" in inner else path)
        return found

    assert sorted(keys(SCHEMA["properties"]["config"])) == sorted(known_paths(Settings))


def test_the_schema_closes_every_object() -> None:
    """Unknown keys are refused at each level, but for Helm's own `global` and what is Kubernetes' own."""

    def opened(schema: Any, path: str) -> list[str]:
        if not isinstance(schema, dict):
            return []
        open_here = schema.get("additionalProperties", True) is True
        here = [path] if schema.get("type") == "object" and open_here else []
        return here + [place for key, inner in schema.items() for place in opened(inner, f"{path}.{key}")]

    assert sorted(opened(SCHEMA, "")) == [
        ".definitions.free",
        ".properties.extraVolumes.items",
        ".properties.global",
    ]
