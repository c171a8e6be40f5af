"""The ledger: versions fence decisions, evidence is believed late, slots and money follow every move."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from orchestrator.admission.controller import scope
from orchestrator.admission.dispatcher import POOLS
from orchestrator.batches.batch_lock import forget
from orchestrator.items.decision import Decision
from orchestrator.items.states import MOVING, OPEN, TABLE, BatchState, Event, State, mermaid
from orchestrator.ledger import remote_ids
from orchestrator.ledger.records import Claim
from orchestrator.ledger.store import Store
from orchestrator.redis.connection import connect
from tests.ledger import HOUSE, accept, admit, batch_of, deployment, intend, item, state, submit
from tests.servers import redis_process

pytestmark = pytest.mark.asyncio

FREE = {"steps": 10, "polls": 10, "archive": 10}


async def claims(store: Store) -> list[Claim]:
    found, _ = await store.claim(FREE, pools=POOLS, deployments=["east"], allowance_s=30.0, furthest_s=7200)
    return found


async def admitted(store: Store, *names: str) -> list[Claim]:
    await submit(store, [item(name) for name in names])
    return list((await admit(store, deployment())).admitted)


async def rendering(store: Store, remote_id: str = "video_1") -> tuple[Claim, int]:
    (claim,) = await admitted(store, "a")
    await intend(store, claim)
    _, version = await accept(store, claim, remote_id)
    return claim, int(version)


async def slots(store: Store) -> int:
    return int(await store.redis.zcard(store.keys.open("east")))


async def test_a_decision_with_an_old_version_changes_nothing(store: Store) -> None:
    claim, version = await rendering(store)
    assert await store.apply(claim.ref, version - 1, Decision(Event.SUCCEEDED, money="confirmed")) is None
    assert await state(store, "a") is State.RENDERING
    assert (await batch_of(store)).confirmed == 0


async def test_a_move_that_the_table_does_not_have_is_refused(store: Store) -> None:
    claim, version = await rendering(store)
    assert await store.apply(claim.ref, version, Decision(Event.ARCHIVED)) is None
    assert await state(store, "a") is State.RENDERING


@pytest.mark.parametrize("event", list(Event))
async def test_no_event_leads_out_of_archived(event: Event) -> None:
    assert State.ARCHIVED not in TABLE[event]


async def test_every_state_can_be_reached_and_left_or_is_final() -> None:
    reached = {State.WAITING} | {to for row in TABLE.values() for to in row.values()}
    left = {of for row in TABLE.values() for of in row}
    assert reached == set(State)
    assert set(MOVING) <= left


async def test_the_diagram_in_docs_is_the_table() -> None:
    assert mermaid() in (HOUSE / "docs/states.md").read_text("utf-8")


async def test_money_follows_the_item_from_reserved_to_confirmed(store: Store) -> None:
    (claim,) = await admitted(store, "a")
    batch = await batch_of(store)
    assert (batch.reserved, batch.unknown, batch.confirmed) == (400_000, 0, 0)
    await intend(store, claim)
    batch = await batch_of(store)
    assert (batch.reserved, batch.unknown, batch.confirmed) == (0, 400_000, 0)
    _, version = await accept(store, claim, "video_1")
    await store.apply(claim.ref, int(version), Decision(Event.SUCCEEDED, {"expires_at": 1}, money="confirmed"))
    batch = await batch_of(store)
    assert (batch.reserved, batch.unknown, batch.confirmed) == (0, 0, 400_000)


async def test_the_same_intent_asked_twice_is_answered_once(store: Store) -> None:
    """A reply that was lost makes the connection ask again; another claim with that version is still stale."""
    (claim,) = await admitted(store, "a")
    await intend(store, claim)
    word, *_ = await store.intend(
        claim.ref, claim.version, {}, pace={"interval_ms": 0, "burst": 1, "slack_ms": 0}, due_in_s=60
    )
    assert word == "stale"


async def test_an_intent_asked_again_is_written_on_the_connection_that_asked(store: Store) -> None:
    """WAIT speaks of its own connection's writes: what was lost was the answer on another one."""
    (claim,) = await admitted(store, "a")
    none: dict[str, object] = {"interval_ms": 0, "burst": 1, "slack_ms": 0}
    answers, changes = [], []
    for _ in range(2):
        before = (await store.redis.info("persistence"))["rdb_changes_since_last_save"]
        answers.append(await store.intend(claim.ref, claim.version, {"token": "t"}, pace=none, due_in_s=60))
        changes.append((await store.redis.info("persistence"))["rdb_changes_since_last_save"] - before)
    assert answers[0] == answers[1]
    assert (answers[0][0], changes[1]) == ("intended", 1)


