"""Rows that wait for another batch's video stay right, whatever becomes of the row that they wait for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import pytest

from manifests import Item
from orchestrator.batches import submission
from orchestrator.batches.batch_lock import forget
from orchestrator.batches.comparison import Comparison, Found
from orchestrator.batches.live_changes import change
from orchestrator.items.decision import Decision
from orchestrator.items.states import Event, State
from orchestrator.ledger.keys import Ref
from orchestrator.ledger.records import Claim
from orchestrator.ledger.records import Item as Recorded
from orchestrator.ledger.store import Store
from orchestrator.reasons.stoppage import stoppage
from tests.ledger import accept, admit, batch_of, deployment, intend, item, keys, state, submit

pytestmark = pytest.mark.asyncio

REMIX = item("r", remix_of="hero", prompt="make it night")


def same(key: str, **more: object) -> Item:
    return item(key, prompt="the same", **more)


async def reusing(store: Store, batch: str, rows: list[Item], found: Mapping[str, Found] | None = None) -> None:
    """Submit with --reuse."""

    async def receipts(_: object) -> Mapping[str, Found]:
        return found or {}

    queue = submission.Submission(store, batch, deployments=(deployment(),), progress=lambda _: None)
    comparison = Comparison(store, batch, find_receipts=receipts, writes=True)
    await queue.submit(rows, kinds=(), columns=(), budget_usd=None, template=batch, comparison=comparison, reuse=True)


async def admit_one(store: Store) -> Claim:
    (claim,) = (await admit(store, deployment(), most=1)).admitted
    return claim


async def archive(store: Store, claim: Claim) -> None:
    await intend(store, claim)
    _, version = await accept(store, claim, f"video_{claim.ref.batch}_{claim.ref.item}")
    done = await store.apply(claim.ref, int(version), Decision(Event.SUCCEEDED, money="confirmed"))
    facts = {"url": "u", "file": f"{claim.ref.item}.mp4", "bytes": 3, "sha256": "00"}
    await store.apply(claim.ref, done or 0, Decision(Event.ARCHIVED, facts))


async def fail(store: Store, claim: Claim) -> None:
    await intend(store, claim)
    _, version = await accept(store, claim, f"video_{claim.ref.batch}_{claim.ref.item}")
    await store.apply(claim.ref, int(version), Decision(Event.FAILED, {"reason": "internal"}, money="none"))


async def recorded(store: Store, batch: str, key: str) -> Recorded:
    found = await store.load(Ref(batch, key))
    assert found is not None
    return found


def receipt_of(key: str, remote_id: str = "video_1", scope: str = "s") -> Found:
    attempt = {"deployment": "east", "scope": scope, "remote_id": remote_id, "price": 400_000}
    return {"item": {"file": f"{key}.mp4", "url": "u", "bytes": 1}, "attempt": attempt}


async def test_a_row_that_is_edited_hands_nothing_of_its_new_content_on(store: Store) -> None:
    await reusing(store, "a", [same("k")])
    await reusing(store, "b", [same("k")])
    await reusing(store, "a", [item("k", prompt="something else")])
    await archive(store, await admit_one(store))
    waiter = await recorded(store, "b", "k")
    assert waiter.reused is None
    assert str((await admit_one(store)).ref) == "b/k", "it is rendered itself"


async def test_a_row_that_waits_stays_so_when_only_its_labels_change(store: Store) -> None:
    await reusing(store, "a", [same("k")])
    await reusing(store, "b", [same("k")])
    await reusing(store, "b", [same("k", labels={"market": "se"})])
    await archive(store, await admit_one(store))
    assert await state(store, "k", "b") is State.ARCHIVING


async def test_a_revision_that_is_taken_back_leaves_nobody_waiting(store: Store) -> None:
    await reusing(store, "a", [item("k", prompt="one")])
    await archive(store, await admit_one(store))
    await reusing(store, "a", [same("k")])
    await reusing(store, "b", [same("k")])
    await reusing(store, "a", [item("k", prompt="one")])
    assert str((await admit_one(store)).ref) == "b/k"


async def test_two_batches_never_wait_for_each_other(store: Store) -> None:
    await reusing(store, "b", [same("k")])
    await reusing(store, "a", [same("k")])
    await reusing(store, "b", [item("k", prompt="two")])
    await reusing(store, "b", [same("k")])
    assert len((await admit(store, deployment())).admitted) == 1


async def test_of_several_that_wait_for_a_video_that_fails_one_is_rendered(store: Store) -> None:
    await reusing(store, "a", [same("k")])
    claim = await admit_one(store)
    for batch in ("b", "c", "d"):
        await reusing(store, batch, [same("k")])
    await fail(store, claim)
    (heir,) = (await admit(store, deployment())).admitted
    assert str(heir.ref) == "b/k"
    await archive(store, heir)
    assert [await state(store, "k", batch) for batch in ("c", "d")] == [State.ARCHIVING] * 2


async def test_what_is_held_may_have_a_video_so_nobody_orders_another(store: Store) -> None:
    await reusing(store, "a", [same("k")])
    claim = await admit_one(store)
    await reusing(store, "b", [same("k")])
    version = await intend(store, claim)
    await store.apply(claim.ref, version, Decision(Event.HELD, {"reason": "unknown"}, money="unknown"))
    assert keys(await admit(store, deployment())) == []
    stopped = await stoppage(store, await batch_of(store, "b"), [deployment()])
    assert stopped is not None
    assert "dailies status a --state held" in stopped.resume
    assert await forget(store, "a")
    assert str((await admit_one(store)).ref) == "b/k"


async def test_a_remix_is_the_same_only_where_its_source_is(store: Store) -> None:
    await reusing(store, "a", [item("hero", prompt="a cat"), REMIX])
    for _ in range(2):
        await archive(store, await admit_one(store))
    await reusing(store, "b", [item("hero", prompt="a dog"), REMIX])
    assert (await recorded(store, "b", "r")).reused is None
    assert (await Comparison(store, "c").look([REMIX]))[0].twin is None


async def test_a_remix_goes_on_when_its_source_is_found_in_the_archive(store: Store) -> None:
    await reusing(store, "a", [REMIX, item("hero")], {"hero": receipt_of("hero")})
    assert keys(await admit(store, deployment())) == ["r"]


async def test_a_remix_goes_on_when_its_source_is_edited_to_what_the_archive_has(store: Store) -> None:
    await reusing(store, "a", [item("hero", prompt="one"), REMIX])
    await reusing(store, "a", [item("hero", prompt="two"), REMIX], {"hero": receipt_of("hero~2")})
    assert keys(await admit(store, deployment())) == ["r"]


async def test_a_remix_of_a_revision_that_is_taken_back_is_made_from_the_one_before(store: Store) -> None:
    await reusing(store, "a", [item("hero", prompt="one")])
    await archive(store, await admit_one(store))
    await reusing(store, "a", [item("hero", prompt="two"), REMIX])
    await reusing(store, "a", [item("hero", prompt="one"), REMIX])
    assert keys(await admit(store, deployment())) == ["r"]


async def test_takes_find_their_twins_in_every_chunk(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(submission, "CHUNK", 4)
    takes = [same(f"k{n:02}") for n in range(12)]
    await reusing(store, "a", takes)
    for _ in takes:
        await archive(store, await admit_one(store))
    survey = Comparison(store, "b")
    looked = [standing for start in (0, 4, 8) for standing in await survey.look(takes[start : start + 4])]
    assert len({s.twin for s in looked if s.twin}) == 12
    await reusing(store, "b", takes)
    assert (await batch_of(store, "b")).counts[State.ARCHIVING] == 12


async def test_forgetting_a_batch_leaves_remote_ids_of_others_alone(store: Store) -> None:
    await reusing(store, "a", [same("k")])
    await archive(store, await admit_one(store))
    made = await recorded(store, "a", "k")
    assert made.attempt is not None
    scope = made.attempt.scope
    await reusing(store, "b", [same("k")], {"k": receipt_of("k", made.remote_id or "", scope)})
    assert await forget(store, "b")
    assert await store.redis.hget(store.keys.remote(scope), made.remote_id or "") == b"a/k#1"


async def test_a_row_that_takes_anothers_video_keeps_no_deployment(store: Store) -> None:
    await reusing(store, "a", [same("k")])
    await archive(store, await admit_one(store))
    await reusing(store, "b", [same("k")])
    assert not await store.redis.exists(store.keys.fetch("east"))


async def test_a_batch_that_waits_for_a_stopped_one_is_stopped_too(store: Store) -> None:
    await submit(store, [same("k")], batch="a", budget_usd="0.01")
    await reusing(store, "b", [same("k")])
    stopped = await stoppage(store, await batch_of(store, "b"), [deployment()], admitted=["a", "b"])
    assert stopped is not None
    assert stopped.reason == "made_in_another_batch"
    assert "dailies set a --budget-usd" in stopped.resume


async def test_a_batch_that_was_barred_for_a_while_takes_no_more_than_its_turns(store: Store) -> None:
    await submit(store, [item(f"k{n}") for n in range(60)], batch="barred", budget_usd="0.01")
    await submit(store, [item(f"k{n}", prompt=f"other {n}") for n in range(120)], batch="free")
    assert {claim.ref.batch for claim in (await admit(store, deployment(), most=60)).admitted} == {"free"}
    await change(store, "barred", priority=0, weight=1)
    await store.scripts.run("set_batch", "barred", {"budget": "1000000000"})
    turns = Counter(claim.ref.batch for claim in (await admit(store, deployment(), most=40)).admitted)
    assert abs(turns["free"] - turns["barred"]) <= 2


async def test_rows_whose_keys_alone_changed_are_known_again(store: Store) -> None:
    await submit(store, [item(f"k{n}") for n in range(12)])
    renamed = [item(f"new{n}", prompt=f"prompt of k{n}") for n in range(12)]
    assert [s.alias for s in await Comparison(store, "spring").look(renamed)] == [True] * 12
