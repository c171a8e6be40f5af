"""Pause and resume of batches and items: creates alone are gated, at once, and everything comes back right."""

from __future__ import annotations

from collections import Counter

import pytest

from orchestrator.batches.lifecycle import Action, Chosen, Done, Word, ask
from orchestrator.items.decision import Decision
from orchestrator.items.states import BatchState, Event, State
from orchestrator.ledger.keys import Ref
from orchestrator.ledger.records import Item
from orchestrator.ledger.store import Store
from orchestrator.reasons.stoppage import stoppage
from tests.ledger import NO_PACE, accept, admit, batch_of, deployment, intend, item, keys, state, submit

pytestmark = pytest.mark.asyncio

ANN = Word("ann@studio", "wrong colour")


async def pause(store: Store, *chosen: str, batch: str = "spring", states: tuple[State, ...] = ()) -> Done:
    done = await ask(store, batch, Action.PAUSE, ANN, Chosen(chosen, states))
    assert done is not None
    return done


async def resume(store: Store, *chosen: str, batch: str = "spring", states: tuple[State, ...] = ()) -> Done:
    done = await ask(store, batch, Action.RESUME, ANN, Chosen(chosen, states))
    assert done is not None
    return done


async def found(store: Store, key: str, batch: str = "spring") -> Item:
    loaded = await store.load(Ref(batch, key))
    assert loaded is not None
    return loaded


async def test_a_paused_batch_admits_nothing_until_it_is_resumed(store: Store) -> None:
    """Promise 16."""
    await submit(store, [item("a"), item("b")])
    done = await pause(store)
    assert (done.state, done.swept.done) == (BatchState.RUNNING, 2)
    assert (await admit(store, deployment())).gate == "empty"
    done = await resume(store)
    assert (done.state, done.swept.done) == (BatchState.PAUSED, 2)
    assert keys(await admit(store, deployment())) == ["a", "b"]


async def test_pausing_a_batch_twice_keeps_the_first_word(store: Store) -> None:
    await submit(store, [item("a")])
    await pause(store)
    again = await ask(store, "spring", Action.PAUSE, Word("bob@studio", "lunch"))
    assert again is not None
    assert again.already
    fields = (await batch_of(store)).fields
    assert (fields["paused_by"], fields["paused_reason"]) == ("ann@studio", "wrong colour")
    await resume(store)
    assert (await resume(store)).already
    assert "paused_by" not in (await batch_of(store)).fields


async def test_what_was_admitted_before_a_pause_is_not_sent(store: Store) -> None:
    """Promise 16: the intent sees it too."""
    await submit(store, [item("a")])
    (claim,) = (await admit(store, deployment())).admitted
    await pause(store)
    word, _, _ = await store.intend(claim.ref, claim.version, {}, pace=NO_PACE, due_in_s=60)
    assert word == "returned"
    batch = await batch_of(store)
    assert (batch.counts[State.WAITING], batch.reserved, batch.unknown) == (1, 0, 0)
    assert await store.redis.zcard(store.keys.open("east")) == 0


async def test_what_renders_goes_on_in_a_paused_batch(store: Store) -> None:
    """Promises 16 and 21: a pause gates creates only."""
    await submit(store, [item("a"), item("b")])
    (claim,) = (await admit(store, deployment(), most=1)).admitted
    await intend(store, claim)
    await accept(store, claim, "video_a")
    assert (await pause(store)).swept.going_on == 1
    found_a = await found(store, "a")
    version = await store.apply(claim.ref, found_a.version, Decision(Event.SUCCEEDED, {}, money="confirmed"))
    await store.apply(claim.ref, version or 0, Decision(Event.ARCHIVED))
    assert await state(store, "a") is State.ARCHIVED
    assert (await batch_of(store)).state is BatchState.PAUSED


async def test_a_batch_that_is_paused_while_it_is_submitted_comes_in_paused(store: Store) -> None:
    """Promise 16: loading, then paused; and none of its lanes is forgotten."""
    await store.scripts.run("open_batch", "spring", {"budget": ""}, [])
    await pause(store)
    await submit(store, [item("a")])
    assert (await batch_of(store)).state is BatchState.PAUSED
    assert (await admit(store, deployment())).gate == "empty"
    await resume(store)
    assert keys(await admit(store, deployment())) == ["a"]


