"""How workers come, go, spread and grow: probes, updates, budgets, archive workers apart, and scaling."""

from __future__ import annotations

import pytest
import yaml

from orchestrator.settings.environment import PREFIX
from tests.helm.chart import VALUES, Document, one, pods, render, values_of, worker

ARCHIVE = "night-dailies-archive"


def container(document: Document) -> Document:
    (found,) = document["spec"]["template"]["spec"]["containers"]
    return dict(found)


@pytest.mark.parametrize(
    ("probe", "path"), [("startup", "/startupz"), ("readiness", "/readyz"), ("liveness", "/livez")]
)
def test_each_probe_asks_what_it_is_for(probe: str, path: str) -> None:
    """On the port by its name, where the settings in the environment make the worker answer."""
    for document in (d for d in render(values_of("apart")) if d["kind"] == "Deployment"):
        worker = container(document)
        assert worker[f"{probe}Probe"]["httpGet"] == {"path": path, "port": "monitor"}
        (port,) = worker["ports"]
        environment = {v["name"]: v.get("value") for v in worker["env"]}
        assert port["name"] == "monitor"
        assert environment["DAILIES_MONITOR__PORT"] == str(port["containerPort"]) == "9464"
        assert environment["DAILIES_MONITOR__HOST"] == "0.0.0.0"  # noqa: S104 (a pod's own address)


def test_a_worker_that_turns_no_more_is_replaced_later_than_it_is_unready() -> None:
    """And a scrape or a slow moment of Redis kills nobody: it takes a minute of silence."""
    probes = container(worker(render(values_of("smallest"))))
    alive, ready = (
        probes[name]["periodSeconds"] * probes[name]["failureThreshold"] for name in ("livenessProbe", "readinessProbe")
    )
    assert alive >= 60 > ready


def test_settings_that_cannot_work_replace_no_worker() -> None:
    strategy = worker(render(values_of("smallest")))["spec"]["strategy"]
    assert strategy == {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}


def test_archive_workers_apart_take_the_archiving_from_the_others() -> None:
    """Together they run every step, and none is run by nobody."""
    from workers.worker import STEPS

    documents = render(values_of("apart"))
    commands = [container(worker(documents))["command"], container(one(documents, "Deployment", ARCHIVE))["command"]]
    assert [command[:3] for command in commands] == [["dailies", "worker", "--only"]] * 2
    steps = [command[3].split(",") for command in commands]
    assert steps[1] == ["archive"]
    assert sorted(steps[0] + steps[1]) == sorted(STEPS)
    assert one(documents, "Deployment", ARCHIVE)["spec"]["replicas"] == 3


def test_a_drained_node_takes_one_worker_of_a_kind_at_a_time() -> None:
    documents = render(values_of("apart", {"disruptionBudget": {}}))
    for document in (d for d in documents if d["kind"] == "Deployment"):
        budget = one(documents, "PodDisruptionBudget", document["metadata"]["name"])["spec"]
        assert budget["maxUnavailable"] == 1
        assert budget["unhealthyPodEvictionPolicy"] == "AlwaysAllow"
        assert budget["selector"] == document["spec"]["selector"]


def test_workers_are_spread_over_nodes_and_zones() -> None:
    for name, expected in (("smallest", 2), ("apart", 1), ("bare", 0)):
        template = worker(render(values_of(name)))["spec"]["template"]
        spread = template["spec"].get("topologySpreadConstraints", [])
        assert len(spread) == expected
        for constraint in spread:
            assert constraint["labelSelector"]["matchLabels"].items() <= template["metadata"]["labels"].items()
    assert {c["topologyKey"] for c in spread} <= {"kubernetes.io/hostname", "topology.kubernetes.io/zone"}


