"""A create whose answer never came, looked into against a provider that has a clock and habits of its own.

Whatever it shows, it has made one job an item.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncIterator, Callable

import pytest

from orchestrator.items.states import State
from tests.workers.creating import Desk
from workers.rendering.create import create
from workers.video_api import CreateOutcome, Order, RemoteJob

#: 2 * create_timeout_s + settle_s of the desk's deployment.
PATIENCE = 2.5

Show = Callable[[RemoteJob], RemoteJob | None]


def shown(desk: Desk, show: Show) -> None:
    """Let the provider list its jobs in another way."""
    whole = desk.api.list

    async def listed(*, since: float) -> AsyncIterator[RemoteJob]:
        async for job in whole(since=since):
            if (seen := show(job)) is not None:
                yield seen

    desk.api.list = listed


@pytest.mark.parametrize("off_s", [-90_000.0, -20.0, 0.0, 20.0, 3600.0])
async def test_a_provider_whose_clock_is_off_is_paid_once(desk: Desk, off_s: float) -> None:
    desk.clock.off_s = off_s
    await desk.created("first")
    await desk.lost("lost")
    assert await desk.look("lost") is State.RENDERING
    assert (await desk.witness.created())["prompt of lost"] == 1


async def test_a_provider_whose_clock_is_set_after_the_create_is_not_taken_to_have_made_nothing(desk: Desk) -> None:
    """The job with our prompt is now of a time before our intent: it is looked for there, and nothing is sent again."""
    await desk.lost("lost")
    desk.clock.off_s += 100
    await desk.created("first")
    assert await desk.look("lost") is State.CREATING
    found = await desk.item("lost")
    assert found.attempt is not None
    assert "absent_since" not in found.attempt.fields


async def test_a_prompt_that_is_listed_without_its_last_newline_is_paid_once(desk: Desk) -> None:
    await desk.created("first")
    await desk.lost("lost", prompt="a boat\n")
    shown(desk, lambda job: dataclasses.replace(job, prompt=(job.prompt or "").strip()))
    assert await desk.look("lost") is State.RENDERING


async def test_a_job_that_is_listed_in_another_size_is_never_made_again(desk: Desk) -> None:
    await desk.created("first")
    await desk.lost("lost")
    shown(desk, lambda job: dataclasses.replace(job, size="1920x1080", seconds=5))
    for _ in range(3):
        assert await desk.look("lost") is State.CREATING
        desk.clock.off_s += PATIENCE
    await desk.long_ago("lost")
    assert await desk.look("lost") is State.HELD


async def test_an_item_that_is_looked_into_while_its_post_is_out_is_not_sent_again(desk: Desk) -> None:
    """The ledger's clock stepped forward, so that the item is due at once, and nothing is listed yet."""
    await desk.created("first")
    item = await desk.admitted("slow")
    post, out, go_on = desk.api.create, asyncio.Event(), asyncio.Event()

    async def slow(order: Order, *, send_by: float) -> CreateOutcome:
        out.set()
        await go_on.wait()
        outcome: CreateOutcome = await post(order, send_by=send_by)
        return outcome

    desk.api.create = slow
    step = asyncio.create_task(create(desk.station, item))
    await out.wait()
    await desk.long_ago("slow")
    assert await desk.look("slow") is State.CREATING
    assert await desk.due_in_s("slow") > PATIENCE
    assert await desk.look("slow") is State.CREATING
    go_on.set()
    await step
    found = await desk.item("slow")
    assert (found.state, found.attempts) == (State.RENDERING, 1)
    assert (await desk.witness.created())["prompt of slow"] == 1


async def test_a_job_that_a_slow_list_shows_only_the_second_time_is_adopted(desk: Desk) -> None:
    await desk.created("first")
    await desk.lost("lost")
    whole = desk.api.list
    shown(desk, lambda job: None if job.prompt == "prompt of lost" else job)
    assert await desk.look("lost") is State.CREATING
    desk.api.list = whole
    assert await desk.look("lost") is State.RENDERING
    assert (await desk.witness.created())["prompt of lost"] == 1


