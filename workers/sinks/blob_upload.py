"""One object on its way into a container: hashed once, block by block, and seen by nobody until one last call."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import secrets
from collections.abc import Mapping

from azure.core import MatchConditions
from azure.core.exceptions import AzureError
from azure.storage.blob import BlobBlock, ContentSettings, StandardBlobTier
from azure.storage.blob.aio import BlobClient

from workers.sinks.blob_errors import answered, code_of, in_time
from workers.sinks.blob_metadata import to_blob
from workers.sinks.sink import Arrived
from workers.sinks.stream import Digest, in_thread

BLOCK = 4 * 1024 * 1024  # Azure takes 50,000 blocks a blob: 195 GiB
#: A block that arrives damaged is sent so often.
_TRIES = 3


class Upload:
    """An object of one block goes in one call. Of a larger one a block is on its way while the next one fills, so at
    most three are in memory.

    Staged blocks are seen by nobody and vanish by themselves. Their ids carry `claim` and a random part, all of one
    length as Azure demands: of two uploads to one name, each commits only its own blocks.
    """

    def __init__(self, blob: BlobClient, claim: str, place: str, name: str) -> None:
        self._blob, self._place, self._name = blob, place, name
        self._id = f"{hashlib.sha256(claim.encode()).hexdigest()[:16]}-{secrets.token_hex(8)}"
        self._digest = Digest()
        self._only = b""  # the first block, as long as there is no second one
        self._blocks: list[BlobBlock] = []
        self._under_way: asyncio.Task[None] | None = None

    async def add(self, block: memoryview) -> None:
        """Takes the next block, of BLOCK bytes unless it is the last; its memory is the caller's again then. Raises
        ArchiveError, maybe of the one before."""
        if not self._blocks and not self._only:
            await in_thread(self._digest.add, block)
            self._only = bytes(block)
            return
        if self._only:
            await self._send_only()
        await self._send(block, await in_thread(self._hashed, block))

    async def arrived(self) -> Arrived:
        """What all blocks together hold, once they are with the store. Raises ArchiveError."""
        if self._under_way is not None:
            await self._under_way
        return self._digest.arrived()

    async def commit(
        self, content_type: str, metadata: Mapping[str, str], *, tier: StandardBlobTier | None, replace: bool
    ) -> None:
        """Gives the object its name, unless that is taken and `replace` is False. Raises AzureError, as the SDK does,
        and ArchiveUnavailable."""
        md5 = self._digest.arrived().md5
        settings = ContentSettings(content_type=content_type, content_md5=bytearray(md5))
        async with in_time(self._place):
            if self._only:
                await self._blob.upload_blob(
                    self._only,
                    length=len(self._only),
                    overwrite=replace,
                    content_settings=settings,
                    metadata=to_blob(metadata),
                    standard_blob_tier=tier,
                    headers=_checksum(md5),
                )
            else:
                await self._blob.commit_block_list(
                    self._blocks,
                    content_settings=settings,
                    metadata=to_blob(metadata),
                    standard_blob_tier=tier,
                    match_condition=None if replace else MatchConditions.IfMissing,
                )

    async def split(self) -> bool:
        """Sends what was to go in one call as a block of its own; False where it was none. (Blocks that an earlier try
        left behind make an Azurite take the name for taken in the one call, and not in the other.)"""
        if not self._only:
            return False
        await self._send_only()
        await self.arrived()
        return True

    async def stop(self) -> None:
        """Ends what is still on its way."""
        if self._under_way is not None:
            self._under_way.cancel()
            await asyncio.gather(self._under_way, return_exceptions=True)

    def _hashed(self, block: memoryview) -> bytes:
        self._digest.add(block)
        return _md5(block)

    async def _send_only(self) -> None:
        only, self._only = self._only, b""
        await self._send(only, await in_thread(_md5, only))

    async def _send(self, block: bytes | memoryview, md5: bytes) -> None:
        """Copies the block only once the one before is with the store: the connection may hold that one twice."""
        if self._under_way is not None:
            await self._under_way
        self._blocks.append(BlobBlock(f"{self._id}-{len(self._blocks):06d}"))
        self._under_way = asyncio.create_task(self._stage(self._blocks[-1].id, bytes(block), md5))

    async def _stage(self, block_id: str, block: bytes, md5: bytes) -> None:
        """With its MD5 beside it, a block that was damaged on the way is refused; then it is sent again."""
        async with answered(self._place, self._name):
            for left in reversed(range(_TRIES)):
                try:
                    await self._blob.stage_block(block_id, block, len(block), headers=_checksum(md5))
                except AzureError as error:
                    if code_of(error) != "Md5Mismatch" or not left:
                        raise
                else:
                    return


def _md5(block: bytes | memoryview) -> bytes:
    return hashlib.md5(block, usedforsecurity=False).digest()


def _checksum(md5: bytes) -> dict[str, str]:
    """What the store checks the bytes against as they arrive (the SDK's own way computes it on the event loop)."""
    return {"Content-MD5": base64.b64encode(md5).decode()}