async def test_an_intent_of_a_stopped_deployment_returns_the_item_unsent(store: Store) -> None:
    (claim,) = await admitted(store, "a")
    await store.judge("east", {"stop": "auth", "message": "wrong key"})
    word, *_ = await store.intend(
        claim.ref, claim.version, {}, pace={"interval_ms": 0, "burst": 1, "slack_ms": 0}, due_in_s=60
    )
    assert (word, await state(store, "a"), await slots(store)) == ("returned", State.WAITING, 0)


async def test_a_remote_id_belongs_to_one_attempt(store: Store) -> None:
    first, second = await admitted(store, "a", "b")
    await intend(store, first)
    version = await intend(store, second)
    await accept(store, first, "video_1")
    assert await accept(store, second, "video_1", how="prompt", version=version) == ("taken", "spring/a#1")
    assert await state(store, "b") is State.CREATING


async def test_an_answer_takes_its_id_back_from_a_guess(store: Store) -> None:
    first, second = await admitted(store, "a", "b")
    version = await intend(store, first)
    await intend(store, second)
    await accept(store, first, "video_1", how="prompt", version=version)
    word, _ = await accept(store, second, "video_1")
    assert word == "accepted"
    assert (await state(store, "a"), await state(store, "b")) == (State.CREATING, State.RENDERING)
    assert await remote_ids.owners(store, first_scope(), ["video_1"]) == {"video_1": "spring/b#1"}
    assert [c.step for c in await claims(store)] == ["reconcile"]


def first_scope() -> str:
    return "sandbox-videos"


async def test_an_answer_that_comes_after_the_item_was_held_brings_it_back(store: Store) -> None:
    (claim,) = await admitted(store, "a")
    version = await intend(store, claim)
    await store.apply(claim.ref, version, Decision(Event.HELD, {"reason": "outcome_unknown"}, money="unknown"))
    assert ((await batch_of(store)).state, await slots(store)) == (BatchState.FINAL, 0)
    await accept(store, claim, "video_1")
    assert await state(store, "a") is State.RENDERING
    assert ((await batch_of(store)).state, await slots(store)) == (BatchState.RUNNING, 1)


async def test_an_answer_that_comes_after_the_item_was_queued_again_stops_the_second_create(store: Store) -> None:
    (claim,) = await admitted(store, "a")
    version = await intend(store, claim)
    await store.apply(claim.ref, version, Decision(Event.RESENT, money="none"))
    (again,) = (await admit(store, deployment())).admitted
    await accept(store, claim, "video_1")
    assert await state(store, "a") is State.RENDERING
    word, *_ = await store.intend(again.ref, again.version, {}, pace={"interval_ms": 0}, due_in_s=60)
    batch = await batch_of(store)
    assert (word, await slots(store), batch.reserved, batch.unknown) == ("stale", 1, 0, 400_000)


async def test_an_answer_that_comes_too_late_for_its_item_is_kept_as_an_orphan(store: Store) -> None:
    (claim,) = await admitted(store, "a")
    version = await intend(store, claim)
    await store.apply(claim.ref, version, Decision(Event.RESENT, money="none"))
    (again,) = (await admit(store, deployment())).admitted
    await intend(store, again)
    assert await accept(store, claim, "video_1") == ("orphan", 0)
    assert await store.redis.hget(store.keys.orphans, "sandbox-videos video_1") == b"spring/a#1"


