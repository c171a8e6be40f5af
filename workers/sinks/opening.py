"""From the archive's settings to the archive."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from azure.core.credentials import AzureSasCredential
from azure.storage.blob.aio import BlobServiceClient
from pydantic import SecretStr

from orchestrator.settings.archive import ArchiveSettings
from orchestrator.settings.entra import Entra
from orchestrator.settings.secret_file import SecretFile
from workers.identity.entra import Identities
from workers.sinks.blob import BlobSink
from workers.sinks.blob_address import BlobAddress, address_of
from workers.sinks.blob_retry import PatientRetry
from workers.sinks.blob_upload import BLOCK
from workers.sinks.directory import DirectorySink
from workers.sinks.errors import ArchiveUnavailable
from workers.sinks.file_secrets import KeyFromFile, SasFromFile
from workers.sinks.sink import Sink


def open_sink(settings: ArchiveSettings, environ: Mapping[str, str], identities: Identities | None = None) -> Sink:
    """The archive that the settings name, not yet touched: `probe` does. Close it with `aclose` or `async with`.

    `identities` are those of this process, whose tokens are shared where the settings say Entra ID. Raises
    SettingsError where the named variable is not set or the file cannot be used, ArchiveUnavailable where URL and
    secret do not fit together.
    """
    if settings.directory is not None:
        return DirectorySink(settings.directory)
    service, address = open_service(settings, environ, identities or Identities())
    return BlobSink(service, address, tier=settings.tier)


def open_service(
    settings: ArchiveSettings, environ: Mapping[str, str], identities: Identities
) -> tuple[BlobServiceClient, BlobAddress]:
    """The client of a container's account, and where in it the archive is. Raises as `open_sink`."""
    connection_string, sas = settings.connection_string(environ), settings.sas_token(environ)
    secret = connection_string or sas
    options = client_options(secret if isinstance(secret, SecretFile) else None)
    if connection_string is not None:
        service = _by_connection_string(connection_string, options)
        return service, address_of(settings.url, service.url.partition("?")[0].rstrip("/"))
    address = address_of(settings.url)
    if isinstance(sas, SecretFile):
        return BlobServiceClient(address.account, SasFromFile(sas), **options), address
    if sas is not None:
        token = AzureSasCredential(sas.get_secret_value().strip().lstrip("?"))
        return BlobServiceClient(address.account, token, **options), address
    entra = settings.auth.entra if settings.auth else None
    return BlobServiceClient(address.account, identities.of(entra or Entra()), **options), address


def _by_connection_string(secret: SecretStr | SecretFile, options: dict[str, Any]) -> BlobServiceClient:
    text = (secret.last if isinstance(secret, SecretFile) else secret).get_secret_value().strip()
    key = KeyFromFile(secret) if isinstance(secret, SecretFile) and KeyFromFile.of(text) else None
    try:
        return BlobServiceClient.from_connection_string(text, credential=key, **options)  # type: ignore[arg-type]
    except ValueError:
        # The SDK's own words might quote the string.
        raise ArchiveUnavailable(
            "The archive's connection string cannot be read.", "Copy it again from the account's access keys."
        ) from None


def client_options(secret: SecretFile | None = None) -> dict[str, Any]:
    """How an Azure client of ours behaves: flat memory, bounded waits, and few tries of its own. `secret`: the file in
    which its secret is."""
    return {
        "max_single_put_size": BLOCK,
        "max_block_size": BLOCK,
        "max_single_get_size": BLOCK,
        "max_chunk_get_size": BLOCK,
        "connection_timeout": 10,
        "read_timeout": 60,
        "retry_policy": PatientRetry(secret),
    }
