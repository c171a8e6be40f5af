"""compose.yaml, a laptop's installation: its settings are read; its parts find each other, and nobody else does."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from orchestrator.settings import Settings, load_settings
from tests.helm.test_chart import RENDERED, complaints
from tests.servers import AZURITE_ACCOUNT, AZURITE_KEY

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "compose.yaml").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load(TEXT)
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """As the program reads them."""
    file = tmp_path / "dailies.yaml"
    file.write_text(COMPOSE["configs"]["settings"]["content"])
    return load_settings(file, SERVICES["worker"]["environment"])


def test_it_is_tidy() -> None:
    assert complaints(TEXT, RENDERED) == []


def test_the_worker_finds_every_part_by_its_name_and_port(settings: Settings) -> None:
    """And has every secret that its settings name."""
    environment = SERVICES["worker"]["environment"]
    assert settings.redis.url is not None
    urls = [settings.redis.url.get_secret_value(), settings.archive.url, *(d.endpoint for d in settings.deployments)]
    for url in map(urlsplit, urls):
        assert url.hostname in SERVICES
        assert any(port.endswith(f":{url.port}") for port in SERVICES[url.hostname]["ports"])
        assert SERVICES["worker"]["depends_on"][url.hostname] == {"condition": "service_healthy"}
    assert all(deployment.api_key(environment) for deployment in settings.deployments)
    archive = settings.archive.connection_string(environment)
    assert archive is not None
    assert f"AccountName={AZURITE_ACCOUNT};AccountKey={AZURITE_KEY};" in archive.get_secret_value()
    assert settings.archive.url.startswith(re.findall(r"BlobEndpoint=([^;]+)", archive.get_secret_value())[0])


def test_every_port_is_of_this_machine_alone() -> None:
    assert all(port.startswith("127.0.0.1:") for service in SERVICES.values() for port in service.get("ports", ()))


def test_every_image_that_is_fetched_is_of_one_version() -> None:
    for service in SERVICES.values():
        assert "build" in service or re.search(r":\d+\.\d+\.\d+", service["image"])


def test_every_part_says_whether_it_is_well() -> None:
    assert all("healthcheck" in service for service in SERVICES.values())


def test_redis_forgets_nothing() -> None:
    words = SERVICES["redis"]["command"]
    said = dict(zip(words[1::2], words[2::2], strict=True))
    assert said["--appendonly"] == "yes"
    assert said["--appendfsync"] == "always"
    assert said["--maxmemory-policy"] == "noeviction"


def test_our_own_containers_cannot_write_their_root_and_are_stopped_in_time() -> None:
    for name in ("worker", "sandbox"):
        assert SERVICES[name]["read_only"] is True
        assert SERVICES[name]["cap_drop"] == ["ALL"]
    assert int(SERVICES["worker"]["stop_grace_period"].removesuffix("s")) >= 2 * 60 + 75


def test_the_manifest_of_its_first_lines_is_there() -> None:
    (path,) = re.findall(r"dailies submit (\S+)", TEXT)
    (folder,) = [volume.split(":") for volume in SERVICES["worker"]["volumes"]]
    assert (ROOT / folder[0] / Path(path).relative_to(folder[1])).is_file()
