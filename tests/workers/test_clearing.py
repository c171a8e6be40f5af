"""With `delete_remote`, the video at the provider is deleted once it is archived, whoever dies over it; and a provider
that refuses that is not asked for ever."""

from __future__ import annotations

import asyncio
import dataclasses
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from orchestrator.batches.batch_lock import forget
from orchestrator.items.states import State
from orchestrator.ledger.store import Store
from tests.main_job.night import until
from tests.workers.creating import Desk, desk_at
from workers.archiving import archive as archiving
from workers.archiving.clearing import DELETE, NEEDED_S, clear_due
from workers.rendering.look import decide as look
from workers.sinks.directory import DirectorySink
from workers.video_api import Missing, RemoteStatus, ServerFault
from workers.worker import Worker


class Killed(BaseException):
    """The worker is gone at this point."""


@pytest.fixture
async def desk(store: Store, tmp_path: Path) -> AsyncIterator[Desk]:
    """`a` and then `b` were created; their videos are finished."""
    async with desk_at(store) as found:
        found.station = dataclasses.replace(found.station, sink=DirectorySink(tmp_path), delete_remote=True)
        await found.created("a")
        found.clock.off_s = 2
        await found.created("b")
        found.clock.off_s = 600
        for key in "ab":
            item = await found.item(key)
            seen = await found.api.get(item.remote_id)
            await store.apply(item.ref, item.version, look(seen, item, found.east, time.time()))
        yield found


async def due(store: Store) -> dict[str, float]:
    """What is to be deleted: attempt → in how many seconds."""
    found = await store.redis.zrange(f"{store.keys.prefix}deletions", 0, -1, withscores=True)
    return {name.decode(): at / 1000 - time.time() for name, at in found}


async def let_be_due(store: Store) -> None:
    for name in await due(store):
        await store.redis.zadd(f"{store.keys.prefix}deletions", {name: 0})


async def is_there(desk: Desk, key: str) -> bool:
    try:
        return bool((await desk.api.get((await desk.item(key)).remote_id)).status is RemoteStatus.SUCCEEDED)
    except Missing:
        return False


async def test_a_worker_killed_right_after_the_ledger_has_it_archived_leaves_the_deletion_to_another(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def killed(*_: Any) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(desk.api, "delete", killed, raising=False)
        with pytest.raises(Killed):
            await archiving.archive(desk.station, await desk.item("a"))
    assert (await desk.item("a")).state is State.ARCHIVED
    await clear_due(desk.station)
    assert await is_there(desk, "a"), "the one that does it may still be alive"
    await let_be_due(desk.store)
    await clear_due(desk.station)
    assert not await is_there(desk, "a")
    assert await due(desk.store) == {}


async def test_every_worker_that_archives_sees_to_what_is_due(desk: Desk, tmp_path: Path) -> None:
    async def nothing(_: Any) -> None:
        raise ServerFault("not now")

    desk.api.delete = nothing
    await archiving.archive(desk.station, await desk.item("a"))
    del desk.api.delete
    await let_be_due(desk.store)
    worker = Worker(
        desk.store, desk.station.lines, DirectorySink(tmp_path), claim_s=30, steps=["archive"], delete_remote=True
    )
    working = asyncio.create_task(worker.run())

    async def cleared() -> bool:
        return working.done() or not await due(desk.store)

    await until(cleared)
    worker.stop()
    await working
    assert not await is_there(desk, "a")


async def test_the_newest_job_is_deleted_once_it_is_not_the_newest_any_more(desk: Desk) -> None:
    await archiving.archive(desk.station, await desk.item("b"))
    assert await is_there(desk, "b")
    ((name, in_s),) = (await due(desk.store)).items()
    assert (name, 0 < in_s <= NEEDED_S) == ("b/b#1", True)
    await let_be_due(desk.store)
    await clear_due(desk.station)
    assert await is_there(desk, "b")
    await desk.created("c")
    await let_be_due(desk.store)
    await clear_due(desk.station)
    assert not await is_there(desk, "b")
    assert await due(desk.store) == {}


async def test_a_provider_that_refuses_is_asked_a_few_times_ever_more_seldom(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    async def refused(remote_id: str) -> None:
        asked.append(remote_id)
        raise ServerFault("no")

    monkeypatch.setattr(desk.api, "delete", refused, raising=False)
    await archiving.archive(desk.station, await desk.item("a"))
    pauses = []
    while found := await due(desk.store):
        pauses.append(found["a/a#1"])
        await let_be_due(desk.store)
        await clear_due(desk.station)
    assert len(asked) == DELETE.most
    assert pauses == sorted(pauses)
    assert (await desk.item("a")).state is State.ARCHIVED


async def test_what_has_expired_and_what_was_forgotten_is_not_asked_for(desk: Desk) -> None:
    await archiving.archive(desk.station, await desk.item("b"))
    item = await desk.item("b")
    await desk.store.redis.hset(desk.store.keys.item(item.ref), "expires_at", round(time.time() * 1000) - 1000)
    await let_be_due(desk.store)
    await clear_due(desk.station)
    assert await due(desk.store) == {}

    await desk.created("c")
    await archiving.archive(desk.station, await desk.item("a"))
    await desk.store.redis.zadd(f"{desk.store.keys.prefix}deletions", {"a/a#1": 0, "gone/x#1": 0, "b/b#2": 0})
    assert await forget(desk.store, "a")
    assert set(await due(desk.store)) == {"gone/x#1", "b/b#2"}
    await clear_due(desk.station)
    assert await due(desk.store) == {}


async def test_nothing_is_to_be_deleted_where_the_settings_do_not_ask_for_it(desk: Desk) -> None:
    desk.station = dataclasses.replace(desk.station, delete_remote=False)
    await archiving.archive(desk.station, await desk.item("a"))
    assert (await desk.item("a")).state is State.ARCHIVED
    assert await due(desk.store) == {}
