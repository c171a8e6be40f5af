"""What Prometheus and Grafana are given: the monitors find the workers, the alerts go off, every metric exists."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from orchestrator.metrics import GAUGES, Metrics
from tests.helm.chart import CHART, Document, one, render, template_of, values_of, worker

PROMTOOL = shutil.which("promtool")
ALERTS = Path(__file__).with_name("alerts.yaml")
#: Labels of what a process counts.
COUNTED_BY = {"deployment", "kind", "method", "outcome", "reason", "status", "step", "version"}
with_promtool = pytest.mark.skipif(PROMTOOL is None, reason="no promtool: run sh scripts/install-prometheus")


def rules() -> list[Document]:
    (group,) = one(render(values_of("scaled")), "PrometheusRule")["spec"]["groups"]
    found: list[Document] = group["rules"]
    return found


def expressions() -> dict[str, str]:
    """Every question to Prometheus, by the alert or panel that asks it, and that of scaling."""
    board = json.loads((CHART / "dashboards/dailies.json").read_text())
    asked = {rule["alert"]: rule["expr"] for rule in rules()}
    asked |= {f"{p['title']} {t['refId']}": t["expr"] for p in board["panels"] for t in p.get("targets", ())}
    (trigger,) = one(render(values_of("scaled")), "ScaledObject")["spec"]["triggers"]
    return asked | {"scaling": trigger["metadata"]["query"]}


@pytest.fixture
def rules_file(tmp_path: Path) -> Path:
    """The groups as Prometheus itself reads them, beside their tests."""
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump(one(render(values_of("scaled")), "PrometheusRule")["spec"]))
    shutil.copy(ALERTS, tmp_path)
    return tmp_path / "rules.yaml"


def promtool(*words: str | Path) -> str:
    assert PROMTOOL is not None
    done = subprocess.run([PROMTOOL, *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@with_promtool
def test_prometheus_takes_the_rules(rules_file: Path) -> None:
    assert f"SUCCESS: {len(rules())} rules found" in promtool("check", "rules", rules_file)


@with_promtool
def test_each_alert_goes_off_when_it_should_and_not_before(rules_file: Path) -> None:
    """Real rules on made-up numbers: two workers that tell the same, another release, a quiet night."""
    assert "SUCCESS" in promtool("test", "rules", rules_file.with_name(ALERTS.name))


def test_each_alert_is_tried() -> None:
    """Seen to go off, and seen not to."""
    tests = [t for case in yaml.safe_load(ALERTS.read_text())["tests"] for t in case["alert_rule_test"]]
    names = {rule["alert"] for rule in rules()}
    assert {t["alertname"] for t in tests if t.get("exp_alerts")} == names
    assert {t["alertname"] for t in tests if not t.get("exp_alerts")} == names


def test_each_alert_says_how_bad_it_is_and_what_to_do_first() -> None:
    for rule in rules():
        assert rule["labels"].keys() == {"severity"}
        assert rule["labels"]["severity"] in ("warning", "critical")
        assert re.fullmatch(r"\d+m", rule["for"])
        said = rule["annotations"]
        assert said["summary"].endswith(".")
        assert said["runbook_url"] == f"https://wiki.example.com/runbook#{rule['alert'].lower()}"
        one_of = ("kubectl exec -n films deployment/night-dailies -- dailies ", "kubectl logs -n films job/")
        assert said["first_command"].startswith(one_of)


def test_without_a_schedule_no_alert_waits_for_one() -> None:
    (group,) = one(render(values_of("apart")), "PrometheusRule")["spec"]["groups"]
    assert {rule["alert"] for rule in rules()} - {rule["alert"] for rule in group["rules"]} == {"DailiesSubmitFailed"}


def test_every_metric_that_is_asked_for_is_told() -> None:
    """By its very name and with these labels; `namespace`, `job`, `pod` and `le` come from Prometheus."""
    told = {name: {*labels} for name, (labels, _) in GAUGES.items()}
    for family in Metrics()._registry.collect():
        names = {family.name, *(f"{family.name}_{end}" for end in ("total", "bucket", "sum", "count"))}
        told |= dict.fromkeys(names, COUNTED_BY)
    for where, expression in expressions().items():
        asked = re.findall(r"(dailies_\w+)\{([^}]*)\}", expression)
        assert asked or "dailies_" not in expression, where
        for name, chosen in asked:
            assert name in told, f"{where}: {name}"
            labels = set(re.findall(r"(\w+)[=!]~?", chosen)) - {"namespace", "job", "pod"}
            assert labels <= told[name], f"{where}: {labels}"
            assert {"namespace", "job"} <= set(re.findall(r"(\w+)=", chosen)), where


@with_promtool
def test_every_question_is_one_that_prometheus_understands(tmp_path: Path) -> None:
    """Also those of the dashboard, with its variables filled in."""
    filled = {
        where: expression.replace("$__rate_interval", "5m").replace("$namespace", "films").replace("$job", "night")
        for where, expression in expressions().items()
    }
    group = {"name": "asked", "rules": [{"record": "a:b", "labels": {"w": w}, "expr": e} for w, e in filled.items()]}
    (tmp_path / "asked.yaml").write_text(yaml.safe_dump({"groups": [group]}))
    promtool("check", "rules", "--lint=none", tmp_path / "asked.yaml")


def test_the_dashboard_is_whole() -> None:
    """Each panel says what it shows, none lies on another, and its data source is the one that is chosen above."""
    board = json.loads((CHART / "dashboards/dailies.json").read_text())
    taken: set[tuple[int, int]] = set()
    for panel in board["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        assert place["x"] + place["w"] <= 24
        taken |= cells
        assert panel["type"] == "row" or panel["datasource"]["uid"] == "${datasource}"
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])
    rendered = one(render(values_of("scaled")), "ConfigMap", "night-dailies-dashboard")
    assert json.loads(rendered["data"]["dailies.json"]) == board
    assert rendered["metadata"]["labels"]["grafana_dashboard"] == "1"


@pytest.mark.parametrize(("name", "kind"), [("scaled", "PodMonitor"), ("apart", "ServiceMonitor")])
def test_the_monitors_choose_the_workers_and_no_other_pod(name: str, kind: str) -> None:
    """`job` becomes the release's name, by which alerts and dashboard ask."""
    documents = render(values_of(name, {"sandbox.enabled": True}))
    spec = one(documents, kind)["spec"]
    (endpoint,) = spec.get("podMetricsEndpoints") or spec["endpoints"]
    assert (endpoint["port"], endpoint["path"]) == ("monitor", "/metrics")
    ports = {}
    for document in documents:
        if template := template_of(document):
            names = [p["name"] for c in template["spec"]["containers"] for p in c.get("ports", ())]
            ports[template["metadata"]["labels"]["app.kubernetes.io/component"]] = names
    assert {component for component, names in ports.items() if "monitor" in names} >= {"worker"}
    assert "monitor" not in ports["sandbox"]
    labels = worker(documents)["spec"]["template"]["metadata"]["labels"]
    assert spec["selector"]["matchLabels"].items() <= labels.items()
    assert labels[spec["jobLabel"]] == "night"
    if kind == "ServiceMonitor":
        service = one(documents, "Service", "night-dailies")
        assert spec["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
        assert service["metadata"]["labels"][spec["jobLabel"]] == "night"
