"""`inputs.allow` takes networks, addresses and hosts, and says what is wrong with anything else."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.settings import SettingsError, load_settings


def allowed(folder: Path, written: str) -> tuple[str, ...]:
    path = folder / "dailies.yaml"
    path.write_text(f"inputs: {{allow: [{written}]}}\n")
    return load_settings(path, {}).inputs.allow


def test_nothing_is_allowed_besides_public_addresses_unless_it_is_said() -> None:
    assert load_settings(None, {}).inputs.allow == ()


def test_networks_addresses_and_hosts_are_taken(tmp_path: Path) -> None:
    entries = ("10.0.0.0/8", "192.168.1.7", "fd00::/8", "assets.example.com", "*.example.com", "localhost")
    assert allowed(tmp_path, ", ".join(f'"{entry}"' for entry in entries)) == entries


def test_the_environment_may_say_it() -> None:
    assert load_settings(None, {"DAILIES_INPUTS__ALLOW": '["10.0.0.0/8"]'}).inputs.allow == ("10.0.0.0/8",)


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ("https://assets.example.com", "must be an address, a network or the name of a host"),
        ("*", "must be an address, a network or the name of a host"),
        ("a*.example.com", "must be an address, a network or the name of a host"),
        ("10.0.0.300", "must be an address, a network or the name of a host"),
        ("10.0.0.1/8", "write 10.0.0.0/8, or the address alone"),
        ("", "must be an address, a network or the name of a host"),
    ],
)
def test_what_is_none_of_them_is_a_problem_with_its_mend(tmp_path: Path, entry: str, said: str) -> None:
    with pytest.raises(SettingsError) as error:
        allowed(tmp_path, f'"{entry}"')
    (problem,) = error.value.problems
    assert problem.path == "inputs.allow[0]"
    assert said in f"{problem.message} {problem.hint}"


def test_a_rehearsal_fetches_from_where_the_real_run_would(tmp_path: Path) -> None:
    path = tmp_path / "dailies.yaml"
    path.write_text("inputs: {allow: [assets.example.com]}\n")
    assert load_settings(path, {}).for_sandbox("http://127.0.0.1:1").inputs.allow == ("assets.example.com",)
