"""A person pauses and resumes deployments: creates alone obey, and what still runs there is brought home."""

from __future__ import annotations

import datetime as dt
import time

import pytest

from manifests.window import Window
from orchestrator import deployments
from orchestrator.deployments import Standing
from orchestrator.items.decision import Decision
from orchestrator.items.states import Event, State
from orchestrator.ledger import views
from orchestrator.ledger.keys import Ref
from orchestrator.ledger.records import Claim
from orchestrator.ledger.store import Store
from orchestrator.reasons.stoppage import Stoppage, stoppage
from orchestrator.settings import Deployment, Settings
from tests.ledger import NO_PACE, accept, admit, batch_of, deployment, intend, item, keys, state, submit

pytestmark = pytest.mark.asyncio

EAST, WEST = deployment("east"), deployment("west")
ALL = {"create": "steps", "reconcile": "steps", "poll": "polls", "archive": "archive"}


async def standing(store: Store, name: str = "east", among: tuple[Deployment, ...] = (EAST, WEST)) -> Standing:
    return next(each for each in await deployments.standings(store, among) if each.name == name)


async def why_stopped(store: Store, *among: Deployment) -> Stoppage | None:
    return await stoppage(store, await batch_of(store), among or (EAST, WEST))


async def due_steps(store: Store, name: str = "east") -> list[str]:
    """The steps that a worker is handed now."""
    free = {"steps": 5, "polls": 5, "archive": 5}
    claims, _ = await store.claim(free, pools=ALL, deployments=[name], allowance_s=30.0, furthest_s=3600.0)
    return [claim.step for claim in claims]


async def rendering(store: Store, key: str) -> Claim:
    """The next item, an attempt of which is due to be looked at now."""
    (claim,) = (await admit(store, EAST, most=1)).admitted
    assert claim.ref.item == key
    await intend(store, claim)
    _, version = await accept(store, claim, f"video_{key}", due_in_s=0)
    return Claim(claim.step, claim.ref, int(version), claim.attempt)


async def finished(store: Store, key: str) -> None:
    """The next item, whose video is to be fetched."""
    claim = await rendering(store, key)
    done = Decision(Event.SUCCEEDED, {"expires_at": 1}, money="confirmed")
    assert await store.apply(claim.ref, claim.version, done)


@pytest.fixture(params=["paused", "stopped"])
async def closed(request: pytest.FixtureRequest, store: Store) -> str:
    """Three items: `a` renders, `b` is to be fetched, `c` waits; and `east` is closed."""
    await submit(store, [item("b"), item("a"), item("c")], deployments=[EAST])
    await finished(store, "b")
    await rendering(store, "a")
    verdict = {"pause": True} if request.param == "paused" else {"stop": "auth", "message": "wrong key"}
    await store.judge("east", verdict)
    return str(request.param)


async def test_a_closed_deployment_gates_creates_only(store: Store, closed: str) -> None:
    answer = await admit(store, EAST)
    assert (answer.admitted, answer.gate, answer.ask_again_in_s) == ((), closed, None)
    assert sorted(await due_steps(store)) == ["archive", "poll"]


@pytest.mark.usefixtures("closed")
async def test_the_items_of_a_closed_deployment_flow_to_the_others(store: Store) -> None:
    assert keys(await admit(store, WEST)) == ["c"]


async def test_items_that_may_be_made_nowhere_else_wait_for_a_paused_deployment(store: Store) -> None:
    await submit(store, [item("a", deployment="east"), item("b")], deployments=[EAST, WEST])
    await deployments.pause(store, "east")
    assert keys(await admit(store, WEST)) == ["b"]
    assert (await standing(store)).pinned == 1
    await deployments.resume(store, "east")
    assert keys(await admit(store, EAST)) == ["a"]


async def test_what_was_admitted_before_the_pause_is_returned_unsent_and_free(store: Store) -> None:
    await submit(store, [item("a")], deployments=[EAST])
    (claim,) = (await admit(store, EAST)).admitted
    await deployments.pause(store, "east")
    word, _, _ = await store.intend(claim.ref, claim.version, {}, pace=NO_PACE, due_in_s=60.0)
    assert word == "returned"
    batch = await batch_of(store)
    assert (await state(store, "a"), batch.reserved, batch.unknown) == (State.WAITING, 0, 0)


