"""Bytes on their way: in one piece of memory, and what a cancellation must not do."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator

import pytest

from workers.sinks.stream import blocks_of, in_thread


async def test_a_cancelled_call_ends_only_when_its_thread_has_ended() -> None:
    """Else the file would be closed, and its number given to another, under a thread that still writes."""
    started, release, ended = threading.Event(), threading.Event(), threading.Event()

    def write() -> None:
        started.set()
        release.wait()
        ended.set()

    call = asyncio.create_task(in_thread(write))
    await asyncio.to_thread(started.wait)
    for _ in range(3):
        call.cancel()
        await asyncio.wait([call], timeout=0)
        assert not call.done()
    release.set()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert ended.is_set()


async def test_a_call_that_fails_after_it_was_cancelled_is_still_a_cancellation() -> None:
    started, release = threading.Event(), threading.Event()

    def write() -> None:
        started.set()
        release.wait()
        raise OSError("disk")

    call = asyncio.create_task(in_thread(write))
    await asyncio.to_thread(started.wait)
    call.cancel()
    release.set()
    with pytest.raises(asyncio.CancelledError):
        await call


async def test_a_block_is_the_same_memory_as_the_one_before_and_whole_while_it_is_looked_at() -> None:
    chunks = [b"abc", b"defgh", b"", b"i"]

    async def arriving() -> AsyncIterator[bytes]:
        for chunk in chunks:
            yield chunk

    seen, places = [], set()
    async for block in blocks_of(arriving(), 4):
        seen.append(bytes(block))
        places.add(id(block.obj))
    assert seen == [b"abcd", b"efgh", b"i"]
    assert len(places) == 1
