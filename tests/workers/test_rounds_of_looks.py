"""Rounds of looks: one load and one write for many, nobody's trouble is another's, and never more than the ceiling."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from typing import Any, cast

import pytest
import structlog
from redis.asyncio.client import Pipeline
from redis.exceptions import ConnectionError  # noqa: A004

from orchestrator.admission import looks
from orchestrator.items.decision import Decision
from orchestrator.items.states import State
from orchestrator.ledger.keys import Ref
from orchestrator.ledger.records import Claim, Item
from orchestrator.ledger.store import Store
from orchestrator.settings import Deployment, Poll
from tests.ledger import accept, admit, deployment, intend, item, state, submit
from tests.main_job.night import until
from workers.rendering.look import decide
from workers.rendering.poller import Poller
from workers.sinks import Sink
from workers.station import Line, Station
from workers.video_api import Denied, RemoteJob, RemoteStatus, VideoApi

POLL = Poll(first_s=20, every_s=60, min_s=2)


class Provider:
    """Every job renders on, unless a test says otherwise."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.answers: dict[str, Any] = {}
        self.open = asyncio.Event()
        self.open.set()
        self.at_once = self.most_at_once = 0

    async def get(self, remote_id: str) -> RemoteJob:
        self.asked.append(remote_id)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            await self.open.wait()
            await asyncio.sleep(0)
        finally:
            self.at_once -= 1
        answer = self.answers.get(remote_id, RemoteStatus.RUNNING)
        if isinstance(answer, Exception):
            raise answer
        return RemoteJob(remote_id, answer, str(answer), progress=0, content_ids=(remote_id,))


class Rounds:
    """A poller at work on a ledger by hand."""

    def __init__(self, store: Store, *deployments: Deployment, claim_s: float = 30.0) -> None:
        self.store = store
        self.providers = {d.name: Provider() for d in deployments}
        self.deployments = deployments
        self.woken: list[float] = []
        lines = {d.name: Line(d, cast("VideoApi", self.providers[d.name])) for d in deployments}
        self.station = Station(store, lines, cast("Sink", None), time.time, self.woken.append, claim_s)
        self.poller = Poller(self.station)

    async def render(self, count: int, at: Deployment, batch: str = "spring") -> None:
        """So many jobs that render there, each due for a look."""
        await submit(self.store, [item(f"k{n}") for n in range(count)], batch=batch, deployments=[at])
        for claim in (await admit(self.store, at, count)).admitted:
            await intend(self.store, claim)
            await accept(self.store, claim, f"video_{claim.ref}", due_in_s=0)

    async def claim(self, free: int = 500, ceilings: float | None = None) -> list[Claim]:
        names = [d.name for d in self.deployments]
        buckets = {} if ceilings is None else dict.fromkeys(names, looks.ceiling(ceilings))
        claims, self.next_due = await self.store.claim(
            {"polls": free},
            pools={"poll": "polls"},
            deployments=names,
            allowance_s=30,
            furthest_s=7200,
            looks=buckets,
        )
        return claims

    async def looked(self) -> None:
        """Until every look that was taken on is over, and written."""
        await asyncio.gather(*self.poller._rounds)
        if self.poller._writing is not None:
            await self.poller._writing

    async def due_in_s(self, name: str = "east") -> dict[str, float]:
        """Seconds until each open attempt of a deployment is due."""
        seconds, micros = await self.store.redis.time()
        pairs = await self.store.redis.zrange(self.store.keys.open(name), 0, -1, withscores=True)
        return {ref.decode(): at / 1000 - seconds - micros / 1e6 for ref, at in pairs}

    async def item(self, key: str, batch: str = "spring") -> Item:
        found = await self.store.load(Ref(batch, key))
        assert found is not None
        return found


