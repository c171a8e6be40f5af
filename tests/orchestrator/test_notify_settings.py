"""Webhooks in the settings: what is wrong is told at its key, and a URL is a secret wherever it is read."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.logs.redaction import redact
from orchestrator.settings import Notify, SettingsError, load_settings

URL = "https://hooks.example.com/services/T0123456/B0123456/abcdefgh"


def problems(tmp_path: Path, text: str) -> str:
    path = tmp_path / "dailies.yaml"
    path.write_text(text)
    with pytest.raises(SettingsError) as caught:
        load_settings(path, {})
    return str(caught.value)


def test_what_is_left_out_is_all_that_can_be_told(tmp_path: Path) -> None:
    path = tmp_path / "dailies.yaml"
    path.write_text("notify: [{name: ops, url_env: HOOK}]\n")
    (hook,) = load_settings(path, {}).notify
    assert (hook.kind, hook.on, hook.secret_env, hook.allow) == ("generic", ("ended", "stopped", "expiry"), None, ())


def test_a_webhook_can_come_from_the_environment() -> None:
    environ = {"NAME": "ops", "URL_ENV": "HOOK", "ON": '["ended"]'}
    (hook,) = load_settings(None, {f"DAILIES_NOTIFY__0__{key}": value for key, value in environ.items()}).notify
    assert (hook.name, hook.on) == ("ops", ("ended",))


@pytest.mark.parametrize("key", ["on", '"on"'])
def test_on_is_a_key_and_no_other_word_for_true(tmp_path: Path, key: str) -> None:
    path = tmp_path / "dailies.yaml"
    path.write_text(f"notify: [{{name: ops, url_env: HOOK, {key}: [ended]}}]\narchive: {{delete_remote: yes}}\n")
    settings = load_settings(path, {})
    assert settings.notify[0].on == ("ended",)
    assert settings.archive.delete_remote is True


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("notify: [{name: ops, url: 'https://x'}]\n", "notify[0].url: is not a known key"),
        ("notify: [{name: ops, url_env: A}, {name: ops, url_env: B}]\n", "notify[1].name: must be unique"),
        ("notify: [{name: ops, url_env: A, kind: slack, secret_env: S}]\n", "only a generic webhook is signed"),
        ("notify: [{name: ops, url_env: A, on: []}]\n", "notify[0].on: must have at least one element"),
        ("notify: [{name: ops, url_env: A, on: [started]}]\n", "notify[0].on[0]"),
        ("notify: [{name: ops, url_env: A, allow: ['http://x']}]\n", "notify[0].allow[0]"),
        ("notify: [{name: a b, url_env: A}]\n", "notify[0].name"),
    ],
)
def test_what_is_wrong_is_told_at_its_key(tmp_path: Path, text: str, told: str) -> None:
    assert told in problems(tmp_path, text)


def test_a_word_that_is_misspelt_is_told_once_with_the_one_that_was_meant(tmp_path: Path) -> None:
    (told,) = problems(tmp_path, "notify: [{name: ops, url_env: A, on: [end]}]\n").splitlines()
    assert told.endswith("notify[0].on[0]: must be 'ended', 'stopped' or 'expiry', not end (did you mean ended?)")


@pytest.mark.parametrize("written", [URL[8:], "http://hooks.example.com/x", "https:///x", "ftp://x/y"])
def test_a_url_that_cannot_be_used_is_refused_without_being_repeated(written: str) -> None:
    with pytest.raises(SettingsError, match="HOOK: holds no URL") as caught:
        Notify(name="ops", url_env="HOOK").url({"HOOK": written})
    assert written not in str(caught.value)


def test_plain_http_is_for_places_that_are_allowed() -> None:
    hook = Notify(name="ops", url_env="HOOK", allow=("10.0.0.0/8",))
    assert hook.url({"HOOK": "http://10.0.0.7/in"}).get_secret_value() == "http://10.0.0.7/in"


def test_no_text_shows_the_url_nor_its_path() -> None:
    Notify(name="ops", url_env="HOOK").url({"HOOK": URL})
    said = redact(f"POST {URL} failed; /services/T0123456/B0123456/abcdefgh: no")
    assert said == "POST ********** failed; /**********: no"