async def test_a_pause_with_an_end_says_when_to_ask_again_and_ends_by_itself(store: Store) -> None:
    await submit(store, [item("a")], deployments=[EAST])
    await deployments.pause(store, "east", for_s=3600.0, reason="it moves", by="anna")
    answer = await admit(store, EAST)
    assert answer.gate == "paused"
    assert answer.ask_again_in_s is not None
    assert 3500 < answer.ask_again_in_s <= 3600
    await store.redis.hset(store.keys.deployment("east"), "paused_until", 1)
    assert not (await standing(store)).paused
    assert keys(await admit(store, EAST)) == ["a"]
    assert not [name for name in await store.read(store.keys.deployment("east")) if name.startswith("paused")]


async def test_a_pause_until_a_time_lasts_until_then_and_a_later_one_takes_its_place(store: Store) -> None:
    at = float(round(time.time()) + 7200)
    await deployments.pause(store, "east", until=at, reason="it moves", by="anna")
    view = (await standing(store)).view
    assert (view.paused_until, view.paused_reason, view.paused_by) == (at, "it moves", "anna")
    await deployments.pause(store, "east")
    view = (await standing(store)).view
    assert (view.paused, view.paused_until, view.paused_reason, view.paused_by) == (True, None, None, None)


async def test_a_resume_ends_pause_stop_and_cooling_at_once(store: Store) -> None:
    await submit(store, [item("a"), item("b")], deployments=[EAST])
    await store.judge("east", {"stop": "auth", "message": "wrong key"})
    await store.judge("east", {"cool_ms": 3_600_000, "reason": "rate_limited"})
    await deployments.pause(store, "east")
    assert not await deployments.resume(store, "east")
    assert (await standing(store)).state == "open"
    assert len((await admit(store, EAST)).admitted) == 2


async def test_a_resume_after_a_missing_deployment_tries_one_item_first(store: Store) -> None:
    await submit(store, [item("a"), item("b")], deployments=[EAST])
    await store.judge("east", {"stop": "deployment_missing", "message": "no such deployment"})
    assert await deployments.resume(store, "east")
    assert (await standing(store)).state == "trying"
    assert len((await admit(store, EAST)).admitted) == 1


async def test_a_shared_quota_that_cools_is_open_again_once_one_of_its_deployments_is_resumed(store: Store) -> None:
    key = store.keys.quota("pool")
    await store.redis.hset(store.keys.deployment("east"), "quota", "pool")
    await store.judge("east", {"cool_ms": 300_000, "reason": "unreachable"})
    await store.redis.hset(key, mapping={"cool_until": round((time.time() + 600) * 1000), "cool_reason": "rate"})
    assert (await views.deployment(store, "east")).cool_reason == "rate"
    await deployments.resume(store, "east")
    assert (await views.deployment(store, "east")).cool_until is None


async def test_what_was_learned_is_shown_and_forgotten_only_when_asked(store: Store) -> None:
    learned = {"learned_slots": 1, "learned_per_minute": 1.5, "slots_cap": "2", "rate_cap": "2"}
    at = deployment("east", per_minute=2, concurrent=2)
    await store.redis.hset(store.keys.deployment("east"), mapping=learned)
    its = await standing(store, among=(at,))
    assert (its.learned_slots, its.learned_per_minute, its.slots) == (1, 1.5, 1)
    await deployments.resume(store, "east")
    assert (await standing(store, among=(at,))).learned_slots == 1
    await deployments.resume(store, "east", forget_learned=True)
    its = await standing(store, among=(at,))
    assert (its.learned_slots, its.learned_per_minute, its.slots) == (None, None, 2)


async def test_tokens_and_slots_are_counted_as_admission_does(store: Store) -> None:
    at = deployment("east", per_minute=1, burst=3, concurrent=4)
    assert (await standing(store, among=(at,))).tokens == 3
    await submit(store, [item("a"), item("b")], deployments=[at])
    await admit(store, at)
    its = await standing(store, among=(at,))
    assert its.tokens is not None
    assert 1 <= its.tokens < 1.5
    assert (its.slots_used, its.slots) == (2, 4)
    assert (await standing(store)).tokens is None


