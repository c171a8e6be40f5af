"""The account, container and prefix that an archive's URL names, beside the secret that opens it."""

from __future__ import annotations

import pytest

from orchestrator.settings.archive import ArchiveAuth, ArchiveSettings
from tests.servers import Container
from tests.workers.sinks.conftest import blob_sink_of
from tests.workers.sinks.test_blob_sink import sas_sink
from workers.sinks import ArchiveUnavailable, open_sink


@pytest.mark.parametrize(
    ("connection_string", "url"),
    [
        ("nonsense", "http://127.0.0.1:9/a/c"),
        ("AccountName=a;AccountKey=c2VjcmV0;BlobEndpoint=http://127.0.0.1:9/a;", "http://127.0.0.1:9/b/c"),
        ("AccountName=a;AccountKey=c2VjcmV0;EndpointSuffix=core.windows.net", "https://b.blob.core.windows.net/c"),
    ],
)
async def test_settings_that_do_not_fit_together_are_refused_without_quoting_them(
    connection_string: str, url: str
) -> None:
    settings = ArchiveSettings(url=url, auth=ArchiveAuth(connection_string_env="STORE"))
    with pytest.raises(ArchiveUnavailable) as raised:
        open_sink(settings, {"STORE": connection_string})
    assert "c2VjcmV0" not in str(raised.value)


async def test_an_account_s_own_host_name_has_the_container_first_in_its_path() -> None:
    key = "AccountName=acme;AccountKey=c2VjcmV0;EndpointSuffix=core.windows.net"
    for prefix in ("", "night/one"):
        async with blob_sink_of(Container(key, "c", "https://ACME.blob.core.windows.net/videos"), prefix) as sink:
            assert sink.url == f"https://acme.blob.core.windows.net/videos/{prefix}{'/' if prefix else ''}"
    async with sas_sink("https://acme.blob.core.windows.net/videos/x", "sig=1") as sink:
        assert sink.url == "https://acme.blob.core.windows.net/videos/x/"