async def test_what_a_dead_worker_had_becomes_due_again_under_a_new_version(store: Store) -> None:
    (claim,) = await admitted(store, "a")
    assert await claims(store) == []
    await store.renew(claim.ref, claim.version, 0)
    (again,) = await claims(store)
    assert (again.step, again.ref) == ("create", claim.ref)
    assert again.version > claim.version
    assert not await store.renew(claim.ref, claim.version, 30)


async def test_an_item_found_with_an_intent_is_reconciled_never_created_again(store: Store) -> None:
    (claim,) = await admitted(store, "a")
    await intend(store, claim, due_in_s=0)
    (again,) = await claims(store)
    assert again.step == "reconcile"


async def test_a_due_time_that_no_allowance_explains_is_pulled_in(store: Store) -> None:
    (claim,) = await admitted(store, "a")
    await store.redis.zadd(store.keys.open("east"), {f"{claim.ref}#1": 9e15})
    assert [c.step for c in await claims(store)] == ["create"]


async def test_only_steps_with_free_slots_are_claimed(store: Store) -> None:
    for claim in await admitted(store, "a", "b", "c"):
        await store.renew(claim.ref, claim.version, 0)
    found, _ = await store.claim(
        {"steps": 2}, pools={"create": "steps"}, deployments=["east"], allowance_s=30.0, furthest_s=7200
    )
    assert len(found) == 2


async def test_videos_are_archived_earliest_expiry_first(store: Store) -> None:
    for number, claim in enumerate(await admitted(store, "late", "soon", "later")):
        await intend(store, claim)
        _, version = await accept(store, claim, f"video_{number}")
        expires = {"late": 2_000, "soon": 1_000, "later": 3_000}[claim.ref.item]
        await store.apply(claim.ref, int(version), Decision(Event.SUCCEEDED, {"expires_at": expires}))
    assert [c.ref.item for c in await claims(store)] == ["soon", "late", "later"]


async def test_a_batch_is_final_when_nothing_moves_and_stays_due_until_it_is_reported(store: Store) -> None:
    (claim,) = await admitted(store, "a")
    version = await intend(store, claim)
    await store.apply(claim.ref, version, Decision(Event.REFUSED, {"reason": "invalid"}, money="none"))
    assert (await batch_of(store)).state is BatchState.FINAL
    (report,) = await claims(store)
    assert report.step == "report"
    assert await store.renew(report.ref, report.version, 0)
    (again,) = await claims(store)
    assert not await store.renew(report.ref, report.version, 30)
    assert not await store.end_report("spring", report.version, keep_s=60)
    assert await store.end_report("spring", again.version, keep_s=60)
    assert await claims(store) == []


async def test_a_report_of_a_batch_that_ran_again_meanwhile_ends_nothing(store: Store) -> None:
    """It may have read the rows before they changed, though no other worker was free to claim the next report."""
    (claim,) = await admitted(store, "a")
    version = await intend(store, claim)
    await store.apply(claim.ref, version, Decision(Event.REFUSED, {"reason": "invalid"}, money="none"))
    (report,) = await claims(store)
    await submit(store, [item("a")])  # labels may have changed: it is final again at once
    assert not await store.renew(report.ref, report.version, 30)
    assert not await store.end_report("spring", report.version, keep_s=60)
    (again,) = await claims(store)
    assert await store.end_report("spring", again.version, keep_s=60)


async def test_a_remix_waits_for_its_source_and_goes_to_its_deployment(store: Store) -> None:
    west = deployment("west")
    await submit(store, [item("again", remix_of="a"), item("a")], deployments=[deployment(), west])
    (claim,) = (await admit(store, deployment())).admitted
    assert claim.ref.item == "a"
    await intend(store, claim)
    _, version = await accept(store, claim, "video_1")
    await store.apply(claim.ref, int(version), Decision(Event.SUCCEEDED, {"expires_at": 1}))
    assert (await admit(store, west)).admitted == ()
    (remix,) = (await admit(store, deployment())).admitted
    found = await store.load(remix.ref)
    assert found is not None
    assert found.fields["source_id"] == "video_1"


