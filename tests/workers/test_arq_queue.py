"""A worker's arq queue: no slot leaks, no step is cut, and draining ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import arq.constants
import arq.jobs
import arq.worker
import pytest
import structlog
from redis.exceptions import ConnectionError  # noqa: A004

from orchestrator.ledger.keys import Ref
from orchestrator.ledger.records import Claim
from orchestrator.ledger.store import Store
from tests.main_job.night import until
from workers import arq_queue
from workers.arq_queue import ArqQueue, Elsewhere
from workers.cancelling import end
from workers.slots import SLOTLESS, give_back_slot

pytestmark = pytest.mark.asyncio


class Work:
    """A step that tells when it began, and ends when it is let go."""

    def __init__(self) -> None:
        self.begun, self.let_go = asyncio.Event(), asyncio.Event()
        self.ran: list[str] = []
        self.cancelled: list[str] = []

    async def __call__(self, claim: Claim) -> None:
        self.begun.set()
        try:
            await self.let_go.wait()
        except asyncio.CancelledError:
            self.cancelled.append(claim.ref.item)
            raise
        self.ran.append(claim.ref.item)


@pytest.fixture(autouse=True)
def restarts_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arq_queue, "RESTART_S", 0)


def queue(store: Store, step: Callable[[Claim], Awaitable[None]], *, worker: str = "one", slots: int = 4) -> ArqQueue:
    return ArqQueue(store, store.keys.queue("archive"), {"archive": step}, worker=worker, slots=slots, timeout_s=60)


def claim(name: str = "a", version: int = 1) -> Claim:
    return Claim("archive", Ref("spring", name), version, 1)


@asynccontextmanager
async def running(*queues: ArqQueue) -> AsyncIterator[None]:
    tasks = [asyncio.create_task(q.run()) for q in queues]
    try:
        yield
    finally:
        await end(tasks, within_s=5)


def lose_redis_once(q: ArqQueue) -> None:
    """What any command in arq's loop raises once its retries are used up."""
    beat = q._arq.heart_beat

    async def lost() -> None:
        q._arq.heart_beat = beat  # type: ignore[method-assign]
        raise ConnectionError("away")

    q._arq.heart_beat = lost  # type: ignore[method-assign]


async def emptied(q: ArqQueue) -> None:
    async def empty() -> bool:
        return not await q.outstanding()

    await until(empty)


async def test_a_step_put_there_twice_runs_once(store: Store) -> None:
    work = Work()
    work.let_go.set()
    q = queue(store, work)
    await q.put([claim(), claim()])
    async with running(q):
        await emptied(q)
    assert work.ran == ["a"]


async def test_a_step_of_which_redis_has_forgotten_that_it_runs_may_run_twice_at_once_and_nothing_breaks(
    store: Store,
) -> None:
    """As after a failover. Its claim lets only one decide."""
    work = Work()
    q = queue(store, work)
    await q.put([claim()])
    async with running(q):
        await work.begun.wait()
        work.begun.clear()
        job = store.keys.job("archive", claim().ref, claim().version)
        await store.redis.delete(arq.constants.in_progress_key_prefix + job)
        await work.begun.wait()
        work.let_go.set()

        async def ended() -> bool:
            return q._arq.jobs_complete + q._arq.jobs_failed == 2

        await until(ended)
        assert (q._arq.jobs_complete, q._arq.jobs_failed) == (2, 0)


async def test_a_step_that_only_waits_gives_its_slot_back_and_goes_on(store: Store) -> None:
    """Claim and job are held to its end; and only so many may wait like that, for each of them holds a little."""
    begun: asyncio.Queue[str] = asyncio.Queue()
    sent, rest = asyncio.Semaphore(0), asyncio.Event()

    async def step(claim: Claim) -> None:
        begun.put_nowait(claim.ref.item)
        await sent.acquire()
        give_back_slot()
        give_back_slot()  # a second time nothing is left to give back
        begun.put_nowait(f"{claim.ref.item} was sent")
        await rest.wait()

    q = queue(store, step, slots=1)
    await q.put([claim(name) for name in "abcd"])
    async with running(q):
        for name in "abc":
            assert await begun.get() == name
            sent.release()
            assert await begun.get() == f"{name} was sent"
        assert SLOTLESS == 2
        # "c" has kept its slot: "d" waits for it, and is all that this worker has too much.
        assert (await q.outstanding(), q._arq.job_counter, q._arq.max_jobs) == (2, 3, 3)
        assert begun.empty()
        rest.set()
        sent.release()
        assert await begun.get() == "d"
        await emptied(q)
    assert (q._arq.max_jobs, q._slots.slotless) == (1, 0)