async def test_rows_of_another_model_that_came_into_a_paused_batch_are_admitted_after_it(store: Store) -> None:
    pro = deployment("pro", model="sora-2-pro")
    await submit(store, [item("a")])
    await pause(store)
    await submit(store, [item("a"), item("b", model="sora-2-pro")], deployments=[deployment(), pro])
    assert keys(await admit(store, pro)) == []
    await resume(store)
    assert keys(await admit(store, pro)) == ["b"]


async def test_a_pause_outlasts_the_end_of_a_batch_and_holds_for_rows_that_come_later(store: Store) -> None:
    await submit(store, [item("a")])
    (claim,) = (await admit(store, deployment())).admitted
    await intend(store, claim)
    _, version = await accept(store, claim, "video_a")
    await pause(store)
    await store.apply(claim.ref, int(version), Decision(Event.FAILED))
    assert (await batch_of(store)).state is BatchState.FINAL
    await submit(store, [item("a"), item("b")])
    assert (await batch_of(store)).state is BatchState.PAUSED
    assert keys(await admit(store, deployment())) == []


async def test_a_batch_that_is_resumed_takes_its_turns_from_now_on(store: Store) -> None:
    """Fairness: the turns of its pause are gone."""
    await submit(store, [item(f"k{n}") for n in range(60)], batch="paused")
    await submit(store, [item(f"k{n}") for n in range(120)], batch="other")
    await pause(store, batch="paused")
    assert {claim.ref.batch for claim in (await admit(store, deployment(), most=60)).admitted} == {"other"}
    await resume(store, batch="paused")
    turns = Counter(claim.ref.batch for claim in (await admit(store, deployment(), most=40)).admitted)
    assert abs(turns["other"] - turns["paused"]) <= 2


async def test_paused_items_are_passed_over_and_come_back_in_the_manifests_order(store: Store) -> None:
    await submit(store, [item(k) for k in ("mug-oak", "lamp", "mug-pine")])
    done = await pause(store, "MUG-*")
    assert (done.swept.chosen, done.swept.done, done.unmatched) == (2, 2, ())
    assert (await batch_of(store)).fields["paused_items"] == "2"
    assert keys(await admit(store, deployment(), most=1)) == ["lamp"]
    assert (await admit(store, deployment())).gate == "empty"
    assert (await resume(store, states=(State.WAITING,))).swept.done == 2
    assert keys(await admit(store, deployment())) == ["mug-oak", "mug-pine"]
    assert (await batch_of(store)).fields["paused_items"] == "0"


async def test_a_paused_item_knows_who_when_and_why(store: Store) -> None:
    await submit(store, [item("a")])
    await pause(store, "a")
    fields = (await found(store, "a")).fields
    assert (fields["paused"], fields["paused_by"], fields["paused_reason"]) == ("1", "ann@studio", "wrong colour")
    assert int(fields["paused_at"]) > 1_600_000_000_000


async def test_an_item_that_is_paused_between_admission_and_intent_is_returned_and_stays_out(store: Store) -> None:
    await submit(store, [item("a"), item("b")])
    claims = (await admit(store, deployment())).admitted
    assert (await pause(store, "a")).swept.done == 1
    word, _, _ = await store.intend(claims[0].ref, claims[0].version, {}, pace=NO_PACE, due_in_s=60)
    assert word == "stale"
    assert await state(store, "a") is State.WAITING
    assert (await admit(store, deployment())).gate == "empty"
    assert (await batch_of(store)).reserved == 400_000, "the other's"


async def test_an_item_that_comes_back_after_it_was_paused_stays_out(store: Store) -> None:
    """A 429, after the person's word: it goes on waiting, and out of every queue."""
    await submit(store, [item("a")])
    (claim,) = (await admit(store, deployment())).admitted
    version = await intend(store, claim)
    done = await pause(store, "a")
    assert (done.swept.done, done.swept.going_on) == (0, 1)
    await store.apply(claim.ref, version, Decision(Event.RETURNED, money="none"))
    assert (await admit(store, deployment())).gate == "empty"
    assert (await batch_of(store)).fields["paused_items"] == "1"
    await resume(store, "a")
    assert keys(await admit(store, deployment())) == ["a"]


