"""What is cancelled ends, even where a cancel is lost on the way."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest

from workers.cancelling import end

pytestmark = pytest.mark.asyncio


async def deaf(times: int) -> None:
    """Loses so many cancels."""
    for _ in range(times):
        with suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
    await asyncio.Event().wait()


async def test_a_task_that_lost_a_cancel_is_cancelled_again() -> None:
    task = asyncio.create_task(deaf(2))
    await asyncio.sleep(0)
    assert await end([task], within_s=20, again_s=0.01) == set()
    assert task.cancelled()


async def test_a_task_that_will_not_end_is_not_waited_for() -> None:
    task = asyncio.create_task(deaf(1))
    await asyncio.sleep(0)
    assert await end([task], within_s=0.02) == {task}
    assert await end([task], within_s=20) == set()


async def test_tasks_that_have_ended_are_left_as_they_are() -> None:
    task = asyncio.create_task(asyncio.sleep(0, "done"))
    await task
    assert await end([task], within_s=20) == set()
    assert task.result() == "done"
