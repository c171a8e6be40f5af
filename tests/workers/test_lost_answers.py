"""Creates whose answer is lost, against the real sandbox over sockets, with all its bad habits: nothing is paid twice,
and what was made is found (promises 3, 4, 8 to 11)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from orchestrator.items.decision import Decision
from orchestrator.items.states import Event, State
from orchestrator.ledger import remote_ids
from orchestrator.ledger.records import Item
from orchestrator.ledger.store import Store
from tests.workers.creating import Desk, desk_at
from workers.reconciliation.candidates import named
from workers.reconciliation.evidence import Hold
from workers.reconciliation.reconcile import held as held_for
from workers.reconciliation.reconcile import reconcile
from workers.rendering.create import create
from workers.rendering.watch import watch

#: 2 * create_timeout_s + settle_s of the desk's deployment.
PATIENCE = 2.5


@pytest.fixture
async def secretive(store: Store) -> AsyncIterator[Desk]:
    """A provider that shows no prompt, as the ledger has seen."""
    async with desk_at(store, provider={"hide_prompts": True}) as made:
        await made.created("first")
        yield made


@pytest.fixture
async def paying(store: Store) -> AsyncIterator[Desk]:
    """A deployment whose owner would rather pay twice than wait."""
    async with desk_at(store, on_unknown="retry") as made:
        yield made


async def made_of(desk: Desk, key: str) -> int:
    """How many jobs the provider made of an item's prompt."""
    return (await desk.witness.created())[f"prompt of {key}"]


async def adopted(desk: Desk, key: str) -> str | None:
    found = await desk.item(key)
    return found.attempt.adopted if found.attempt else None


async def settled(desk: Desk, key: str) -> State:
    """The item once all time has passed that a listing is given."""
    await desk.long_ago(key)
    return await desk.look(key)


@pytest.mark.parametrize(
    "fault",
    [{"do": "drop_after"}, {"do": "status_after", "status": 500}, {"do": "status_after", "status": 408},
     {"do": "status_after", "status": 409}, {"do": "status_after", "status": 429, "body": "busy"},
     {"do": "status_after", "status": 302, "headers": {"location": "/"}}, {"do": "hang_after", "seconds": 60}],
    ids=str,
)  # fmt: skip
async def test_however_the_answer_is_lost_the_job_is_found_and_not_made_again(
    desk: Desk, fault: dict[str, Any]
) -> None:
    """Promise 3: everything but a certain answer is unknown, and only the list moves it."""
    await desk.created("first")
    await desk.witness.fault(on="create", **fault)
    lost = await desk.created("lost")
    assert (lost.state, lost.attempt and lost.attempt.money) == (State.CREATING, "unknown")
    assert await desk.look("lost") is State.RENDERING
    assert (await made_of(desk, "lost"), await adopted(desk, "lost")) == (1, "prompt")


async def test_the_intent_is_written_before_anything_leaves(desk: Desk) -> None:
    """Promise 1: with all that reconcile needs of it."""
    post, seen = desk.api.create, list[Item]()

    async def watched(order: Any, *, send_by: float) -> Any:
        seen.append(await desk.item("a"))
        return await post(order, send_by=send_by)

    desk.api.create = watched
    await desk.created("a")
    (intent,) = seen
    assert (intent.state, intent.attempt is not None) == (State.CREATING, True)
    assert intent.attempt is not None
    assert {"deployment", "endpoint", "wire_name", "fingerprint", "intent_at", "token", "shape"} <= {
        *intent.attempt.fields
    }


async def test_where_prompts_are_hidden_the_one_job_of_that_time_is_adopted_and_said_to_be_a_guess(
    secretive: Desk,
) -> None:
    """Promise 9."""
    await secretive.lost("lost")
    assert await secretive.look("lost") is State.RENDERING
    assert (await made_of(secretive, "lost"), await adopted(secretive, "lost")) == (1, "time")


