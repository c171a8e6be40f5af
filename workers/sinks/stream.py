"""Bytes on their way into an archive: cut into blocks of one size, and hashed once."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from typing import ParamSpec, TypeVar

from workers.sinks.errors import WriteRefused
from workers.sinks.sink import Arrived

P = ParamSpec("P")
T = TypeVar("T")


class Digest:
    """SHA-256, MD5 and length of all that was added. (MD5 is what Azure keeps with a blob; it guards nothing.)"""

    def __init__(self) -> None:
        self._length = 0
        self._sha256 = hashlib.sha256()
        self._md5 = hashlib.md5(usedforsecurity=False)

    def add(self, block: bytes | memoryview) -> None:
        self._length += len(block)
        self._sha256.update(block)
        self._md5.update(block)

    def arrived(self) -> Arrived:
        return Arrived(self._length, self._sha256.hexdigest(), self._md5.digest())


async def blocks_of(chunks: AsyncIterator[bytes], size: int) -> AsyncGenerator[memoryview, None]:
    """The same bytes in blocks of exactly `size`, the last one shorter. Holds one block and one chunk at a time: a
    block is to be used before the next one is asked for, which comes in its place."""
    buffer, filled = memoryview(bytearray(size)), 0  # one for all blocks: growing it anew would scatter the heap
    async for chunk in chunks:
        left = memoryview(chunk)
        while left:
            take = min(size - filled, len(left))
            buffer[filled : filled + take] = left[:take]
            left, filled = left[take:], filled + take
            if filled == size:
                filled = 0
                yield buffer
    if filled:
        yield buffer[:filled]


async def in_thread(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Runs a blocking call in a thread, to its end even if the caller is cancelled meanwhile.

    A file must not be closed, or removed, under a thread that still writes to it; the cancellation goes on afterwards.
    """
    work = asyncio.ensure_future(asyncio.to_thread(function, *args, **kwargs))
    try:
        return await asyncio.shield(work)
    except asyncio.CancelledError:
        while not work.done():
            try:
                await asyncio.wait([work])
            except asyncio.CancelledError:
                continue
        if not work.cancelled():
            work.exception()  # looked at, so that asyncio does not complain of it
        raise


def checked(name: str) -> str:
    """A name as it is, if it is a relative one that stays inside the archive. Raises WriteRefused."""
    parts = name.split("/")
    if any(part in ("", ".", "..") for part in parts) or "\\" in name or not name.isprintable():
        raise WriteRefused(f"{name!r} is not a name inside the archive.")
    return name
