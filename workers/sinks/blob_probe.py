"""Whether a container may be written to, asked with a small blob; and whether what stands there may be rewritten."""

from __future__ import annotations

from azure.core.exceptions import AzureError, ResourceExistsError, ResourceNotFoundError
from azure.storage.blob import ContentSettings
from azure.storage.blob.aio import BlobClient, ContainerClient

from workers.sinks.blob_errors import answered, azure_errors, code_of, in_our_words
from workers.sinks.errors import ArchiveUnavailable, Immutable, NoContainer

PROBE = "dailies-probe"
_QUESTION = b"dailies asks whether it may write here\n"


async def probe(container: ContainerClient, blob: BlobClient, place: str) -> bool:
    """Whether the container keeps what it has for good: then nothing there can be written a second time, or deleted.

    A missing container is created, where that is allowed. Raises ArchiveUnavailable, which says what to mend.
    """
    try:
        try:
            await _ask(blob, place)
        except NoContainer as missing:
            await _create(container, place, missing)
            await _ask(blob, place)
        with azure_errors(place, PROBE):
            await _remove_if_allowed(blob)
    except Immutable:
        return True  # the probe of an earlier run, if not this one's: it could be written then
    return False


async def _ask(blob: BlobClient, place: str) -> None:
    async with answered(place, PROBE):
        await blob.upload_blob(
            _QUESTION, length=len(_QUESTION), overwrite=True, content_settings=ContentSettings("text/plain")
        )


async def _create(container: ContainerClient, place: str, missing: NoContainer) -> None:
    try:
        async with answered(place):
            try:
                await container.create_container()
            except ResourceExistsError as error:
                if code_of(error) != "ContainerAlreadyExists":
                    raise
    except ArchiveUnavailable as error:
        if error.status is None:
            raise
        name = container.container_name
        raise NoContainer(
            missing.problem,
            f"It may not be created with this identity or SAS either. Create it (az storage container create --name "
            f"{name}), or allow it to.",
        ) from None


async def remove(blob: BlobClient) -> None:
    """Deletes a probe. Whoever else probes at the same moment, or a lost answer, may have removed it already."""
    try:
        await blob.delete_blob()
    except ResourceNotFoundError as error:
        if code_of(error) != "BlobNotFound":
            raise


async def _remove_if_allowed(blob: BlobClient) -> None:
    """A SAS without the right to delete leaves the probe there, and can be used all the same."""
    try:
        await remove(blob)
    except AzureError as error:
        refused = getattr(error, "status_code", None) == 403
        if not refused or isinstance(in_our_words(error, ""), Immutable):
            raise