async def test_where_prompts_are_hidden_and_others_create_too_it_is_held_with_the_job_named(store: Store) -> None:
    """Promises 9 and 11: the job that it may be, with its time, is named for whoever decides."""
    async with desk_at(store, shared=True) as desk:
        await desk.witness.fault(on="list", do="hide_prompts", times=None)
        await desk.created("first")
        await desk.lost("lost")
        (job,) = [job for job in await desk.witness.jobs() if job["prompt"] == "prompt of lost"]
        finding = await look_late(desk, "lost")
        assert finding is State.HELD
        found = await desk.item("lost")
        assert found.attempt is not None
        assert job["id"] in (found.message or "")
        assert [(c["id"], c["created_at"]) for c in named(found.fields)] == [(job["id"], int(job["created_at"]))]
        assert found.attempt.money == "unknown"


async def look_late(desk: Desk, key: str) -> State:
    """Look until nothing more is waited for, on the provider's clock."""
    for _ in range(6):
        if (state := await desk.look(key)) is not State.CREATING:
            return state
        desk.clock.off_s += PATIENCE
        found = await desk.item(key)
        assert found.attempt is not None
        at = round(((found.attempt.intent_at or 0) - PATIENCE) * 1000)
        await desk.store.redis.hset(desk.store.keys.attempt(found.ref, found.attempts), "intent_at", at)
    return State.CREATING


async def test_where_prompts_are_hidden_two_creates_of_one_shape_are_never_out_at_once(secretive: Desk) -> None:
    """Promise 9: the second one waits until it is known what came of the first."""
    await secretive.lost("lost")
    waiting = await secretive.admitted("next")
    await create(secretive.station, waiting)
    assert (await secretive.item("next")).state is State.ADMITTED
    assert await secretive.look("lost") is State.RENDERING
    await create(secretive.station, await secretive.item("next"))
    assert (await secretive.item("next")).state is State.RENDERING
    assert [await made_of(secretive, key) for key in ("lost", "next")] == [1, 1]


async def test_another_shape_goes_out_all_the_same(secretive: Desk) -> None:
    """Promise 9: it can be told apart."""
    await secretive.lost("lost")
    assert (await secretive.created("long", seconds=12)).state is State.RENDERING


async def test_a_list_that_lags_delays_the_finding_and_does_not_change_it(desk: Desk) -> None:
    """Promise 10: what is not listed yet is not absent."""
    await desk.created("first")
    await desk.lost("lost")
    await desk.witness.fault(on="list", do="lag", seconds=3600.0, times=None)
    assert await look_late(desk, "lost") in (State.CREATING, State.HELD)
    assert await made_of(desk, "lost") == 1


async def test_many_creates_that_are_lost_at_once_each_get_the_job_that_they_made(desk: Desk) -> None:
    """Promise 8: one to one, whichever is looked into first."""
    names = [f"lost-{n}" for n in range(8)]
    for name in names:
        await desk.lost(name)
    await asyncio.gather(*(desk.look(name) for name in reversed(names)))
    prompts = {job["id"]: job["prompt"] for job in await desk.witness.jobs()}
    for name in names:
        found = await desk.item(name)
        assert (found.state, prompts[found.remote_id or ""]) == (State.RENDERING, f"prompt of {name}")


async def test_many_takes_of_one_prompt_that_are_lost_at_once_each_get_a_job(desk: Desk) -> None:
    """Promise 8: an id belongs to one attempt, though all of them want it at once."""
    names = [f"take-{n}" for n in range(6)]
    for name in names:
        await desk.lost(name, prompt="a boat")
    await asyncio.gather(*(desk.look(name) for name in names))
    found = {(await desk.item(name)).remote_id for name in names}
    assert found == {job["id"] for job in await desk.witness.jobs()}


async def test_two_pictures_with_the_same_words_never_get_each_others_film(desk: Desk) -> None:
    """Promise 9: the list shows no picture. Both are held, each with both jobs named."""
    await desk.created("first")
    for key, digest in (("mug", "0" * 64), ("lamp", "1" * 64)):
        await desk.lost(key, prompt="turn it slowly", labels={}, input_reference=None)
        found = await desk.item(key)
        changed = found.spec.dump().replace(found.spec.fingerprint, f"v1:{digest}")
        await desk.store.redis.hset(desk.store.keys.specs(key), key, changed)
    jobs = {job["id"] for job in await desk.witness.jobs() if job["prompt"] == "turn it slowly"}
    assert [await look_late(desk, key) for key in ("mug", "lamp")] == [State.HELD, State.HELD]
    for key in ("mug", "lamp"):
        assert {each["id"] for each in named((await desk.item(key)).fields)} == jobs


