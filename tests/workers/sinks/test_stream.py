"""Bytes on their way: what a cancellation must not do."""

from __future__ import annotations

import asyncio
import threading

import pytest

from workers.sinks.stream import in_thread


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
