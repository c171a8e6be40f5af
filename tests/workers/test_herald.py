"""Notices reach a real server however often it fails and workers die, and nobody waits for it."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from structlog.testing import capture_logs

from orchestrator.ledger.store import Store
from orchestrator.reports.lookout import Lookout
from orchestrator.reports.notices import CLAIM_S, GIVE_UP_S, announce, outstanding
from tests.ledger import deployment, item, submit
from tests.orchestrator.virtual_clock import on_virtual_time, start_ms, tell
from tests.workers.test_webhook import hook
from tests.workers.wire_server import Script, WireServer, answer, hang
from workers.telling.herald import AGAIN, Herald, subscribers
from workers.telling.notice_forms import FORMS

START = start_ms()


@pytest.fixture
async def store(redis: Any, namespace: str) -> Store:
    made = on_virtual_time(redis, namespace)
    await tell(made, START)
    await submit(made, [item("a")])
    return made


async def after(store: Store, seconds: float) -> None:
    await tell(store, START + round(seconds * 1000))


def herald(store: Store, url: str) -> Herald:
    hooks = [hook(url)]
    lookout = Lookout(store, [deployment()], subscribers(hooks), "https://a.example/")
    return Herald(store, hooks, lookout, clock=lambda: START / 1000)


async def note(store: Store, mark: str = "1") -> None:
    assert await announce(store, "spring", "ended", mark, {"batch": "spring"}, ["ops"])


async def test_a_notice_arrives_once(store: Store) -> None:
    await note(store)
    async with WireServer([answer(200)]) as server:
        sender = herald(store, server.url)
        assert await sender.send() == 0.0
        assert await sender.send() is None
    assert len(server.requests) == 1
    assert await outstanding(store) == 0


async def test_a_server_that_fails_is_tried_again_later_and_later_with_the_same_id(store: Store) -> None:
    await note(store)
    async with WireServer([answer(500), answer(503), answer(200)]) as server:
        sender = herald(store, server.url)
        await sender.send()
        wait = await sender.send()
        assert wait is not None
        assert 5 <= wait <= 5 * 1.25
        await after(store, wait)
        await sender.send()
        longer = await sender.send()
        assert longer is not None
        assert 10 <= longer <= 10 * 1.25
        await after(store, wait + longer)
        await sender.send()
        assert await sender.send() is None
    assert len({request.json()["id"] for request in server.requests}) == 1
    assert len(server.requests) == 3


async def test_a_fault_that_nobody_foresaw_is_one_notice_s_alone(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that ends well is not ended by it; and it is tried again as any other, until it is too old."""

    def broken(_: object) -> dict[str, object]:
        raise KeyError("a fact that another release does not tell")

    monkeypatch.setitem(FORMS, "generic", broken)
    await note(store)
    sender = herald(store, "http://127.0.0.1:9/")
    assert await sender.flush(within_s=AGAIN.first_s - 0.1) == 1
    await after(store, GIVE_UP_S + 60)
    assert await sender.flush(within_s=60) == 0


async def test_what_the_other_side_asks_for_is_kept_to_within_an_hour(store: Store) -> None:
    await note(store)
    busy = [answer(429, headers={"Retry-After": seconds}) for seconds in ("200", "99999")]
    async with WireServer(busy) as server:
        sender = herald(store, server.url)
        await sender.send()
        assert await sender.send() == 200.0
        await after(store, 200)
        await sender.send()
        assert await sender.send() == 3600.0


async def test_a_worker_that_dies_while_it_sends_loses_nothing(store: Store) -> None:
    await note(store)
    async with WireServer([hang, answer(200)]) as server:
        dying = asyncio.create_task(herald(store, server.url).send())
        async with asyncio.timeout(100):
            while not server.requests:
                await asyncio.sleep(0.01)
        dying.cancel()
        await asyncio.gather(dying, return_exceptions=True)
        other = herald(store, server.url)
        waits = await other.send()
        assert waits is not None
        assert waits <= CLAIM_S
        await after(store, CLAIM_S + 1)
        await other.send()
    first, second = server.requests
    assert first.json() == second.json()
    assert await outstanding(store) == 0


@pytest.mark.parametrize(("script", "at_s"), [(answer(410), 0.0), (answer(500), GIVE_UP_S + 1)])
async def test_what_nobody_wants_or_comes_too_late_is_given_up_and_said(
    store: Store, script: Script, at_s: float
) -> None:
    await note(store)
    await after(store, at_s)
    async with WireServer([script]) as server:
        with capture_logs() as logs:
            await herald(store, server.url).send()
    assert [line["event"] for line in logs] == ["notice.was_given_up"]
    assert server.url not in json.dumps(logs)
    assert await outstanding(store) == 0


async def test_one_dead_webhook_keeps_no_other_from_being_told(store: Store) -> None:
    async with WireServer([answer(500)]) as dead, WireServer([answer(200)]) as alive:
        hooks = [hook(dead.url)]
        living = hook(alive.url)
        hooks.append(type(living)(living.settings.model_copy(update={"name": "team"}), living.url, living.secret))
        sender = Herald(store, hooks, Lookout(store, [], subscribers(hooks), ""))
        await announce(store, "spring", "ended", "1", {"batch": "spring"}, ["ops", "team"])
        await sender.send()
    assert len(alive.requests) == 1
    assert await outstanding(store) == 1


async def test_the_end_of_a_run_waits_for_what_is_soon_done_and_for_nothing_else(store: Store) -> None:
    await note(store)
    async with WireServer([answer(500)]) as server:
        sender = herald(store, server.url)
        # The next try is further away than that: nobody waits for it.
        assert await sender.flush(within_s=AGAIN.first_s - 0.1) == 1
        assert len(server.requests) == 1
    await note(store, "2")
    async with WireServer([hang]) as server:
        assert await herald(store, server.url).flush(within_s=0.2) == 2
    assert await herald(store, "http://127.0.0.1:1").flush(within_s=0.2) == 2


async def test_the_end_of_a_run_waits_for_what_is_under_way(store: Store) -> None:
    """The rounds that run beside a worker may be at it already."""
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def slowly(writer: asyncio.StreamWriter) -> None:
        begun.set()
        await go_on.wait()
        await answer(200)(writer)

    await note(store)
    async with WireServer([slowly]) as server:
        sender = herald(store, server.url)
        rounds = asyncio.create_task(sender.run())
        await begun.wait()
        end = asyncio.create_task(sender.flush(within_s=30))
        asyncio.get_running_loop().call_soon(go_on.set)
        assert await end == 0
        rounds.cancel()
        await asyncio.gather(rounds, return_exceptions=True)
    assert len(server.requests) == 1
