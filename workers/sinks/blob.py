"""The archive as a container of Azure Blob Storage."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing
from urllib.parse import quote

from azure.core.credentials_async import AsyncTokenCredential
from azure.core.exceptions import AzureError, ResourceExistsError, ResourceNotFoundError
from azure.storage.blob import ContentSettings, StandardBlobTier
from azure.storage.blob.aio import BlobClient, BlobPrefix, BlobServiceClient

from workers.sinks.blob_address import BlobAddress
from workers.sinks.blob_errors import answered, azure_errors, code_of, in_our_words
from workers.sinks.blob_metadata import MARK, from_blob, is_marked
from workers.sinks.blob_probe import PROBE, probe
from workers.sinks.blob_upload import BLOCK, Upload
from workers.sinks.errors import ArchiveUnavailable, Immutable, TooLarge, WriteRefused
from workers.sinks.reading import blob_chunks
from workers.sinks.sink import READ_LIMIT, Accept, Arrived, NameTaken, Saved, Stat
from workers.sinks.stream import blocks_of, checked


class BlobSink:
    """Blobs below a prefix. Closes the service client, and the identity if one is given, with itself."""

    def __init__(
        self,
        service: BlobServiceClient,
        address: BlobAddress,
        identity: AsyncTokenCredential | None = None,
        tier: str | None = None,
    ) -> None:
        """`tier`: the access tier of videos ("hot", "cool", "cold"); None: the account's own."""
        self._service = service
        self._address = address
        self._identity = identity
        self._container = service.get_container_client(address.container)
        self._place = f"{address.account}/{address.container}"
        self._tier = StandardBlobTier(tier.capitalize()) if tier else None
        self._keeps = False

    def __repr__(self) -> str:
        return f"BlobSink({self.url!r})"

    @property
    def url(self) -> str:
        return self._address.url

    @property
    def keeps(self) -> bool:
        return self._keeps

    async def probe(self) -> None:
        """Writes a small blob and removes it; a missing container is created where that is allowed."""
        self._keeps = await probe(self._container, self._blob(PROBE), self._place)

    async def save(
        self,
        name: str,
        chunks: AsyncIterator[bytes],
        *,
        content_type: str,
        metadata: Mapping[str, str],
        claim: str,
        replace: bool = False,
        accept: Accept | None = None,
    ) -> Saved | NameTaken:
        """Sends blocks of 4 MiB while the next one fills, and gives them their name in one call, conditional on it.

        The access tier is that of videos, which are written for good; what is rewritten stays in the account's own.
        """
        tier = self._tier if content_type.startswith("video/") and not replace else None
        if replace and self._keeps:
            name, replace = await self._free(name), False
        upload = Upload(self._blob(name), claim, self._place, name)
        try:
            async with aclosing(blocks_of(chunks, BLOCK)) as blocks:
                async for block in blocks:
                    await upload.add(block)
            arrived = await upload.arrived()
        finally:
            await upload.stop()
        if accept is not None:
            accept(arrived)
        try:
            try:
                await upload.commit(content_type, metadata, tier=tier, replace=replace)
            except ResourceExistsError as error:
                exists = code_of(error) != "BlobAlreadyExists" or await self.stat(name) is not None
                if exists or not await upload.split():
                    raise
                await upload.commit(content_type, metadata, tier=tier, replace=replace)
        except AzureError as error:
            return await self._refused(name, arrived, error, replace=replace)
        return Saved(name, self._url_of(name), arrived.bytes, arrived.sha256, arrived.md5)

    async def stat(self, name: str) -> Stat | None:
        """None if there is no such blob."""
        async with answered(self._place, name):
            try:
                found = await self._blob(name).get_blob_properties()
            except ResourceNotFoundError as error:
                if code_of(error) == "ContainerNotFound":
                    raise
                return None
        kept = found.content_settings
        md5 = bytes(kept.content_md5) if kept.content_md5 else None
        metadata = from_blob(found.metadata)
        return Stat(found.size, md5, metadata, kept.content_type, True if is_marked(metadata) else None)

    async def names(self, folder: str = "", *, folders: bool = False) -> AsyncIterator[str]:
        """The blobs, or folders, directly below a folder's prefix; none where there is no container either."""
        prefix = f"{self._address.prefix}{checked(folder)}/" if folder else self._address.prefix
        with azure_errors(self._place, folder):
            try:
                async for entry in self._container.walk_blobs(name_starts_with=prefix):
                    if isinstance(entry, BlobPrefix) is folders:
                        yield entry.name.removeprefix(prefix).rstrip("/")
            except ResourceNotFoundError:
                return

    async def read(self, name: str) -> bytes:
        """The whole of a small blob. Raises NotThere, TooLarge."""
        data = bytearray()
        async with aclosing(self.chunks(name)) as chunks:
            async for chunk in chunks:
                data += chunk
                if len(data) > READ_LIMIT:
                    raise TooLarge(f"{self._url_of(name)} is over {READ_LIMIT >> 20} MiB: it is not ours.")
        return bytes(data)

    def chunks(self, name: str, start: int = 0, length: int | None = None) -> AsyncGenerator[bytes, None]:
        """The bytes of a blob, or a part of them. Raises NotThere."""
        return blob_chunks(self._blob(name), self._place, name, start, length)

    async def write(self, name: str, data: bytes, content_type: str, *, replace: bool = True) -> str:
        """Writes a small blob at once; its URL. Without `replace`, a name that is taken is WriteRefused."""
        md5 = hashlib.md5(data, usedforsecurity=False).digest()
        settings = ContentSettings(content_type=content_type, content_md5=bytearray(md5))
        upload = self._blob(name).upload_blob
        try:
            async with answered(self._place, name):
                try:
                    await upload(
                        data, overwrite=replace, content_settings=settings, metadata=MARK, validate_content=True
                    )
                except ResourceExistsError:
                    if replace:
                        raise
                    raise WriteRefused(f"{self._url_of(name)} is there already.") from None
        except Immutable:
            self._keeps = True
            raise
        return self._url_of(name)

    async def tidy(self, folder: str) -> None:
        """Nothing: the store drops blocks that were never committed after a week."""

    async def aclose(self) -> None:
        await self._service.close()
        if self._identity is not None:
            await self._identity.close()

    async def __aenter__(self) -> BlobSink:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    def _blob(self, name: str) -> BlobClient:
        return self._container.get_blob_client(self._address.prefix + checked(name))

    def _url_of(self, name: str) -> str:
        return self.url + quote(name)

    async def _free(self, name: str) -> str:
        """The name, or the next one that nothing stands under: "index.html", "index.2.html", and so on."""
        stem, _, ending = name.rpartition(".")
        free, number = name, 1
        while await self.stat(free) is not None:
            number += 1
            free = f"{stem}.{number}.{ending}"
        return free

    async def _refused(self, name: str, arrived: Arrived, error: AzureError, *, replace: bool) -> NameTaken:
        """A commit that was refused: the name is taken, or a lease, a policy or the whole archive is in the way."""
        said = in_our_words(error, self._place, name)
        if isinstance(said, Immutable):
            self._keeps = True
        there = None if replace or isinstance(said, ArchiveUnavailable) else await self.stat(name)
        if there is None:
            raise said from None
        return NameTaken(there.bytes, there.md5, there.metadata, arrived)
