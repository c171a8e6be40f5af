"""The archive as a container of Azure Blob Storage."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing, suppress
from urllib.parse import quote

from azure.core import MatchConditions
from azure.core.credentials_async import AsyncTokenCredential
from azure.core.exceptions import AzureError, ResourceExistsError, ResourceNotFoundError
from azure.storage.blob import BlobBlock, ContentSettings
from azure.storage.blob.aio import BlobClient, BlobPrefix, BlobServiceClient

from workers.sinks.blob_address import BlobAddress
from workers.sinks.blob_errors import answered, azure_errors, code_of, in_our_words, in_time
from workers.sinks.blob_metadata import from_blob, to_blob
from workers.sinks.errors import ArchiveUnavailable, NoContainer, TooLarge, WriteRefused
from workers.sinks.reading import blob_chunks
from workers.sinks.sink import READ_LIMIT, Accept, Arrived, NameTaken, Saved, Stat
from workers.sinks.stream import Digest, blocks_of, checked, in_thread

BLOCK = 4 * 1024 * 1024  # Azure takes 50,000 blocks a blob: 195 GiB
_PROBE = "dailies-probe"
_QUESTION = b"dailies asks whether it may write here\n"


class BlobSink:
    """Blobs below a prefix. Closes the service client, and the identity if one is given, with itself."""

    def __init__(
        self, service: BlobServiceClient, address: BlobAddress, identity: AsyncTokenCredential | None = None
    ) -> None:
        self._service = service
        self._address = address
        self._identity = identity
        self._container = service.get_container_client(address.container)
        self._place = f"{address.account}/{address.container}"

    def __repr__(self) -> str:
        return f"BlobSink({self.url!r})"

    @property
    def url(self) -> str:
        return self._address.url

    async def probe(self) -> None:
        """Writes a small blob and removes it; a missing container is created where that is allowed."""
        try:
            await self.write(_PROBE, _QUESTION, "text/plain")
        except NoContainer:
            with azure_errors(self._place):
                await self._create_container()
            await self.write(_PROBE, _QUESTION, "text/plain")
        except WriteRefused:
            return  # an immutable probe of an earlier run is in the way: it could be written then
        # An archive that keeps everything (immutability, a SAS without delete) can be written to all the same.
        with suppress(WriteRefused), azure_errors(self._place, _PROBE):
            try:
                await self._blob(_PROBE).delete_blob()
            except AzureError as error:
                if getattr(error, "status_code", None) != 403:
                    raise

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
        """Stages blocks of 4 MiB while the next one fills, and commits them in one call, conditional on the name.

        Staged blocks are seen by nobody and vanish by themselves. Their ids carry `claim` and a random part, all of
        one length as Azure demands: of two uploads to one name, each commits only its own blocks.
        """
        blob = self._blob(name)
        digest, staged = Digest(), _Staged(blob, claim, self._place, name)
        try:
            async with aclosing(blocks_of(chunks, BLOCK)) as blocks:
                async for block in blocks:
                    await in_thread(digest.add, block)
                    await staged.add(block)
            await staged.finish()
        finally:
            await staged.stop()
        arrived = digest.arrived()
        if accept is not None:
            accept(arrived)
        settings = ContentSettings(content_type=content_type, content_md5=bytearray(arrived.md5))
        match = None if replace else MatchConditions.IfMissing
        try:
            async with in_time(self._place):
                await blob.commit_block_list(
                    staged.blocks, content_settings=settings, metadata=to_blob(metadata), match_condition=match
                )
        except AzureError as error:
            return await self._taken(name, arrived, error)
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
        return Stat(found.size, md5, from_blob(found.metadata), kept.content_type)

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
        async with answered(self._place, name):
            try:
                await self._blob(name).upload_blob(data, overwrite=replace, content_settings=settings)
            except ResourceExistsError:
                if replace:
                    raise
                raise WriteRefused(f"{self._url_of(name)} is there already.") from None
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

    async def _create_container(self) -> None:
        with suppress(ResourceExistsError):
            await self._container.create_container()

    async def _taken(self, name: str, arrived: Arrived, error: AzureError) -> NameTaken:
        """A commit that was refused: the name is taken, or a lease, a policy or the whole archive is in the way."""
        said = in_our_words(error, self._place, name)
        there = None if isinstance(said, ArchiveUnavailable) else await self.stat(name)
        if there is None:
            raise said from None
        return NameTaken(there.bytes, there.md5, there.metadata, arrived)


class _Staged:
    """Blocks of one upload; one is on its way while the next one fills, so at most three are in memory."""

    def __init__(self, blob: BlobClient, claim: str, place: str, name: str) -> None:
        self.blocks: list[BlobBlock] = []
        self._blob = blob
        self._id = f"{hashlib.sha256(claim.encode()).hexdigest()[:16]}-{secrets.token_hex(8)}"
        self._place = place
        self._name = name
        self._under_way: asyncio.Task[None] | None = None

    async def add(self, block: bytes) -> None:
        await self.finish()
        self.blocks.append(BlobBlock(f"{self._id}-{len(self.blocks):06d}"))
        self._under_way = asyncio.create_task(self._stage(self.blocks[-1].id, block))

    async def finish(self) -> None:
        if self._under_way is not None:
            await self._under_way

    async def stop(self) -> None:
        if self._under_way is not None:
            self._under_way.cancel()
            await asyncio.gather(self._under_way, return_exceptions=True)

    async def _stage(self, block_id: str, block: bytes) -> None:
        async with answered(self._place, self._name):
            # With its MD5 beside it, a block that was damaged on the way is refused and sent again.
            await self._blob.stage_block(block_id, block, len(block), validate_content=True)