async def test_a_step_without_a_slot_is_handed_back_too(store: Store) -> None:
    begun, cancelled = asyncio.Event(), asyncio.Event()

    async def step(claim: Claim) -> None:
        give_back_slot()
        begun.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.set()
            raise

    q = queue(store, step, slots=1)
    await q.put([claim()])
    async with running(q):
        await begun.wait()
        await q.drain(hand_back=True)
        assert cancelled.is_set()


async def test_an_error_while_a_step_is_picked_costs_no_slot(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """redis-py does not try again once it watches a key, and arq has counted the step by then."""
    work = Work()
    work.let_go.set()
    q = queue(store, work, slots=1)
    pipeline: Callable[..., Any] = store.redis.pipeline

    def cut(*a: Any, **k: Any) -> Any:
        pipe = pipeline(*a, **k)

        async def watch(*_: Any) -> None:
            monkeypatch.setattr(store.redis, "pipeline", pipeline)
            raise ConnectionError("cut")

        pipe.watch = watch
        return pipe

    await q.put([claim()])
    monkeypatch.setattr(store.redis, "pipeline", cut)
    async with running(q):
        await emptied(q)
    assert work.ran == ["a"]


async def test_draining_waits_for_a_step_that_began_before_redis_was_lost(store: Store) -> None:
    work = Work()
    q = queue(store, work)
    await q.put([claim()])
    async with running(q):
        await work.begun.wait()
        before = q._arq
        lose_redis_once(q)

        async def restarted() -> bool:
            return q._arq is not before

        await until(restarted)
        draining = asyncio.create_task(q.drain())
        await q.put([claim("late")])
        await store.redis.ping()
        assert not draining.done()
        work.let_go.set()
        await draining
    assert (work.ran, work.cancelled) == (["a"], [])


async def test_a_step_picked_in_the_last_moment_is_left_to_another_worker(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    work, other = Work(), Work()
    other.let_go.set()
    stopping, going = queue(store, work), queue(store, other, worker="two")
    read = arq.jobs.deserialize_job_raw

    def close_then_read(*a: Any, **k: Any) -> Any:
        stopping.close()
        return read(*a, **k)

    monkeypatch.setattr(arq.worker, "deserialize_job_raw", close_then_read)
    await stopping.put([claim()])
    async with running(stopping):

        async def picked() -> bool:
            return stopping._draining

        await until(picked)
        await stopping.drain(hand_back=True)
    assert not work.begun.is_set()
    async with running(going):
        await emptied(stopping)
    assert other.ran == ["a"]


async def test_steps_that_hand_back_are_cancelled_and_leave_the_queue(store: Store) -> None:
    """Their claims are due now: whoever claims them puts them there under a new version."""
    work = Work()
    q = queue(store, work)
    await q.put([claim()])
    async with running(q):
        await work.begun.wait()
        await q.drain(hand_back=True)
    assert work.cancelled == ["a"]
    assert await q.outstanding() == 0


async def test_a_step_that_will_not_end_is_left_and_named(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arq_queue, "HAND_BACK_S", 0.05)
    begun, let_go = asyncio.Event(), asyncio.Event()

    async def stubborn(_: Claim) -> None:
        begun.set()
        while not let_go.is_set():
            with suppress(asyncio.CancelledError):
                await let_go.wait()

    q = queue(store, stubborn)
    await q.put([claim()])
    async with running(q):
        await begun.wait()
        with structlog.testing.capture_logs() as lines:
            await q.drain(hand_back=True)
        let_go.set()
        await emptied(q)
    assert [line["steps"] for line in lines if line["event"] == "queue.was_not_drained"] == [1]


async def test_a_step_that_this_worker_does_not_know_is_run_by_one_that_does(store: Store) -> None:
    work = Work()
    work.let_go.set()

    async def unknown(_: Claim) -> None:
        raise Elsewhere

    older, newer = queue(store, unknown), queue(store, work, worker="two")
    await newer.put([claim(str(n)) for n in range(4)])
    async with running(older, newer):
        await emptied(newer)
    assert sorted(work.ran) == ["0", "1", "2", "3"]


async def test_a_step_that_no_worker_knows_takes_no_slot_for_long(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arq_queue, "ELSEWHERE_S", 0.01)
    tries: list[Claim] = []

    async def unknown(claim: Claim) -> None:
        tries.append(claim)
        raise Elsewhere

    q = queue(store, unknown)
    await q.put([claim()])
    async with running(q):
        await emptied(q)
    assert len(tries) == arq_queue.ELSEWHERE_TRIES
