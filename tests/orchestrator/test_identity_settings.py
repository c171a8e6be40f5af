"""Who proves what by which means, as it is configured: identities, keys in variables, keys in files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from orchestrator.logs.redaction import redact
from orchestrator.settings import Deployment, SettingsError, load_settings
from orchestrator.settings.archive import ArchiveAuth, ArchiveSettings
from orchestrator.settings.deployment import Auth
from orchestrator.settings.secret_file import SecretFile

ID = "11111111-2222-3333-4444-555555555555"
CONTAINER = "https://acme.blob.core.windows.net/videos"


def deployment(auth: object, endpoint: str = "https://r.openai.azure.com") -> Deployment:
    return Deployment(name="east", endpoint=endpoint, model="sora-2", auth=auth)  # type: ignore[call-arg,arg-type]


@pytest.mark.parametrize("written", [True, {}, "true", {"client_id": ID, "tenant_id": "contoso.example"}])
def test_entra_is_true_or_an_identity(written: object) -> None:
    entra = Auth(entra=written).entra  # type: ignore[arg-type]
    assert entra is not None
    assert entra.client_id == (ID if isinstance(written, dict) and written else None)


@pytest.mark.parametrize(
    ("auth", "words"),
    [
        ({"entra": False}, "must say one way"),
        ({"entra": True, "api_key_file": "/run/key"}, "must say one way"),
        ({"entra": {"client_id": "my-identity"}}, "match pattern"),
        ({"entra": {"scope": "https://cognitiveservices.azure.com"}}, "ends in /.default"),
        ({"entra": {"user": "me"}}, "Extra inputs"),
        ({"entra": "perhaps"}, "true, or a mapping"),
        ({"api_key_file": "7c8f3a1b9d2e4f60"}, "must be the path of a file"),
    ],
)
def test_what_is_no_way_to_prove_anything_is_refused(auth: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words) as raised:
        Auth(**auth)
    assert "7c8f3a1b9d2e4f60" not in str(raised.value)


def test_tokens_go_over_tls_only_but_on_this_machine() -> None:
    for endpoint in ("http://localhost:8787", "http://127.0.0.1:8787", "https://r.example"):
        assert deployment({"entra": True}, endpoint).auth.entra
    with pytest.raises(ValidationError, match="without TLS"):
        deployment({"entra": True}, "http://gateway.example/v1")
    with pytest.raises(ValidationError, match="without TLS"):
        ArchiveSettings(url="http://acme.example/videos", auth=ArchiveAuth(entra=True))  # type: ignore[arg-type]


def test_the_environment_names_an_identity_by_keys_or_as_json(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    environ = {
        "DAILIES_DEPLOYMENTS": '[{"name": "east", "endpoint": "https://r.example", "model": "sora-2", "auth": {}}]',
        "DAILIES_DEPLOYMENTS__0__AUTH__ENTRA__CLIENT_ID": ID,
        "DAILIES_ARCHIVE__URL": CONTAINER,
        "DAILIES_ARCHIVE__AUTH__ENTRA": "True",
    }
    settings = load_settings(None, environ)
    entra = settings.deployments[0].auth.entra
    assert entra is not None
    assert entra.client_id == ID
    assert settings.archive.auth is not None
    assert settings.archive.auth.entra is not None


def test_a_file_that_is_not_there_is_named_with_who_needs_it(tmp_path: Path) -> None:
    path = str(tmp_path / "key")
    with pytest.raises(SettingsError, match=r"auth\.api_key_file.*the deployment east needs.*No such file"):
        deployment({"api_key_file": path}).api_key({})


@pytest.mark.parametrize("content", [b"", b" \n", b"\xff\xfe", b"k" * 70_000])
def test_a_file_without_a_secret_is_refused_at_the_start(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "key").write_bytes(content)
    with pytest.raises(SettingsError, match="cannot be used"):
        SecretFile(str(tmp_path / "key"), "the archive", setting="archive.auth.sas_file")


def test_a_secret_of_a_file_is_kept_out_of_every_text(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("s3cret-of-the-file\n")
    file = SecretFile(str(tmp_path / "key"), "the archive", setting="archive.auth.sas_file")
    assert "s3cret" not in repr(file)
    assert redact("it said s3cret-of-the-file") == "it said **********"
    assert file.secret().get_secret_value() == "s3cret-of-the-file"


def test_a_secret_is_read_anew_through_the_link_by_which_a_volume_is_swapped(tmp_path: Path) -> None:
    """As Kubernetes does it: a link to a folder is replaced, and nothing else changes."""
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "key").write_text(f"secret-{name}")
    (tmp_path / "data").symlink_to("one")
    file = SecretFile(str(tmp_path / "data/key"), "x", setting="y")
    (tmp_path / "new").symlink_to("two")
    (tmp_path / "new").rename(tmp_path / "data")
    assert file.secret().get_secret_value() == "secret-two"