async def test_a_remix_of_a_failed_source_fails_at_once(store: Store) -> None:
    await submit(store, [item("a"), item("again", remix_of="a"), item("third", remix_of="again")])
    (claim,) = (await admit(store, deployment())).admitted
    version = await intend(store, claim)
    await store.apply(claim.ref, version, Decision(Event.REFUSED, {"reason": "moderated"}, money="none"))
    found = await store.load(claim.ref._replace(item="third"))
    assert found is not None
    assert (found.state, found.reason) == (State.FAILED, "source_failed")
    assert (await batch_of(store)).state is BatchState.FINAL


async def test_slots_are_the_attempts_that_are_open(store: Store) -> None:
    claim, version = await rendering(store)
    assert {State.ADMITTED, State.CREATING, State.RENDERING} == set(OPEN)
    assert await slots(store) == 1
    await store.apply(claim.ref, version, Decision(Event.FAILED, {"reason": "moderation_blocked"}, money="unknown"))
    assert await slots(store) == 0


async def test_a_forgotten_batch_leaves_nothing_behind(store: Store) -> None:
    claim, version = await rendering(store)
    assert not await forget(store, "spring")
    await store.apply(claim.ref, version, Decision(Event.FAILED, {"reason": "no_video"}, money="unknown"))
    assert await forget(store, "spring")
    left = {key.decode().removeprefix(store.keys.prefix) async for key in store.redis.scan_iter()}
    remembered = {f"remote:{scope(deployment())}", f"known:{scope(deployment())}", "forgotten"}
    booked = {name for name in left if name == "booked" or name.startswith("spend:")}
    lasting = {"deployments", "deployment:east", "timings:east", "creates:east", "virtual:sora-2"}
    assert left - booked == lasting | remembered