@pytest.fixture
def trips(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Pipelines and runs of the ledger's scripts since the test began."""
    count: Counter[str] = Counter()
    execute = Pipeline.execute

    async def counted(self: Any, *args: Any, **more: Any) -> Any:
        count["pipelines"] += 1
        return await execute(self, *args, **more)

    monkeypatch.setattr(Pipeline, "execute", counted)
    return count


async def test_a_round_of_looks_is_one_load_and_one_write(
    store: Store, trips: Counter[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    east = deployment(poll=POLL)
    rounds = Rounds(store, east)
    await rounds.render(40, east)
    claims = await rounds.claim()
    run = store.scripts.run
    scripts: list[str] = []

    async def told(name: str, *arguments: object, **more: Any) -> Any:
        scripts.append(name)
        return await run(name, *arguments, **more)

    monkeypatch.setattr(store.scripts, "run", told)
    trips.clear()
    rounds.poller.take_on(claims)
    await rounds.looked()
    assert scripts == ["observe"]
    assert trips["pipelines"] == 2  # the load, and the render times that are learned of the deployment
    assert sorted(rounds.providers["east"].asked) == sorted(f"video_{c.ref}" for c in claims)
    assert len(claims) == 40


async def test_looks_at_one_deployment_are_few_at_once(store: Store) -> None:
    """More connections cost more each; and a deployment that hangs takes none from others."""
    east, west = deployment(poll=POLL), deployment("west", model="sora", api="jobs", poll=POLL)
    rounds = Rounds(store, east, west)
    await rounds.render(30, east)
    rounds.providers["east"].open.clear()
    await submit(store, [item("w", model="sora", size="480x480")], batch="other", deployments=[east, west])
    (claim,) = (await admit(store, west)).admitted
    await intend(store, claim)
    await accept(store, claim, "task_1", due_in_s=0)
    rounds.providers["west"].answers["task_1"] = RemoteStatus.SUCCEEDED
    rounds.poller.take_on(await rounds.claim())
    async with asyncio.timeout(100):
        while await state(store, "w", "other") is not State.ARCHIVING:
            await asyncio.sleep(0.01)
    assert rounds.providers["east"].most_at_once == 8
    rounds.providers["east"].open.set()
    await rounds.looked()


async def test_what_renders_on_comes_due_together_and_never_early(store: Store) -> None:
    """Looks of about one time share an instant, and with it one claim, one load and one write."""
    east = deployment(poll=POLL)
    rounds = Rounds(store, east)
    await rounds.render(12, east)
    rounds.poller.take_on(await rounds.claim())
    await rounds.looked()
    due = await rounds.due_in_s()
    assert 58 < min(due.values()) <= max(due.values()) < 61
    assert len({round(at, 3) for at in due.values()}) <= 2
    assert {(await rounds.item(f"k{n}")).fields["remote_status"] for n in range(12)} == {"running"}
    assert len(rounds.woken) == 1


async def test_a_look_that_was_overtaken_writes_nothing(store: Store) -> None:
    east = deployment(poll=POLL)
    rounds = Rounds(store, east)
    await rounds.render(2, east)
    claims = await rounds.claim()
    rounds.providers["east"].open.clear()
    rounds.poller.take_on(claims)
    async with asyncio.timeout(100):
        while rounds.providers["east"].at_once < 2:
            await asyncio.sleep(0.01)
    overtaken = store.keys.item(claims[0].ref)
    await store.redis.hincrby(overtaken, "v", 1)
    rounds.providers["east"].open.set()
    with structlog.testing.capture_logs() as lines:
        await rounds.looked()
    assert [line["key"] for line in lines if line["event"] == "decision.went_stale"] == [claims[0].ref.item]
    assert not await store.redis.hexists(overtaken, "remote_status")
    assert (await rounds.item(claims[1].ref.item)).fields["remote_status"] == "running"


async def test_trouble_with_one_look_is_no_other_s(store: Store) -> None:
    """A key as it was, a refusal, a fault of ours, a video: each comes to its own."""
    east = deployment(poll=POLL)
    rounds = Rounds(store, east)
    await rounds.render(6, east)
    answers = rounds.providers["east"].answers
    answers["video_spring/k1"] = Denied("wrong key", status=401)
    answers["video_spring/k2"] = RuntimeError("a fault")
    answers["video_spring/k3"] = RemoteStatus.SUCCEEDED
    claims = await rounds.claim()
    await store.redis.hset(store.keys.specs("spring"), "k4", "{")
    with structlog.testing.capture_logs() as lines:
        rounds.poller.take_on(claims)
        await rounds.looked()
    told = [line["event"] for line in lines if line["log_level"] == "error"]
    assert sorted(told) == ["item.is_not_readable", "look.failed"]
    due = await rounds.due_in_s()
    assert set(due) == {f"spring/k{n}#1" for n in (0, 1, 2, 4, 5)}
    assert {key for key, at in due.items() if at < 31} == {"spring/k2#1", "spring/k4#1"}  # again when their claims end
    assert await state(store, "k3") is State.ARCHIVING


async def test_what_redis_refuses_of_one_look_is_no_other_s(store: Store) -> None:
    east = deployment(poll=POLL)
    rounds = Rounds(store, east)
    await rounds.render(3, east)
    claims = await rounds.claim()
    _, items = await looks.load(store, claims)
    rounds.providers["east"].answers.clear()
    await store.redis.delete(store.keys.attempt(items[0].ref, 1))
    await store.redis.set(store.keys.attempt(items[0].ref, 1), "no hash")
    observed = [looks.Observed(each, decision(each)) for each in items]
    with structlog.testing.capture_logs() as lines:
        await looks.observe(store, observed)
    assert [line["event"] for line in lines] == ["look.was_not_written"]
    assert sorted(at > 31 for at in (await rounds.due_in_s()).values()) == [False, True, True]


def decision(of: Item) -> Decision:
    job = RemoteJob(of.remote_id or "", RemoteStatus.RUNNING, "running", progress=10)
    return decide(job, of, deployment(poll=POLL), 1_790_000_010.0)


async def test_while_redis_is_away_looks_are_lost_and_come_due_by_themselves(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    east = deployment(poll=POLL)
    rounds = Rounds(store, east)
    await rounds.render(3, east)
    claims = await rounds.claim()

    async def away(*_: Any, **__: Any) -> Any:
        raise ConnectionError("refused")

    for place in ("load", "observe"):
        with structlog.testing.capture_logs() as lines, monkeypatch.context() as patched:
            patched.setattr(looks, place, away)
            rounds.poller.take_on(claims)
            async with asyncio.timeout(100):
                while not any(line["event"] == "looks.were_lost" for line in lines):
                    await asyncio.sleep(0.01)
        assert {line["log_level"] for line in lines} == {"warning"}
    assert all(at < 31 for at in (await rounds.due_in_s()).values())
    rounds.poller.take_on(claims)
    await rounds.looked()
    assert all(at > 31 for at in (await rounds.due_in_s()).values())


async def test_slow_looks_and_those_that_wait_for_them_keep_their_claims(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Again and again. The pauses are short here and the allowance long, so that a slow machine keeps them too."""
    monkeypatch.setattr("workers.rendering.poller.PART", 0.1 / 600)
    east = deployment(poll=POLL)
    rounds = Rounds(store, east, claim_s=600)
    await rounds.render(20, east)
    rounds.providers["east"].open.clear()
    claims = await rounds.claim()
    rounds.poller.take_on(claims)

    async def renewed() -> bool:
        return min((await rounds.due_in_s()).values()) > 500

    for _ in range(3):
        await until(renewed)
        for claim in claims:
            await store.renew(claim.ref, claim.version, 30)
    assert not await rounds.claim()
    rounds.providers["east"].open.set()
    await rounds.looked()
    assert all([(await rounds.item(claim.ref.item)).state is State.RENDERING for claim in claims])
    assert len(rounds.providers["east"].asked) == 20


async def test_a_poller_that_stops_hands_back_what_it_did_not_look_at(store: Store) -> None:
    east = deployment(poll=POLL)
    rounds = Rounds(store, east)
    await rounds.render(20, east)
    rounds.providers["east"].open.clear()
    rounds.poller.take_on(await rounds.claim())
    async with asyncio.timeout(100):
        while rounds.providers["east"].at_once < 8:
            await asyncio.sleep(0.01)
    draining = asyncio.create_task(rounds.poller.drain())
    await asyncio.sleep(0)
    rounds.providers["east"].open.set()
    await draining
    assert len(rounds.providers["east"].asked) == 8
    assert len(await rounds.claim()) == 12


async def test_a_poller_says_what_room_each_deployment_has(store: Store) -> None:
    east, west = deployment(poll=POLL), deployment("west", poll=POLL)
    rounds = Rounds(store, east, west)
    await rounds.render(140, east)
    rounds.providers["east"].open.clear()
    free = rounds.poller.free
    claims, _ = await store.claim(
        free, pools={"poll": "polls"}, deployments=["east", "west"], allowance_s=30, furthest_s=7200
    )
    assert len(claims) == free["polls east"] == 128
    rounds.poller.take_on(claims)
    async with asyncio.timeout(100):
        while rounds.poller.free["polls east"]:
            await asyncio.sleep(0.01)
    assert rounds.poller.free == {"polls east": 0, "polls west": 128, "polls": 128}
    rounds.providers["east"].open.set()
    await rounds.looked()
    assert 0.001 in rounds.woken  # those that found no room are claimed as soon as there is some


async def test_no_second_has_more_looks_than_the_ceiling_and_what_finds_no_room_stays_due_in_order(
    store: Store,
) -> None:
    """Whatever asks, and however often: the bucket is the deployment's, in Redis."""
    east = deployment(poll=POLL)
    rounds, other = Rounds(store, east), Rounds(store, east)
    await rounds.render(60, east)
    order = [ref.decode() for ref in await store.redis.zrange(store.keys.open("east"), 0, -1)]
    taken: list[tuple[float, float, str]] = []  # not before, not after, what

    async def now() -> float:
        seconds, micros = await store.redis.time()
        return float(seconds + micros / 1e6)

    while len(taken) < 60:
        for asker in (rounds, other):
            before = await now()
            claims = await asker.claim(ceilings=20)
            after = await now()
            taken += [(before, after, f"{claim.ref}#1") for claim in claims]
            if len(taken) < 60:
                assert asker.next_due is not None
                assert asker.next_due < 0.1
        await asyncio.sleep(0.005)
    assert [ref for *_, ref in taken] == order
    assert all(later[1] - look[0] > 0.97 for look, later in zip(taken, taken[20:], strict=False))


async def test_a_ceiling_is_the_looks_alone(store: Store) -> None:
    """Creates and rescues of the same deployment go on."""
    east = deployment(poll=POLL)
    rounds = Rounds(store, east)
    await rounds.render(5, east)
    await submit(store, [item("late")], batch="late", deployments=[east])
    (claim,) = (await admit(store, east)).admitted
    await store.renew(claim.ref, claim.version, 0)
    found, _ = await store.claim(
        {"polls": 9, "steps": 9},
        pools={"poll": "polls", "create": "steps"},
        deployments=["east"],
        allowance_s=30,
        furthest_s=7200,
        looks={"east": looks.ceiling(1)},
    )
    assert Counter(c.step for c in found) == {"poll": 1, "create": 1}


@pytest.mark.parametrize("most_per_s", [0.5, 1, 9, 10, 100, 250])
def test_a_bucket_of_looks_holds_any_second_to_its_ceiling(most_per_s: float) -> None:
    bucket = looks.ceiling(most_per_s)
    assert bucket["burst"] + 1000 / bucket["interval_ms"] - 1 <= max(most_per_s, 1)
    assert 1000 / bucket["interval_ms"] >= 0.89 * most_per_s