@pytest.mark.parametrize("status", [404, 405, 501])
async def test_a_server_that_has_no_list_holds_its_items_at_once(desk: Desk, status: int) -> None:
    """Promise 10 and 11: nothing will ever tell, so nobody waits for `max_render_s`; and nothing is sent again."""
    await desk.lost("lost")
    await desk.witness.fault(on="list", do="status", status=status, times=None)
    await at_its_due_time(desk, "lost")
    assert await desk.look("lost") is State.HELD
    assert "has no list" in ((await desk.item("lost")).message or "")
    assert await made_of(desk, "lost") == 1


async def at_its_due_time(desk: Desk, key: str) -> None:
    found = await desk.item(key)
    assert found.attempt is not None
    at = round(((found.attempt.intent_at or 0) - PATIENCE) * 1000)
    await desk.store.redis.hset(desk.store.keys.attempt(found.ref, found.attempts), "intent_at", at)


async def test_a_list_that_is_gone_for_a_while_is_still_a_list(desk: Desk) -> None:
    """Promise 10: a gateway that answers 404 for a minute has not taken the list away."""
    await desk.lost("lost")
    await desk.look("lost")
    await desk.lost("second")
    await desk.witness.fault(on="list", do="status", status=404, times=2)
    await at_its_due_time(desk, "second")
    assert await desk.look("second") is State.CREATING
    await desk.witness.clear()
    assert await desk.look("second") is State.RENDERING


async def test_whoever_chose_to_pay_twice_has_it_sent_again_once_and_the_first_stays_unknown_money(
    paying: Desk,
) -> None:
    """Promises 10 and 28: confirmed ≤ the bill ≤ confirmed + unknown."""
    await paying.lost("lost")
    await paying.witness.fault(on="list", do="status", status=404, times=None)
    assert await paying.look("lost") is State.CREATING, "not before the create must have been given up"
    await at_its_due_time(paying, "lost")
    assert await paying.look("lost") is State.WAITING
    await paying.witness.fault(on="create", do="drop_after")
    await create(paying.station, await paying.admitted_again("lost"))
    await at_its_due_time(paying, "lost")
    assert await paying.look("lost") is State.HELD, "once"
    assert await made_of(paying, "lost") == 2
    fields = await paying.store.read(paying.store.keys.batch("lost"))
    assert int(fields["unknown"]) == 800_000


async def test_an_orphan_is_looked_at_until_it_has_ended(desk: Desk) -> None:
    """Promise 4: its state is known, its money counted, its slot given back, and its video not lost sight of."""
    await desk.lost("late")
    (job,) = await desk.witness.jobs()
    found = await desk.item("late")
    await desk.store.scripts.run("transition", "late", "late", found.version, "resent", {"item": {}, "attempt": {}})
    await create(desk.station, await desk.admitted_again("late"))
    assert (await desk.store.accept(found.ref, 1, job["id"], how="answer", fields={}, due_in_s=9))[0] == "orphan"

    async def look() -> str:
        redis, key = desk.store.redis, desk.store.keys.open("east")
        await redis.zadd(key, {"late/late#1": 0})
        claims, _ = await desk.store.claim(
            {"watch": 9}, pools={"watch": "watch"}, deployments=["east"], allowance_s=30, furthest_s=600
        )
        for claim in claims:
            await watch(desk.station, claim)
        (orphan,) = await remote_ids.orphans(desk.store)
        return orphan.state

    assert await look() == "rendering"
    desk.clock.off_s += 120
    assert await look() == "succeeded"
    slots = await desk.store.redis.zrange(desk.store.keys.open("east"), 0, -1)
    assert slots == [b"late/late#2"]
    batch = await desk.store.read(desk.store.keys.batch("late"))
    assert int(batch["confirmed"]) == 400_000