async def test_an_intent_that_no_replica_confirms_is_not_sent(
    namespace: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A failover could forget it: promise 1."""
    monkeypatch.setattr("orchestrator.redis.durability.REPLICA_WAIT_MS", 20_000)  # however slow this machine is
    with redis_process(tmp_path / "main", None, "--repl-diskless-sync-delay", "0") as main:
        port = main.url.rsplit(":", 1)[1].split("/")[0]
        with redis_process(tmp_path / "replica", None, "--replicaof", "127.0.0.1", port) as replica:
            redis = connect(main.url)
            store = Store(redis, namespace)
            async with asyncio.timeout(100):
                while (await redis.info("replication")).get("slave0", {}).get("state") != "online":
                    await asyncio.sleep(0.02)
            first, second = await admitted(store, "a", "b")
            none: dict[str, object] = {"interval_ms": 0, "burst": 1, "slack_ms": 0}
            word, *_ = await store.intend(first.ref, first.version, {}, pace=none, due_in_s=60)
            assert word == "intended"
            monkeypatch.undo()
            os.kill(replica.pid, signal.SIGSTOP)
            word, *_ = await store.intend(second.ref, second.version, {}, pace=none, due_in_s=60)
            assert word == "unconfirmed"
            await redis.aclose()


async def test_an_answer_takes_its_id_back_even_when_the_guess_has_come_to_archiving(store: Store) -> None:
    first, second = await admitted(store, "a", "b")
    version = await intend(store, first)
    await intend(store, second)
    _, version_now = await accept(store, first, "video_1", how="prompt", version=version)
    await store.apply(first.ref, int(version_now), Decision(Event.SUCCEEDED, {"expires_at": 1}, money="confirmed"))
    assert (await accept(store, second, "video_1"))[0] == "accepted"
    assert (await state(store, "a"), await state(store, "b")) == (State.CREATING, State.RENDERING)
    batch = await batch_of(store)
    assert (batch.confirmed, batch.unknown, await slots(store)) == (0, 800_000, 2)


async def test_a_video_that_is_archived_stays_its_items_whoever_claims_its_id(store: Store) -> None:
    first, second = await admitted(store, "a", "b")
    version = await intend(store, first)
    await intend(store, second)
    _, now = await accept(store, first, "video_1", how="prompt", version=version)
    done = await store.apply(first.ref, int(now), Decision(Event.SUCCEEDED, {"expires_at": 1}, money="confirmed"))
    await store.apply(first.ref, done or 0, Decision(Event.ARCHIVED))
    assert await accept(store, second, "video_1") == ("taken", "spring/a#1")
    assert (await state(store, "a"), await state(store, "b")) == (State.ARCHIVED, State.CREATING)


async def test_an_answer_that_comes_while_a_returned_second_attempt_waits_is_taken(store: Store) -> None:
    """The first create was answered after all: a third must not be made."""
    (claim,) = await admitted(store, "a")
    version = await intend(store, claim)
    await store.apply(claim.ref, version, Decision(Event.RESENT, money="none"))
    (again,) = (await admit(store, deployment())).admitted
    await store.apply(again.ref, again.version, Decision(Event.RETURNED, money="none"))
    assert (await accept(store, claim, "video_1"))[0] == "accepted"
    found = await store.load(claim.ref)
    assert found is not None
    assert (found.state, found.attempts, found.made) == (State.RENDERING, 1, 2)
    assert (await admit(store, deployment())).admitted == ()


async def test_an_orphan_counts_as_money_that_may_have_been_spent(store: Store) -> None:
    (claim,) = await admitted(store, "a")
    version = await intend(store, claim)
    await store.apply(claim.ref, version, Decision(Event.RESENT, money="none"))
    (again,) = (await admit(store, deployment())).admitted
    await intend(store, again)
    await accept(store, claim, "video_1")
    assert (await batch_of(store)).unknown == 800_000


async def test_a_late_answer_never_puts_an_old_film_under_a_new_prompt(store: Store) -> None:
    (claim,) = await admitted(store, "a")
    version = await intend(store, claim)
    await store.apply(claim.ref, version, Decision(Event.RESENT, money="none"))
    await submit(store, [item("a", prompt="quite another film")])
    assert await accept(store, claim, "video_1") == ("orphan", 0)
    assert await state(store, "a") is State.WAITING


async def test_a_remote_video_is_needed_until_its_remixes_are_made(store: Store) -> None:
    await submit(store, [item("a"), item("again", remix_of="a")])
    (claim,) = (await admit(store, deployment())).admitted
    await intend(store, claim)
    _, version = await accept(store, claim, "video_1")
    await store.apply(claim.ref, int(version), Decision(Event.SUCCEEDED, {"expires_at": 1}))
    assert await remote_ids.needed(store, claim.ref)
    (remix,) = (await admit(store, deployment())).admitted
    await intend(store, remix)
    assert await remote_ids.needed(store, claim.ref)
    await accept(store, remix, "video_2")
    assert not await remote_ids.needed(store, claim.ref)


async def test_a_postponed_archiving_whose_clock_stepped_back_is_pulled_in(store: Store) -> None:
    claim, version = await rendering(store)
    await store.apply(claim.ref, version, Decision(Event.SUCCEEDED, {"expires_at": 1}))
    await claims(store)
    await store.redis.zadd(store.keys.archive_due, {str(claim.ref): 9e15})
    assert [c.step for c in await claims(store)] == ["archive"]


async def test_a_server_that_begins_anew_while_a_script_is_given_to_it_is_given_it_again(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    load, lost = store.redis.script_load, list[str]()

    async def forgotten(text: str) -> Any:
        sha = await load(text)
        if len(lost) < 2:
            lost.append(sha)
            await store.redis.script_flush()
        return sha

    monkeypatch.setattr(store.redis, "script_load", forgotten)
    await store.redis.script_flush()
    await store.judge("east", {"pause": True})
    assert len(lost) == 2
    assert (await store.read(store.keys.deployment("east")))["paused"] == "1"
