"""Cancelling for good. Python 3.11's `asyncio.wait_for` forgets a cancel that comes in the moment in which what it
waits for ends, and redis-py sends every command through it: whoever cancels once may wait for ever."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any


async def end(tasks: Iterable[asyncio.Task[Any]], *, within_s: float, again_s: float = 0.2) -> set[asyncio.Task[Any]]:
    """Cancel tasks, again each `again_s`, until all have ended; those that have not `within_s` seconds later."""
    clock = asyncio.get_running_loop().time
    last = clock() + within_s
    running = {task for task in tasks if not task.done()}
    while running and clock() < last:
        for task in running:
            task.cancel()
        _, running = await asyncio.wait(running, timeout=min(again_s, last - clock()))
    return running