async def test_deployments_of_one_quota_share_its_tokens_and_slots(store: Store) -> None:
    pool = {"per_minute": 1, "burst": 2, "concurrent": 2}
    facts = {"model": "sora-2", "endpoint": "http://127.0.0.1:1", "auth": {"entra": True}, "quota": "pool"}
    both = Settings(quotas={"pool": pool}, deployments=[{"name": n, **facts} for n in ("east", "west")]).deployments
    await submit(store, [item("a"), item("b")], deployments=both)
    await admit(store, both[0], most=1)
    await admit(store, both[1], most=1)
    for its in await deployments.standings(store, both):
        assert its.tokens is not None
        assert its.tokens < 1
        assert (its.slots_used, its.quota_slots_used, its.slots) == (1, 2, 2)


async def test_a_window_says_until_when_it_is_closed(store: Store) -> None:
    now = dt.datetime.now(dt.UTC)
    begin = (now + dt.timedelta(hours=2)).replace(minute=0, second=0, microsecond=0)
    window = Window(begin.time(), (begin + dt.timedelta(hours=1)).time(), "UTC", frozenset(range(7)))
    its = await standing(store, among=(deployment("east", window=window),))
    assert (its.state, its.window_open, its.window_changes_at) == ("window", False, begin.timestamp())


async def test_a_paused_deployment_is_drained_once_nothing_is_in_flight_or_to_be_fetched(store: Store) -> None:
    await submit(store, [item("a"), item("b"), item("c")], deployments=[EAST])
    await finished(store, "a")
    claim = await rendering(store, "b")
    assert not (await standing(store)).drained
    await deployments.pause(store, "east")
    its = await standing(store)
    assert (its.slots_used, its.to_fetch, its.drained) == (1, 1, False)
    await store.apply(claim.ref, claim.version, Decision(Event.FAILED, {"reason": "moderated"}, money="none"))
    found = await store.load(Ref("spring", "a"))
    assert found is not None
    await store.apply(found.ref, found.version, Decision(Event.ARCHIVED))
    assert (await standing(store)).drained


async def test_a_deployment_that_is_not_configured_is_shown_while_something_of_it_is_out(store: Store) -> None:
    await submit(store, [item("a")], deployments=[EAST])
    claim = await rendering(store, "a")
    its = await standing(store, among=(WEST,))
    assert (its.deployment, its.state, its.left) == (None, "removed", 1)
    await store.apply(claim.ref, claim.version, Decision(Event.FAILED, {"reason": "moderated"}, money="none"))
    assert [each.name for each in await deployments.standings(store, [WEST])] == ["west"]


async def test_a_batch_is_stopped_when_all_that_serve_it_are_paused_and_says_how_to_go_on(store: Store) -> None:
    await submit(store, [item("a")], deployments=[EAST, WEST])
    await deployments.pause(store, "east", reason="it moves", by="anna")
    assert await why_stopped(store) is None
    await deployments.pause(store, "west")
    found = await why_stopped(store)
    assert found is not None
    assert found.reason == "deployments_paused"
    assert "east is paused by anna (it moves): dailies deployments resume east" in found.resume
    await deployments.resume(store, "west")
    assert await why_stopped(store) is None


async def test_a_batch_waits_for_a_pause_that_has_an_end(store: Store) -> None:
    await submit(store, [item("a")], deployments=[EAST])
    await deployments.pause(store, "east", for_s=3600.0)
    assert await why_stopped(store, EAST) is None


async def test_one_stopped_and_one_paused_deployment_stop_a_batch_as_stopped_ones_do(store: Store) -> None:
    await submit(store, [item("a")], deployments=[EAST, WEST])
    await store.judge("east", {"stop": "auth", "message": "wrong key"})
    await deployments.pause(store, "west")
    found = await why_stopped(store)
    assert found is not None
    assert found.reason == "deployments_stopped"
    assert "dailies deployments resume east" in found.resume
    assert "dailies deployments resume west" in found.resume


async def test_what_auto_found_out_is_found_out_anew_once_it_is_forgotten(store: Store) -> None:
    auto = deployment("east", concurrent="auto")
    key = store.keys.deployment("east")
    await submit(store, [item("a"), item("b"), item("c")], deployments=[auto])
    assert len((await admit(store, auto)).admitted) == 2
    await store.redis.hset(key, "learned_slots", 1)
    await store.redis.hdel(key, "slots_growing")
    await deployments.resume(store, "east", forget_learned=True)
    await admit(store, auto)
    assert (await store.read(key)).get("slots_growing") == "1"
    assert (await standing(store, among=(auto,))).slots == 2