def test_kubernetes_scales_by_what_could_be_done_now() -> None:
    """And the number of workers is left to it: an update does not set it back."""
    documents = render(values_of("apart"))
    spec = one(documents, "HorizontalPodAutoscaler")["spec"]
    assert "replicas" not in worker(documents)["spec"]
    assert spec["scaleTargetRef"]["name"] == worker(documents)["metadata"]["name"]
    (metric,) = spec["metrics"]
    assert metric["external"]["metric"]["name"] == "dailies_admissible_creates"
    assert metric["external"]["metric"]["selector"]["matchLabels"] == {"namespace": "films", "job": "night"}
    assert (spec["minReplicas"], spec["maxReplicas"]) == (1, 2)


def test_keda_asks_prometheus_for_the_same() -> None:
    documents = render(values_of("scaled"))
    spec = one(documents, "ScaledObject")["spec"]
    assert "replicas" not in worker(documents)["spec"]
    (trigger,) = spec["triggers"]
    assert trigger["metadata"]["query"] == 'max(dailies_admissible_items{namespace="films",job="night"})'
    assert trigger["metadata"]["threshold"] == "20"
    assert (spec["minReplicaCount"], spec["maxReplicaCount"], spec["fallback"]["replicas"]) == (2, 6, 2)


@pytest.mark.parametrize("apart", [True, False])
def test_videos_that_others_archive_start_no_creating_worker(apart: bool) -> None:
    """Whoever scales asks for what the workers can do that he starts."""
    work = "dailies_admissible_creates" if apart else "dailies_admissible_items"
    archive = {"archiveWorker": {"enabled": apart}}
    (trigger,) = one(render(values_of("scaled", archive)), "ScaledObject")["spec"]["triggers"]
    assert trigger["metadata"]["query"] == f'max({work}{{namespace="films",job="night"}})'
    (metric,) = one(render(values_of("apart", archive)), "HorizontalPodAutoscaler")["spec"]["metrics"]
    assert metric["external"]["metric"]["name"] == work


@pytest.mark.parametrize("name", VALUES)
def test_pods_run_where_and_as_it_is_said(name: str) -> None:
    values = values_of(name)
    for pod in pods(render(values)).values():
        for key in ("nodeSelector", "tolerations", "affinity", "priorityClassName"):
            assert pod.get(key) == values.get(key), key


def test_a_digest_goes_before_a_tag() -> None:
    digest = values_of("scaled")["image"]["digest"]
    assert container(worker(render(values_of("scaled", {"image.tag": "7"}))))["image"].endswith(f"/dailies@{digest}")
    assert container(worker(render(values_of("smallest"))))["image"] == "registry.example.com/dailies:0.1.0"


def test_authorities_of_ones_own_are_trusted_by_every_client() -> None:
    """httpx, aiohttp and redis-py read one variable, msal the other."""
    pod = worker(render(values_of("placed")))["spec"]["template"]["spec"]
    environment = {v["name"]: v.get("value") for v in pod["containers"][0]["env"]}
    assert environment["SSL_CERT_FILE"] == environment["REQUESTS_CA_BUNDLE"] == "/etc/dailies-ca/ca.crt"
    (mount,) = [m for m in pod["containers"][0]["volumeMounts"] if m["mountPath"] == "/etc/dailies-ca"]
    (volume,) = [v for v in pod["volumes"] if v["name"] == mount["name"]]
    assert volume["configMap"]["name"] == "authorities"


def test_no_value_of_the_chart_is_a_setting_under_another_name() -> None:
    """Settings have one place: no pod has a variable of theirs but the four that the chart itself decides."""
    own = {"DAILIES_CONFIG", "DAILIES_MONITOR__HOST", "DAILIES_MONITOR__PORT", "DAILIES_REDIS__URL"}
    own |= {"DAILIES_REDIS__AUTH__PASSWORD_ENV"}
    for name in VALUES:
        text = yaml.safe_dump(list(pods(render(values_of(name))).values()))
        assert {word for word in text.split() if word.startswith(PREFIX)} <= own