@pytest.mark.parametrize("early", [True, False])
async def test_a_paused_remix_waits_for_both_its_source_and_the_person(store: Store, early: bool) -> None:
    """Two causes keep it out of the queues, and either may end first."""
    await submit(store, [item("hero"), item("night", remix_of="hero")])
    await pause(store, "night")
    (claim,) = (await admit(store, deployment())).admitted
    await intend(store, claim)
    _, version = await accept(store, claim, "video_hero")
    if early:
        await resume(store, "night")
        assert (await admit(store, deployment())).gate == "empty"
    await store.apply(claim.ref, int(version), Decision(Event.SUCCEEDED, money="confirmed"))
    if not early:
        assert (await admit(store, deployment())).gate == "empty"
        await resume(store, "night")
    assert keys(await admit(store, deployment())) == ["night"]


async def test_pauses_outlast_a_submit_of_the_same_manifest_with_other_labels_and_prompts(store: Store) -> None:
    await submit(store, [item("a"), item("b"), item("c")])
    await pause(store, "a", "b")
    await submit(store, [item("a", labels={"x": "1"}, priority=3), item("b", prompt="another"), item("c")])
    assert keys(await admit(store, deployment())) == ["c"]
    await pause(store)
    await submit(store, [item("a"), item("b", prompt="another"), item("c")])
    assert (await batch_of(store)).state is BatchState.PAUSED


async def test_a_paused_revision_that_is_taken_back_leaves_no_paused_item(store: Store) -> None:
    await submit(store, [item("a")])
    (claim,) = (await admit(store, deployment())).admitted
    await intend(store, claim)
    await submit(store, [item("a", prompt="two")])
    await pause(store, "a~2")
    await submit(store, [item("a")])
    assert (await batch_of(store)).fields["paused_items"] == "0"


async def test_a_key_chooses_every_content_that_it_had_and_is_written_as_in_the_sheet(store: Store) -> None:
    await submit(store, [item("Are-42-bla"), item("b")])
    (claim,) = (await admit(store, deployment(), most=1)).admitted
    await intend(store, claim)
    await submit(store, [item("Are-42-bla", prompt="two"), item("b")])
    assert (await pause(store, "Åre 42/blå")).swept.chosen == 2
    assert (await resume(store, "are-42-BLA~2")).swept.chosen == 1
    assert (await pause(store, "Åre 42/*", "nothing", "b?")).unmatched == ("nothing", "b?")


async def test_a_batch_of_which_only_paused_items_wait_is_stopped(store: Store) -> None:
    """So that `run` ends rather than waits for ever."""
    await submit(store, [item("a"), item("b")])
    await pause(store, "*")
    stopped = await stoppage(store, await batch_of(store), [deployment()])
    assert stopped is not None
    assert (stopped.reason, "dailies resume spring --state waiting" in stopped.resume) == ("paused", True)
    await resume(store, "b")
    assert await stoppage(store, await batch_of(store), [deployment()]) is None


async def test_a_remix_of_a_paused_item_is_stopped_with_it(store: Store) -> None:
    await submit(store, [item("hero"), item("night", remix_of="hero")])
    await pause(store, "hero")
    stopped = await stoppage(store, await batch_of(store), [deployment()])
    assert stopped is not None
    assert stopped.reason == "paused"


async def test_a_paused_batch_is_stopped_once_nothing_of_it_moves(store: Store) -> None:
    await submit(store, [item("a"), item("b")])
    (claim,) = (await admit(store, deployment(), most=1)).admitted
    version = await intend(store, claim)
    await pause(store)
    assert await stoppage(store, await batch_of(store), [deployment()]) is None
    await store.apply(claim.ref, version, Decision(Event.REFUSED, money="none"))
    stopped = await stoppage(store, await batch_of(store), [deployment()])
    assert stopped is not None
    assert stopped.reason == "paused"
    assert stopped.resume == "paused by ann@studio (wrong colour): dailies resume spring"


async def test_nothing_is_chosen_of_a_batch_that_is_not_there(store: Store) -> None:
    assert await ask(store, "autumn", Action.PAUSE, ANN) is None
    assert await ask(store, "autumn", Action.RESUME, ANN, Chosen(("a",))) is None