async def test_a_create_that_never_arrived_is_sent_again_after_two_listings_and_only_once(desk: Desk) -> None:
    await desk.created("first")
    await desk.lost("lost", "drop")
    await desk.long_ago("lost")
    assert await desk.look("lost") is State.CREATING
    assert await desk.look("lost") is State.CREATING
    desk.clock.off_s += PATIENCE + 1
    assert await desk.look("lost") is State.WAITING
    await desk.witness.fault(on="create", do="drop")
    await create(desk.station, await desk.admitted_again("lost"))
    await desk.long_ago("lost")
    assert await desk.look("lost") is State.CREATING  # what the first attempt's listings showed does not count
    desk.clock.off_s += PATIENCE + 1
    assert await desk.look("lost") is State.HELD
    assert "prompt of lost" not in await desk.witness.created()


async def test_what_was_out_when_all_workers_died_is_told_apart_however_late_and_in_any_order(desk: Desk) -> None:
    """One create was taken and one never arrived; nobody was at work for ten minutes. The one that has no job is
    looked into first: the other's, which nobody has claimed yet, is no reason to hold it."""
    await desk.lost("taken")
    await desk.lost("never", "drop")
    shown(desk, lambda job: dataclasses.replace(job, created_at=(job.created_at or 0) - 600))
    for key in ("taken", "never"):
        await desk.long_ago(key)
    assert await desk.look("never") is State.CREATING
    assert await desk.look("taken") is State.RENDERING
    assert await desk.look("never") is State.CREATING
    desk.clock.off_s += PATIENCE + 1
    assert await desk.look("never") is State.WAITING


async def test_a_job_that_was_made_while_the_list_was_read_makes_the_list_neither_old_nor_doubtful(desk: Desk) -> None:
    await desk.created("first")
    await desk.lost("lost", "drop")
    await desk.long_ago("lost")
    whole = desk.api.list

    async def listed(*, since: float) -> AsyncIterator[RemoteJob]:
        await desk.created("before")
        async for job in whole(since=since):
            yield job
        await desk.created("after")

    desk.api.list = listed
    await desk.look("lost")
    found = await desk.item("lost")
    assert found.attempt is not None
    assert found.attempt.fields.get("absent_since")


async def test_two_lost_takes_of_one_prompt_each_get_a_job_of_their_own(desk: Desk) -> None:
    await desk.lost("take-1", prompt="a boat")
    await desk.lost("take-2", prompt="a boat")
    assert [await desk.look("take-2"), await desk.look("take-1")] == [State.RENDERING] * 2
    remote = {(await desk.item(key)).remote_id for key in ("take-1", "take-2")}
    assert remote == {job["id"] for job in await desk.witness.jobs()}


async def test_what_a_late_answer_left_is_never_made_a_third_time(desk: Desk) -> None:
    """The first create's answer came while the second was out, whose outcome is unknown now."""
    await desk.created("first")
    await desk.lost("late")
    (job,) = [job for job in await desk.witness.jobs() if job["prompt"] == "prompt of late"]
    whole = desk.api.list
    shown(desk, lambda job: None if job.prompt == "prompt of late" else job)
    await desk.long_ago("late")
    await desk.look("late")
    desk.clock.off_s += PATIENCE + 1
    assert await desk.look("late") is State.WAITING
    await desk.witness.fault(on="create", do="drop")
    await create(desk.station, await desk.admitted_again("late"))
    late = await desk.item("late")
    word, _ = await desk.store.accept(late.ref, 1, job["id"], how="answer", fields={}, due_in_s=60)
    assert word == "orphan"
    desk.api.list = whole
    await desk.look("late")
    found = await desk.item("late")
    assert found.state is State.RENDERING
    assert job["id"] in (found.remote_id or found.message or "")
    assert (await desk.witness.created())["prompt of late"] == 1


async def test_while_nothing_can_be_listed_the_item_keeps_its_slot_until_its_job_must_have_ended(desk: Desk) -> None:
    await desk.lost("lost")
    await desk.witness.fault(on="list", do="status", status=503, times=None)
    assert await desk.look("lost") is State.CREATING
    assert await desk.due_in_s("lost") > 0
    for _ in range(5):
        await desk.long_ago("lost")
    assert await desk.look("lost") is State.CREATING
    await desk.long_ago("lost")
    assert await desk.look("lost") is State.HELD
