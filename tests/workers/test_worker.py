"""A worker whose steps are slow, strange or broken: its claims hold while it works, and go to another when it stops."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import pytest
import structlog

import workers.fresh_sheet
import workers.rendering.create
import workers.worker
from orchestrator.admission import looks
from orchestrator.items.states import State
from orchestrator.ledger import recovery
from orchestrator.ledger.keys import Ref
from orchestrator.ledger.records import Claim, Item
from orchestrator.ledger.store import Store
from orchestrator.reports.contact_sheet import contact_sheet
from orchestrator.settings import Poll
from tests.ledger import admit, batch_of, deployment, intend, item, submit
from tests.main_job.night import Witness, until
from tests.workers.creating import Tampered
from workers.arq_queue import ArqQueue
from workers.identity.credentials import ApiKey
from workers.sinks.directory import DirectorySink
from workers.station import Line, Station
from workers.video_api import VideoApi, connect
from workers.worker import Worker

pytestmark = pytest.mark.asyncio

Sandbox = Callable[..., Awaitable[Any]]

#: An allowance that is over soon, and one that is never over while a test runs (seconds).
SHORT_S, LONG_S = 0.6, 3600.0


@pytest.fixture
async def east(sandbox: Sandbox) -> AsyncIterator[Line]:
    """A sandbox that renders at once, through a client that a test may tamper with."""
    server = await sandbox(queue_s=0, render_s=(0.1, 0.2))
    facts = {"endpoint": server.url, "poll": Poll(first_s=0.1, every_s=0.1, min_s=0.1)}
    where = deployment("east", concurrent=4, create_timeout_s=1.0, settle_s=0.2, **facts)
    async with connect("videos", server.url, ApiKey("any"), create_timeout_s=1.0, read_timeout_s=30.0) as api:
        yield Line(where, cast("VideoApi", Tampered(api)))


def worker(store: Store, line: Line, archive: Path, **more: Any) -> Worker:
    facts = {"claim_s": LONG_S, **more}
    return Worker(store, {line.deployment.name: line}, DirectorySink(archive), **facts)


@asynccontextmanager
async def working(*crew: Worker) -> AsyncIterator[None]:
    tasks = [asyncio.create_task(each.run()) for each in crew]
    try:
        yield
    finally:
        for each in crew:
            each.stop()
        await asyncio.gather(*tasks)


async def reported(store: Store) -> None:
    async def so() -> bool:
        return (await batch_of(store)).reported_at is not None

    await until(so)


async def count(store: Store, wanted: State) -> int:
    return (await batch_of(store)).counts[wanted]


class Renewals:
    """Watches the store's renewals: how many there were, and each answer."""

    def __init__(self, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
        self.answers: list[bool] = []
        renew = store.renew

        async def watched(ref: Ref, version: int, due_in_s: float) -> bool:
            self.answers.append(await renew(ref, version, due_in_s))
            return self.answers[-1]

        monkeypatch.setattr(store, "renew", watched)
        renew_looks = looks.renew

        async def watched_looks(of: Store, claims: Sequence[Claim], due_in_s: float) -> list[bool]:
            found = await renew_looks(of, claims, due_in_s)
            self.answers += found
            return found

        monkeypatch.setattr(looks, "renew", watched_looks)
        renew_recovery = recovery.renew

        async def watched_recovery(of: Store, scope: str, number: int, due_in_s: float) -> bool:
            self.answers.append(await renew_recovery(of, scope, number, due_in_s))
            return self.answers[-1]

        monkeypatch.setattr(recovery, "renew", watched_recovery)

    async def outlast_the_claim(self) -> None:
        """Until so many came that the claim would have ended without them."""
        goal = len(self.answers) + 4

        async def reached() -> bool:
            return len(self.answers) >= goal

        await until(reached)


@pytest.fixture
def renewals(store: Store, monkeypatch: pytest.MonkeyPatch) -> Renewals:
    return Renewals(store, monkeypatch)


async def test_a_look_slower_than_its_claim_counts(
    store: Store, east: Line, renewals: Renewals, tmp_path: Path
) -> None:
    get = east.api.get

    async def slow(remote_id: str) -> Any:
        await renewals.outlast_the_claim()
        return await get(remote_id)

    east.api.get = slow  # type: ignore[method-assign]
    await submit(store, [item("a")])
    async with working(worker(store, east, tmp_path, claim_s=SHORT_S)):
        await reported(store)
    assert await count(store, State.ARCHIVED) == 1


async def test_a_listing_slower_than_its_claim_settles_what_is_unknown(
    store: Store, east: Line, renewals: Renewals, tmp_path: Path
) -> None:
    listed = east.api.list

    async def slow(*, since: float) -> AsyncIterator[Any]:
        await renewals.outlast_the_claim()
        async for job in listed(since=since):
            yield job

    east.api.list = slow  # type: ignore[method-assign]
    await Witness(east.deployment.endpoint).fault(on="create", do="drop_after")
    await submit(store, [item("a")])
    async with working(worker(store, east, tmp_path, claim_s=SHORT_S)):
        await reported(store)
    assert await count(store, State.ARCHIVED) == 1


async def test_a_report_slower_than_its_claim_counts(
    store: Store, east: Line, renewals: Renewals, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run ends only when its batch is reported."""
    sheet = contact_sheet

    async def slow(*arguments: Any, **more: Any) -> AsyncIterator[str]:
        await renewals.outlast_the_claim()
        async for piece in sheet(*arguments, **more):
            yield piece

    monkeypatch.setattr(workers.fresh_sheet, "contact_sheet", slow)
    await submit(store, [item("a")])
    async with working(worker(store, east, tmp_path, claim_s=SHORT_S)):
        await reported(store)
    assert (tmp_path / "spring/index.html").exists()


async def test_renewing_leaves_the_due_time_that_the_intent_set(
    store: Store, east: Line, renewals: Renewals, tmp_path: Path
) -> None:
    """And a create that thereby has no claim any more is not cut."""
    create = east.api.create
    due: list[float | None] = []

    async def slow(*arguments: Any, **more: Any) -> Any:
        open_attempts = store.keys.open("east")
        due.append(await store.redis.zscore(open_attempts, "spring/a#1"))

        async def given_up() -> bool:
            return not any("keep" in repr(task.get_coro()) for task in asyncio.all_tasks())

        await until(given_up)
        assert renewals.answers[-1] is False
        due.append(await store.redis.zscore(open_attempts, "spring/a#1"))
        return await create(*arguments, **more)

    east.api.create = slow  # type: ignore[method-assign]
    await submit(store, [item("a")])
    with structlog.testing.capture_logs() as lines:
        async with working(worker(store, east, tmp_path, claim_s=SHORT_S)):
            await reported(store)
    assert not [line for line in lines if line["event"] == "claim.was_lost"]
    assert due[0] is not None
    assert due == [due[0], due[0]]
    assert await count(store, State.ARCHIVED) == 1


async def test_a_worker_that_stops_in_mid_download_hands_the_video_to_another(
    store: Store, east: Line, tmp_path: Path
) -> None:
    await Witness(east.deployment.endpoint).fault(on="content", do="stall", bytes=1000)
    await submit(store, [item("a")])

    async def downloading() -> bool:
        return any(job["downloads"] for job in await Witness(east.deployment.endpoint).jobs())

    async with working(worker(store, east, tmp_path)):
        await until(downloading)
    async with working(worker(store, east, tmp_path)):
        await reported(store)
    assert await count(store, State.ARCHIVED) == 1


async def test_draining_closes_every_queue_before_it_waits_for_any(
    store: Store, east: Line, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else one queue would go on picking while another ends its last step."""
    open_ones: list[int] = []
    stopping = worker(store, east, tmp_path)
    drain = ArqQueue.drain

    async def watched(queue: ArqQueue, *, hand_back: bool = False) -> None:
        open_ones.append(sum(not q._draining for q in stopping._queues.values()))
        await drain(queue, hand_back=hand_back)

    monkeypatch.setattr(ArqQueue, "drain", watched)
    async with working(stopping):
        pass
    assert open_ones == [0, 0, 0]


async def test_steps_of_a_deployment_that_a_worker_does_not_know_go_to_one_that_does(
    store: Store, east: Line, tmp_path: Path
) -> None:
    """In the middle of a roll-out; no claim has to end for it."""
    older = Line(deployment("west", model="sora", api="jobs"), east.api)
    await submit(store, [item(f"k{n}") for n in range(4)])
    with structlog.testing.capture_logs() as lines:
        async with working(worker(store, older, tmp_path), worker(store, east, tmp_path)):
            await reported(store)
    assert await count(store, State.ARCHIVED) == 4
    assert not [line for line in lines if line["event"] == "step.failed"]


async def test_a_worker_runs_only_the_steps_that_it_was_given(store: Store, east: Line, tmp_path: Path) -> None:
    """A create that another worker put on its queue waits there."""
    await submit(store, [item("lost")])
    (lost,) = (await admit(store, east.deployment)).admitted
    await intend(store, lost, due_in_s=0)
    await submit(store, [item("lost"), item("ready")])
    (ready,) = (await admit(store, east.deployment)).admitted

    async def nothing(_: Claim) -> None:
        """Nobody works at this queue here."""

    creates = ArqQueue(store, store.keys.queue("create"), {"create": nothing}, worker="other", slots=4, timeout_s=9)
    await creates.put([ready])
    listed, reconciling = east.api.list, asyncio.Event()

    def seen(*, since: float) -> AsyncIterator[Any]:
        reconciling.set()
        return listed(since=since)

    east.api.list = seen  # type: ignore[method-assign]
    async with working(worker(store, east, tmp_path, steps=("reconcile",))):
        await reconciling.wait()
    assert await creates.outstanding() == 1
    assert await count(store, State.ADMITTED) == 1


async def test_a_step_that_raises_tells_where_once_a_time_and_is_due_again_after_its_claim(
    store: Store, east: Line, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[Ref] = []
    create = workers.rendering.create.create

    async def broken(station: Station, found: Item) -> None:
        tried.append(found.ref)
        if len(tried) < 3:
            raise KeyError("no such field")
        await create(station, found)

    monkeypatch.setattr(workers.worker, "create", broken)
    await submit(store, [item("a")])
    with structlog.testing.capture_logs() as lines:
        async with working(worker(store, east, tmp_path, claim_s=SHORT_S)):
            await reported(store)
    told = [line for line in lines if line["event"] == "step.failed"]
    assert [(line["step"], line["exc_info"]) for line in told] == [("create", True)] * 2
    assert len(tried) == 3
