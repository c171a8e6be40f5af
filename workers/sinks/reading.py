"""Bytes on their way out of an archive: an object of any length, or a part of it, a few MiB at a time."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from pathlib import Path
from typing import Any, BinaryIO

from azure.core.exceptions import ResourceNotFoundError
from azure.storage.blob.aio import BlobClient

from workers.sinks.blob_errors import answered, code_of
from workers.sinks.errors import NotThere
from workers.sinks.stream import in_thread

_BLOCK = 1024 * 1024


async def file_chunks(
    do: Callable[..., Awaitable[Any]], path: Path, start: int, length: int | None
) -> AsyncGenerator[bytes, None]:
    """A file's bytes; `do` runs a blocking call and tells its errors in our words. Raises NotThere."""
    file: BinaryIO | None = await do(_opened, path, start)
    if file is None:
        raise NotThere(f"There is no {path}.")
    left = length
    try:
        while left is None or left > 0:
            block: bytes = await do(file.read, _BLOCK if left is None else min(_BLOCK, left))
            if not block:
                return
            left = None if left is None else left - len(block)
            yield block
    finally:
        await in_thread(file.close)


async def blob_chunks(
    blob: BlobClient, place: str, name: str, start: int, length: int | None
) -> AsyncGenerator[bytes, None]:
    """A blob's bytes, in requests of a block each, all of one version: one that is replaced meanwhile is an error.
    Raises NotThere, ArchiveError."""
    async with answered(place, name):
        try:
            # A blob of no bytes has no range at all.
            stream = await blob.download_blob(None if start == 0 and length is None else start, length)
        except ResourceNotFoundError as error:
            if code_of(error) == "ContainerNotFound":
                raise
            raise NotThere(f"There is no {blob.url.partition('?')[0]}.") from None
        chunks = stream.chunks()
    while True:
        async with answered(place, name):
            chunk = await anext(chunks, None)
        if chunk is None:
            return
        yield chunk


def _opened(path: Path, start: int) -> BinaryIO | None:
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return None
    file.seek(start)
    return file
