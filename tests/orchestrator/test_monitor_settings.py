"""`monitor` says where a worker answers; the variables of the chart, and of Kubernetes, do not stand in its way."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.settings import SettingsError, load_settings


def test_a_worker_answers_nobody_unless_it_is_given_a_port() -> None:
    monitor = load_settings(None, {}).monitor
    assert (monitor.host, monitor.port) == ("127.0.0.1", None)


def test_the_environment_may_say_it() -> None:
    """Though a variable that ends in PORT may come of a Service of Kubernetes."""
    environ = {"DAILIES_MONITOR__HOST": "::", "DAILIES_MONITOR__PORT": "9464"}
    monitor = load_settings(None, environ).monitor
    assert (monitor.host, monitor.port) == ("::", 9464)


def test_variables_of_a_service_of_that_name_are_none_of_ours() -> None:
    environ = {"DAILIES_MONITOR_PORT": "tcp://10.0.0.1:9464", "DAILIES_MONITOR_SERVICE_HOST": "10.0.0.1"}
    assert load_settings(None, environ).monitor.port is None


def test_the_steps_of_a_worker_are_no_setting_and_no_slip() -> None:
    assert load_settings(None, {"DAILIES_WORKER_ONLY": "archive"}).monitor.port is None


@pytest.mark.parametrize("host", ["::", "::1", "localhost", "10.1.2.3", "workers.example.com"])
def test_addresses_and_names_are_taken(tmp_path: Path, host: str) -> None:
    path = tmp_path / "dailies.yaml"
    path.write_text(f'monitor: {{host: "{host}", port: 0}}\n')
    assert load_settings(path, {}).monitor.host == host


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("host: http://localhost", "without scheme and port"),
        ("host: localhost:9464", "without scheme and port"),
        ("port: 65536", "a port from 0 to 65535"),
        ("port: -1", "a port from 0 to 65535"),
        ("prot: 9464", "port"),
    ],
)
def test_anything_else_is_refused_with_the_mend(tmp_path: Path, written: str, said: str) -> None:
    path = tmp_path / "dailies.yaml"
    path.write_text(f"monitor: {{{written}}}\n")
    with pytest.raises(SettingsError) as refused:
        load_settings(path, {})
    (problem,) = refused.value.problems
    assert said in f"{problem.message} {problem.hint}"
