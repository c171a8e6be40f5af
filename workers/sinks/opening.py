"""From the archive's settings to the archive."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from azure.core.credentials import AzureSasCredential
from azure.core.credentials_async import AsyncTokenCredential
from azure.storage.blob.aio import BlobServiceClient, LinearRetry

from orchestrator.settings.archive import ArchiveSettings
from workers.sinks.blob import BLOCK, BlobSink
from workers.sinks.blob_address import address_of
from workers.sinks.directory import DirectorySink
from workers.sinks.errors import ArchiveUnavailable
from workers.sinks.sink import Sink


def open_sink(
    settings: ArchiveSettings, environ: Mapping[str, str], identity: AsyncTokenCredential | None = None
) -> Sink:
    """The archive that the settings name, not yet touched: `probe` does. Close it with `aclose` or `async with`.

    `identity` stands in for DefaultAzureCredential where the settings say Entra ID. Raises SettingsError where the
    named variable is not set, ArchiveUnavailable where URL and secret do not fit together.
    """
    if settings.directory is not None:
        return DirectorySink(settings.directory)
    options = client_options()
    connection_string, sas = settings.connection_string(environ), settings.sas_token(environ)
    if connection_string is not None:
        try:
            service = BlobServiceClient.from_connection_string(connection_string.get_secret_value().strip(), **options)
        except ValueError:
            # The SDK's own words might quote the string.
            raise ArchiveUnavailable(
                "The archive's connection string cannot be read.", "Copy it again from the account's access keys."
            ) from None
        account = service.url.partition("?")[0].rstrip("/")
        return BlobSink(service, address_of(settings.url, account))
    address = address_of(settings.url)
    if sas is not None:
        token = AzureSasCredential(sas.get_secret_value().strip().lstrip("?"))
        return BlobSink(BlobServiceClient(address.account, token, **options), address)
    if identity is None:
        # Imported when needed: it costs a third of a second.
        from azure.identity.aio import DefaultAzureCredential

        identity = DefaultAzureCredential()
    return BlobSink(BlobServiceClient(address.account, identity, **options), address, identity)


def client_options() -> dict[str, Any]:
    """How an Azure client of ours behaves: flat memory, bounded waits, and few tries of its own.

    (The archive step tries again by itself, for hours if need be, and must be able to hand back its claim.)
    """
    return {
        "max_single_put_size": BLOCK,
        "max_block_size": BLOCK,
        "max_single_get_size": BLOCK,
        "max_chunk_get_size": BLOCK,
        "connection_timeout": 10,
        "read_timeout": 60,
        "retry_policy": LinearRetry(backoff=1, retry_total=2, random_jitter_range=1),
    }