async def test_a_job_that_was_known_too_late_is_taken_before_another_attempt_is_paid(desk: Desk) -> None:
    """Promise 4: its item had been sent again; that came to nothing, and the first create's video is there."""
    await desk.lost("late")
    (job,) = await desk.witness.jobs()
    found = await desk.item("late")
    await desk.store.apply(found.ref, found.version, Decision(Event.RESENT, money="none"))
    await create(desk.station, await desk.admitted_again("late"))
    await desk.store.accept(found.ref, 1, job["id"], how="answer", fields={}, due_in_s=9)
    second = await desk.item("late")
    await desk.store.apply(second.ref, second.version, Decision(Event.RETRIED, due_in_s=0, money="unknown"))
    await create(desk.station, await desk.admitted_again("late"))
    taken = await desk.item("late")
    assert (taken.state, taken.remote_id, await made_of(desk, "late")) == (State.RENDERING, job["id"], 2)
    assert await remote_ids.orphans(desk.store) == []
    assert await desk.store.redis.zrange(desk.store.keys.open("east"), 0, -1) == [b"late/late#1"]
    fields = await desk.store.read(desk.store.keys.batch("late"))
    assert [int(fields.get(name, 0)) for name in ("reserved", "unknown", "confirmed")] == [0, 800_000, 0]


async def test_a_held_item_is_adopted_when_it_is_looked_into_again_and_its_job_is_listed(desk: Desk) -> None:
    """Promise 11: later evidence moves it."""
    await desk.lost("lost")
    await desk.witness.fault(on="list", do="status", status=503, times=None)
    for _ in range(7):
        await desk.long_ago("lost")
    assert await desk.look("lost") is State.HELD
    await desk.witness.clear()
    held = await desk.item("lost")
    found = await desk.item("lost")
    assert found.attempt is not None
    at = round((found.attempt.intent_at or 0) * 1000) + 7 * 600_000
    await desk.store.redis.hset(desk.store.keys.attempt(found.ref, found.attempts), "intent_at", at)
    await reconcile(desk.station, await desk.item("lost"))
    assert (held.state, (await desk.item("lost")).state) == (State.HELD, State.RENDERING)


async def test_it_is_known_since_when_an_outcome_is_unknown_until_it_is_not(desk: Desk) -> None:
    """Promise 3: the item stays `creating`, with `unknown_since`; so does one whose worker died before it could say."""
    lost = await desk.lost("lost")
    assert lost.attempt is not None
    assert float(lost.attempt.fields["unknown_since"]) >= (lost.attempt.intent_at or 0) * 1000
    await desk.look("lost")
    found = await desk.item("lost")
    assert found.attempt is not None
    assert "unknown_since" not in found.attempt.fields
    dead = await desk.lost("dead")
    redis, keys = desk.store.redis, desk.store.keys
    await redis.hdel(keys.attempt(dead.ref, 1), "unknown_since")
    await redis.zadd(keys.open("east"), {f"{dead.ref}#1": 0})
    await desk.store.claim(
        {"reconcile": 1}, pools={"reconcile": "reconcile"}, deployments=["east"], allowance_s=30, furthest_s=600
    )
    assert await redis.hexists(keys.attempt(dead.ref, 1), "unknown_since")


async def test_what_is_held_is_never_sent_again_by_itself_and_says_what_it_may_be_by_now(desk: Desk) -> None:
    """Promise 11: only a person sends it again, however often a list shows no such job."""
    await desk.created("first")
    await desk.lost("lost", "drop")
    await desk.long_ago("lost")
    held = await desk.item("lost")
    await desk.store.apply(held.ref, held.version, held_for(Hold("the provider's jobs cannot be listed")))
    for _ in range(3):
        assert await desk.look("lost") is State.HELD
        desk.clock.off_s += PATIENCE + 1
    desk.clock.off_s = 0.0
    await desk.witness.fault(on="create", do="drop_after")
    await desk.created("other", prompt="prompt of lost", seconds=12)
    await desk.look("lost")
    found = await desk.item("lost")
    assert found.state is State.HELD
    assert [each["seconds"] for each in named(found.fields)] == [12]
    assert (await desk.witness.created())["prompt of lost"] == 1
