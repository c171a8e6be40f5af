"""The small Redis for trials, with its very configuration and command, and the example that uses it."""

from __future__ import annotations

import os
import shutil
import socket
from pathlib import Path

import pytest
from redis import Redis
from redis.exceptions import AuthenticationError, RedisError

from orchestrator.redis.server import server_binaries
from tests.helm.chart import Document, one, render, values_of
from tests.servers import free_port, running

#: One that a shell or a configuration file could misread.
PASSWORD = "it's 100% $HOME;#"


@pytest.fixture
def redis() -> Document:
    (container,) = one(render(values_of("trial")), "StatefulSet")["spec"]["template"]["spec"]["containers"]
    return dict(container)


def test_the_server_starts_by_its_command_keeps_every_write_and_asks_for_the_password(
    redis: Document, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rendered command and configuration, on a real server; only the folders and the port are others."""
    port = free_port()
    folders = {"/etc/redis": tmp_path / "etc", "/run/redis": tmp_path / "run", "/data": tmp_path / "data"}
    for folder in (*folders.values(), tmp_path / "bin"):
        folder.mkdir()
    conf = one(render(values_of("trial")), "ConfigMap", "trial-redis")["data"]["redis.conf"]
    command = list(redis["command"])
    for inside, outside in folders.items():
        conf = conf.replace(f" {inside}", f" {outside}")
        command = [word.replace(inside, str(outside)) for word in command]
    (folders["/etc/redis"] / "redis.conf").write_text(conf.replace("port 6379", f"port {port}\nbind 127.0.0.1"))
    (tmp_path / "bin/valkey-server").symlink_to(server_binaries()[0])
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    monkeypatch.setenv("REDIS_PASSWORD", PASSWORD)

    def ready() -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    with running(command, tmp_path / "redis.log", ready), Redis(port=port, password=PASSWORD) as client:
        assert client.ping()
        wanted = {"appendonly": "yes", "appendfsync": "always", "maxmemory-policy": "noeviction"}
        assert {key: client.config_get(key)[key] for key in wanted} == wanted
        assert int(client.config_get("maxmemory")["maxmemory"]) == 384 * 2**20
        with Redis(port=port) as stranger, pytest.raises((AuthenticationError, RedisError), match=r"(?i)auth"):
            stranger.ping()
    assert list(folders["/data"].glob("appendonlydir/*.aof"))
    assert (folders["/run/redis"] / "password.conf").stat().st_mode & 0o077 == 0


def test_its_probes_ask_with_the_password(redis: Document) -> None:
    """Without printing it; and a server that still reads its file is given five minutes."""
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        assert 'REDISCLI_AUTH="$REDIS_PASSWORD"' in redis[probe]["exec"]["command"][-1]
    assert redis["startupProbe"]["periodSeconds"] * redis["startupProbe"]["failureThreshold"] >= 300


@pytest.mark.skipif(shutil.which("redis-cli") is None, reason="no redis-cli on PATH")
def test_a_probe_succeeds_only_on_a_server_that_answers(redis: Document, tmp_path: Path) -> None:
    import subprocess

    command = redis["readinessProbe"]["exec"]["command"]
    nobody = subprocess.run(
        [*command[:2], command[2].replace('"$cli" ping', f'"$cli" -p {free_port()} ping')],
        env={"PATH": os.environ["PATH"], "REDIS_PASSWORD": "x"}, capture_output=True, check=False,
    )  # fmt: skip
    assert nobody.returncode != 0


def test_the_ledger_outlives_its_pod_and_its_release() -> None:
    spec = one(render(values_of("trial")), "StatefulSet")["spec"]
    (claim,) = spec["volumeClaimTemplates"]
    assert claim["metadata"]["name"] == "data"
    assert spec["persistentVolumeClaimRetentionPolicy"] == {"whenDeleted": "Retain", "whenScaled": "Retain"}


def test_the_trials_endpoint_is_its_own_sandbox() -> None:
    """The example's address is that of the Service that the chart makes, and its port."""
    documents = render(values_of("trial"))
    service = one(documents, "Service", "trial-sandbox")
    endpoint = values_of("trial")["config"]["deployments"][0]["endpoint"]
    assert endpoint == f"http://{service['metadata']['name']}:{service['spec']['ports'][0]['port']}"
    (container,) = one(documents, "Deployment", "trial-sandbox")["spec"]["template"]["spec"]["containers"]
    assert container["command"][:2] == ["dailies", "sandbox"]
    assert "envFrom" not in container
    assert "env" not in container
