"""What the rendered workers do: drain in time, read the very settings, and hold secrets by reference alone."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import pytest

from orchestrator.ledger.store import Store
from orchestrator.redis.connection import connect
from orchestrator.settings import Settings, load_settings
from tests.helm.chart import (
    VALUES,
    Document,
    Values,
    config_map,
    one,
    pods,
    render,
    render_text,
    templates,
    values_of,
    worker,
)
from workers.identity.credentials import ApiKey
from workers.sinks.directory import DirectorySink
from workers.station import Line
from workers.video_api import connect as connect_api
from workers.worker import STEPS, Worker

#: Variables whose values are no secrets.
PLAIN = {
    "DAILIES_CONFIG",
    "DAILIES_MONITOR__HOST",
    "DAILIES_MONITOR__PORT",
    "REQUESTS_CA_BUNDLE",
    "SSL_CERT_FILE",
    "TZ",
}


def environment(pod: Document) -> dict[str, Document]:
    (container,) = pod["containers"]
    return {variable["name"]: variable for variable in container["env"]}


def settings_of(documents: list[Document], folder: Path, **environ: str) -> Settings:
    """The settings as the program itself reads them from the ConfigMap."""
    file = folder / "dailies.yaml"
    file.write_text(config_map(documents)["data"]["dailies.yaml"])
    return load_settings(file, environ)


def completion_wait_s(settings: Settings, folder: Path, *, steps: Sequence[str] = STEPS) -> float:
    """For how long a real worker with these settings may take to stop: it waits for its creates."""
    lines = {}
    for d in settings.deployments:
        api = connect_api(d.api, d.endpoint, ApiKey("any"), create_timeout_s=d.create_timeout_s, read_timeout_s=30)
        lines[d.name] = Line(d, api)
    store = Store(connect("redis://127.0.0.1:1/0"), settings.redis.namespace)  # connects at its first command
    return Worker(store, lines, DirectorySink(folder), claim_s=settings.claim_s, steps=steps).drain_s


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("smallest", {}),
        ("smallest", {"config.deployments.0.create_timeout_s": 0.5}),
        ("smallest", {"config.deployments.0.create_timeout_s": 600}),
        ("overnight", {}),
        ("identity", {}),
        ("placed", {}),
    ],
)
async def test_the_grace_period_outlasts_the_drain(name: str, changes: Values, tmp_path: Path) -> None:
    """create_timeout_s < completion wait < grace period: no create is cut, and then one that may be paid for lost.

    The wait is asked of a worker made from the rendered configuration. Half a minute more lets the last look at a
    remote job end.
    """
    documents = render(values_of(name, changes))
    settings = settings_of(documents, tmp_path)
    wait_s = completion_wait_s(settings, tmp_path)
    grace_s = worker(documents)["spec"]["template"]["spec"]["terminationGracePeriodSeconds"]
    assert max(d.create_timeout_s for d in settings.deployments) < wait_s
    assert wait_s + 30 < grace_s


async def test_archive_workers_have_time_to_hand_back_what_they_download(tmp_path: Path) -> None:
    documents = render(values_of("apart"))
    wait_s = completion_wait_s(settings_of(documents, tmp_path), tmp_path, steps=["archive"])
    pod = pods(documents)["night-dailies-archive"]
    assert wait_s + 30 < pod["terminationGracePeriodSeconds"]


@pytest.mark.parametrize("name", VALUES)
def test_the_program_reads_what_was_written_under_config(name: str, tmp_path: Path) -> None:
    """Value for value: null, which is no limit, and large numbers too."""
    values = values_of(name)
    settings = settings_of(render(values), tmp_path)
    for read, written in zip(settings.deployments, values["config"]["deployments"], strict=True):
        assert read == type(read).model_validate(written)
    assert settings.archive == type(settings.archive).model_validate(values["config"]["archive"])
    assert settings.keep_days == values["config"].get("keep_days", 30)


def test_a_quota_without_a_limit_stays_without(tmp_path: Path) -> None:
    """Helm takes null for a wish to remove a key; here it is a value, and its default another."""
    sweden = settings_of(render(values_of("overnight")), tmp_path).deployments[1]
    assert (sweden.quota.per_minute, sweden.retention_s) == (None, 1_209_600)


@pytest.mark.parametrize("name", VALUES)
def test_secrets_are_there_by_reference_alone(name: str) -> None:
    """Every variable is from a Secret, but for those that are none; and the chart makes no Secret."""
    values = values_of(name)
    documents = render(values)
    assert not [d for d in documents if d["kind"] == "Secret"]
    own = {variable["name"] for variable in values.get("extraEnv", ())}
    trial = values.get("redis", {}).get("enabled", False)
    for pod in pods(documents, ours=True).values():
        variables = {n: v for n, v in environment(pod).items() if n not in own}
        plain = {n: v["value"] for n, v in variables.items() if "value" in v}
        assert plain.keys() <= PLAIN | ({"DAILIES_REDIS__URL", "DAILIES_REDIS__AUTH__PASSWORD_ENV"} if trial else set())
        referred = {n: v["valueFrom"]["secretKeyRef"] for n, v in variables.items() if "valueFrom" in v}
        password = {"REDIS_PASSWORD": {"name": "dailies-redis", "key": "password"}} if trial else {}
        assert referred == values.get("secretEnv", {}) | password


@pytest.mark.parametrize("name", VALUES)
def test_each_secret_that_the_settings_name_is_in_the_environment(name: str, tmp_path: Path) -> None:
    """The program finds every key: none of its own questions for a secret fails."""
    documents = render(values_of(name))
    pod = worker(documents)["spec"]["template"]["spec"]
    environ = {variable: v.get("value", "secret") for variable, v in environment(pod).items()}
    mounts = [mount["mountPath"] for mount in pod["containers"][0]["volumeMounts"]]
    settings = settings_of(documents, tmp_path)
    for deployment in settings.deployments:
        if deployment.auth.api_key_file:
            assert str(Path(deployment.auth.api_key_file).parent) in mounts
        else:
            assert deployment.auth.entra or deployment.api_key(environ)
    if settings.archive.directory is not None:
        assert str(settings.archive.directory) in mounts
        return
    assert settings.archive.auth is not None
    if not settings.archive.auth.entra:
        assert settings.archive.connection_string(environ) or settings.archive.sas_token(environ)


@pytest.mark.parametrize("name", VALUES)
def test_the_configuration_lies_where_the_program_looks(name: str) -> None:
    documents = render(values_of(name))
    config = config_map(documents)["metadata"]["name"]
    for pod in pods(documents, ours=True).values():
        folder, file = environment(pod)["DAILIES_CONFIG"]["value"].rsplit("/", 1)
        (container,) = pod["containers"]
        (mount,) = (m for m in container["volumeMounts"] if m["mountPath"] == folder)
        (volume,) = [v for v in pod["volumes"] if v["name"] == mount["name"]]
        assert volume["configMap"] == {"name": config}
        assert file in config_map(documents)["data"]


def checksum(values: Values) -> str:
    annotations = worker(render(values))["spec"]["template"]["metadata"]["annotations"]
    return str(annotations["checksum/config"])


def test_workers_are_replaced_when_the_configuration_changes_and_only_then() -> None:
    before = checksum(values_of("smallest"))
    assert checksum(values_of("smallest", {"config.keep_days": 31})) != before
    assert checksum(values_of("smallest", {"worker.replicas": 9})) == before


@pytest.mark.parametrize("name", VALUES)
def test_each_set_of_pods_selects_its_own_and_no_others(name: str) -> None:
    documents = render(values_of(name))
    for document in (d for d in documents if d["kind"] in ("Deployment", "StatefulSet")):
        chosen = document["spec"]["selector"]["matchLabels"].items()
        labels = {n: template["metadata"]["labels"].items() for n, template in templates(documents).items()}
        assert [n for n, of in labels.items() if chosen <= of] == [document["metadata"]["name"]]


def test_workers_run_the_worker_command() -> None:
    (container,) = worker(render(values_of("smallest")))["spec"]["template"]["spec"]["containers"]
    assert container["command"] == ["dailies", "worker"]


def test_a_name_that_looks_like_a_number_stays_a_name() -> None:
    """YAML would take 1e3 for a thousand, and Kubernetes refuse it."""
    documents = render(values_of("smallest", {"fullnameOverride": "1e3", "serviceAccount.name": "007"}), release="2026")
    assert {d["metadata"]["name"] for d in documents} == {"1e3", "1e3-doctor", "007"}
    assert {d["metadata"]["labels"]["app.kubernetes.io/instance"] for d in documents} == {"2026"}


@pytest.mark.parametrize("name", VALUES)
def test_the_notes_end_in_three_commands_for_this_release(name: str) -> None:
    values = values_of(name)
    notes = render_text(values)["NOTES.txt"]
    steps = re.findall(r"(?m)^(\d)\. .+\n\n   (kubectl .+)$", notes)
    assert [number for number, _ in steps] == ["1", "2", "3"]
    names = set(pods(render(values)))
    for _, command in steps:
        assert "-n films" in command
        assert set(re.findall(r"(?:deployment|cronjob)/([\w-]+)", command)) <= names


@pytest.mark.parametrize(
    ("name", "count"), [("smallest", "2 worker(s)"), ("scaled", "2 to 6 worker(s)"), ("apart", "1 to 2 and 3 archive")]
)
def test_the_notes_count_the_workers_that_there_will_be(name: str, count: str) -> None:
    assert f": {count}" in render_text(values_of(name))["NOTES.txt"]


def test_workload_identity_reaches_every_pod() -> None:
    """Azure's webhook looks for the label on the pod, and for the client id on its ServiceAccount."""
    schedules = values_of("overnight")["schedules"]
    documents = render(values_of("identity", {"schedules": schedules}))
    account = one(documents, "ServiceAccount")["metadata"]
    assert account["annotations"] == values_of("identity")["serviceAccount"]["annotations"]
    for template in templates(documents, ours=True).values():
        assert template["spec"]["serviceAccountName"] == account["name"]
        assert template["metadata"]["labels"]["azure.workload.identity/use"] == "true"


def test_a_service_account_that_is_there_already_is_used() -> None:
    documents = render(values_of("smallest", {"serviceAccount": {"create": False, "name": "ours"}}))
    assert not [d for d in documents if d["kind"] == "ServiceAccount"]
    assert {pod["serviceAccountName"] for pod in pods(documents).values()} == {"ours"}
