"""Cancelling: at once what was not sent; a request to what was, whose slot and money stay until it ends."""

from __future__ import annotations

import pytest

from orchestrator.batches.comparison import Comparison
from orchestrator.batches.lifecycle import Action, Chosen, Done, Word, ask
from orchestrator.batches.submission import Submission
from orchestrator.items.decision import Decision
from orchestrator.items.states import BatchState, Event, State
from orchestrator.ledger.keys import Ref
from orchestrator.ledger.records import Claim, Item
from orchestrator.ledger.requests import cancel_of
from orchestrator.ledger.store import Store
from orchestrator.reasons.stoppage import stoppage
from tests.ledger import NO_PACE, accept, admit, batch_of, deployment, intend, item, keys, state, submit

pytestmark = pytest.mark.asyncio

MADE = {"url": "u", "file": "a.mp4", "bytes": 3, "sha256": "00"}


async def cancel(
    store: Store, *chosen: str, batch: str = "spring", discard: bool = False, states: tuple[State, ...] = ()
) -> Done:
    word = Word("ann@studio", "the client said no", discard)
    done = await ask(store, batch, Action.CANCEL, word, Chosen(chosen, states))
    assert done is not None
    return done


async def loaded(store: Store, key: str, batch: str = "spring") -> Item:
    found = await store.load(Ref(batch, key))
    assert found is not None
    return found


async def admitted(store: Store) -> Claim:
    (claim,) = (await admit(store, deployment(), most=1)).admitted
    return claim


async def rendering(store: Store) -> tuple[Claim, int]:
    claim = await admitted(store)
    await intend(store, claim)
    _, version = await accept(store, claim, f"video_{claim.ref.batch}_{claim.ref.item}")
    return claim, int(version)


async def slots(store: Store) -> int:
    return int(await store.redis.zcard(store.keys.open("east")))


async def reusing(store: Store, batch: str) -> None:
    """A batch whose one row takes the video of the same row of another."""
    comparison = Comparison(store, batch, writes=True)
    queue = Submission(store, batch, deployments=(deployment(),), progress=lambda _: None)
    row = item("k", prompt="the same")
    await queue.submit([row], kinds=(), columns=(), budget_usd=None, template=batch, comparison=comparison, reuse=True)


async def test_what_waits_is_cancelled_at_once_with_who_when_and_why(store: Store) -> None:
    """Promise 15."""
    await submit(store, [item("a"), item("b")])
    done = await cancel(store, "a")
    assert (done.swept.done, done.swept.going_on) == (1, 0)
    a = await loaded(store, "a")
    asked = cancel_of(a.fields)
    assert asked is not None
    assert (a.state, a.reason, a.message) == (State.CANCELLED, "cancelled", "the client said no")
    assert (asked.by, asked.reason, asked.discard) == ("ann@studio", "the client said no", False)
    assert keys(await admit(store, deployment())) == ["b"]


async def test_what_was_admitted_is_cancelled_without_a_create_and_without_money(store: Store) -> None:
    """Promise 15: unsent."""
    await submit(store, [item("a"), item("b")])
    claim = await admitted(store)
    await cancel(store, "a")
    batch = await batch_of(store)
    assert (await state(store, "a"), batch.reserved, await slots(store)) == (State.CANCELLED, 0, 0)
    word, *_ = await store.intend(claim.ref, claim.version, {}, pace=NO_PACE, due_in_s=60)
    assert word == "stale"


async def test_the_intent_sees_that_the_batch_is_cancelled_before_its_items_are_swept(store: Store) -> None:
    """Promises 15 and 16: one write on the batch, at once for everybody."""
    await submit(store, [item("a"), item("b")])
    claim = await admitted(store)
    word = Word("ann@studio", "no")
    await store.scripts.run("cancel_batch", "spring", word.fields(), 60_000)
    answer, *_ = await store.intend(claim.ref, claim.version, {}, pace=NO_PACE, due_in_s=60)
    assert answer == "cancelled"
    assert (await admit(store, deployment())).gate == "empty"
    batch = await batch_of(store)
    assert (batch.reserved, batch.unknown, await slots(store)) == (0, 0, 0)
    asked = cancel_of((await loaded(store, "a")).fields)
    assert asked is not None
    assert (asked.by, asked.reason) == ("ann@studio", "no")
    assert await stoppage(store, batch, []) is None, "its items are being swept"


@pytest.mark.parametrize("whole", [True, False])
async def test_what_renders_keeps_its_slot_and_money_and_is_archived(store: Store, whole: bool) -> None:
    """Promise 15: sent, it is polled to its end."""
    await submit(store, [item("a"), item("b")])
    claim, version = await rendering(store)
    done = await cancel(store) if whole else await cancel(store, "a")
    assert done.swept.going_on == 1
    batch = await batch_of(store)
    assert (await state(store, "a"), batch.unknown, await slots(store)) == (State.RENDERING, 400_000, 1)
    now = await store.apply(claim.ref, version, Decision(Event.SUCCEEDED, {}, money="confirmed"))
    assert await slots(store) == 0
    await store.apply(claim.ref, now or 0, Decision(Event.ARCHIVED))
    assert await state(store, "a") is State.ARCHIVED


async def test_a_discarded_video_is_not_archived_and_is_paid_for(store: Store) -> None:
    """Promise 15."""
    await submit(store, [item("a")])
    claim, version = await rendering(store)
    await cancel(store, discard=True)
    await store.apply(claim.ref, version, Decision(Event.SUCCEEDED, {}, money="confirmed"))
    batch = await batch_of(store)
    a = await loaded(store, "a")
    assert (a.state, a.reason, batch.confirmed, batch.state) == (
        State.CANCELLED, "discarded", 400_000, BatchState.FINAL,
    )  # fmt: skip
    assert not await store.redis.exists(f"{store.keys.prefix}archive:ready", store.keys.fetch("east"))


@pytest.mark.parametrize(("discard", "becomes"), [(False, State.ARCHIVING), (True, State.CANCELLED)])
async def test_what_is_being_archived_stays_unless_it_is_discarded(store: Store, discard: bool, becomes: State) -> None:
    await submit(store, [item("a")])
    claim, version = await rendering(store)
    claimed = await store.apply(claim.ref, version, Decision(Event.SUCCEEDED, {}, money="confirmed"))
    await cancel(store, "a", discard=discard)
    assert await state(store, "a") is becomes
    ended = await store.apply(claim.ref, claimed or 0, Decision(Event.ARCHIVED))
    assert (ended is None) is discard, "the step that is at it decides nothing any more"
    assert (await batch_of(store)).confirmed == 400_000


@pytest.mark.parametrize("event", [Event.RETURNED, Event.RESENT], ids=["429", "proven unsent"])
async def test_a_cancelled_create_of_which_nothing_came_is_not_sent_again(store: Store, event: Event) -> None:
    """Promise 15: refused by a 429, or proven by the listing: cancelled, not waiting."""
    await submit(store, [item("a")])
    claim = await admitted(store)
    version = await intend(store, claim)
    assert (await cancel(store)).swept.going_on == 1
    await store.apply(claim.ref, version, Decision(event, {"reason": ""}, money="none"))
    batch = await batch_of(store)
    assert (await state(store, "a"), batch.state) == (State.CANCELLED, BatchState.FINAL)
    assert (batch.reserved, batch.unknown, await slots(store)) == (0, 0, 0)


async def test_a_late_answer_to_a_create_that_was_called_off_is_believed(store: Store) -> None:
    """Promise 4: it is paid for, so its video is archived all the same."""
    await submit(store, [item("a")])
    claim = await admitted(store)
    version = await intend(store, claim)
    await cancel(store)
    await store.apply(claim.ref, version, Decision(Event.RESENT, money="none"))
    word, now = await accept(store, claim, "video_a")
    assert (word, await state(store, "a"), (await batch_of(store)).unknown) == ("accepted", State.RENDERING, 400_000)
    await store.apply(claim.ref, int(now), Decision(Event.SUCCEEDED, {}, money="confirmed"))
    assert await state(store, "a") is State.ARCHIVING


async def test_a_late_answer_to_the_create_before_the_one_that_was_called_off_is_believed(store: Store) -> None:
    """Promise 4: nothing came of the second, and the first is paid for."""
    await submit(store, [item("a")])
    first = await admitted(store)
    version = await intend(store, first)
    await store.apply(first.ref, version, Decision(Event.RESENT, money="none"))
    await admitted(store)
    await cancel(store)
    assert (await accept(store, first, "video_a"))[0] == "accepted"
    a = await loaded(store, "a")
    assert (a.state, a.attempts, a.remote_id, await slots(store)) == (State.RENDERING, 1, "video_a", 1)


async def test_another_video_of_an_item_that_was_discarded_is_an_orphan(store: Store) -> None:
    """Promise 8: an item has one remote job."""
    await submit(store, [item("a")])
    claim, version = await rendering(store)
    await cancel(store, discard=True)
    await store.apply(claim.ref, version, Decision(Event.SUCCEEDED, {}, money="confirmed"))
    assert (await accept(store, claim, "video_b"))[0] == "orphan"
    assert await state(store, "a") is State.CANCELLED


async def test_the_latest_word_on_a_video_holds(store: Store) -> None:
    await submit(store, [item("a")])
    claim, version = await rendering(store)
    await cancel(store, "a", discard=True)
    await cancel(store, "a")
    await store.apply(claim.ref, version, Decision(Event.SUCCEEDED, {}, money="confirmed"))
    assert await state(store, "a") is State.ARCHIVING


async def test_a_remix_of_a_cancelled_item_fails_with_it(store: Store) -> None:
    """Promise 24."""
    await submit(store, [item("hero"), item("night", remix_of="hero")])
    assert (await cancel(store, "hero")).swept.failed == 1
    assert ((await loaded(store, "night")).reason, await state(store, "night")) == ("source_cancelled", State.FAILED)


async def test_in_a_cancelled_batch_remixes_are_cancelled_too(store: Store) -> None:
    await submit(store, [item("hero"), item("night", remix_of="hero")])
    done = await cancel(store)
    assert (done.swept.done, done.swept.failed) == (2, 0)
    assert (await batch_of(store)).counts[State.CANCELLED] == 2


async def test_whoever_waits_for_the_video_of_a_cancelled_item_orders_it(store: Store) -> None:
    await submit(store, [item("k", prompt="the same")], batch="a")
    for batch in ("b", "c", "d"):
        await reusing(store, batch)
    await ask(store, "b", Action.PAUSE, Word("ann@studio"))
    await cancel(store, batch="a")
    (heir,) = (await admit(store, deployment())).admitted
    assert str(heir.ref) == "c/k", "rather one that may be sent now"
    await cancel(store, batch="c")
    assert await state(store, "k", "c") is State.CANCELLED
    assert str((await admitted(store)).ref) == "d/k"


async def test_a_video_that_another_batch_waits_for_is_not_discarded(store: Store) -> None:
    """Promise 1: that batch would pay for the same once more."""
    await submit(store, [item("k", prompt="the same")], batch="a")
    claim, version = await rendering(store)
    await reusing(store, "b")
    await cancel(store, batch="a", discard=True)
    now = await store.apply(claim.ref, version, Decision(Event.SUCCEEDED, {}, money="confirmed"))
    assert await state(store, "k", "a") is State.ARCHIVING
    assert (await cancel(store, "k", batch="a", discard=True)).swept.going_on == 1
    await store.apply(claim.ref, now or 0, Decision(Event.ARCHIVED, MADE))
    assert await state(store, "k", "b") is State.ARCHIVING


async def test_a_batch_that_was_cancelled_takes_no_video_that_is_handed_on(store: Store) -> None:
    await submit(store, [item("k", prompt="the same")], batch="a")
    claim, version = await rendering(store)
    await reusing(store, "b")
    await store.scripts.run("cancel_batch", "b", Word("ann@studio").fields(), 60_000)
    now = await store.apply(claim.ref, version, Decision(Event.SUCCEEDED, {}, money="confirmed"))
    await store.apply(claim.ref, now or 0, Decision(Event.ARCHIVED, MADE))
    assert (await state(store, "k", "b"), (await batch_of(store, "b")).state) == (State.CANCELLED, BatchState.FINAL)


async def test_cancelling_again_changes_nothing_and_says_so(store: Store) -> None:
    await submit(store, [item("a"), item("b"), item("c")])
    await rendering(store)
    first, again = await cancel(store), await cancel(store)
    assert (first.swept.done, first.swept.already, first.swept.going_on) == (2, 0, 1)
    assert (again.swept.done, again.swept.already, again.swept.going_on) == (0, 2, 1)


async def test_of_a_final_batch_nothing_is_cancelled(store: Store) -> None:
    await submit(store, [item("a")])
    await cancel(store)
    done = await cancel(store)
    assert (done.state, done.swept.done) == (BatchState.FINAL, 0)


async def test_a_paused_batch_can_be_cancelled_and_takes_new_rows_unpaused(store: Store) -> None:
    await submit(store, [item("a"), item("b")])
    await ask(store, "spring", Action.PAUSE, Word("ann@studio"), Chosen(("b",)))
    await ask(store, "spring", Action.PAUSE, Word("ann@studio"))
    assert (await cancel(store)).swept.done == 2
    assert (await batch_of(store)).fields["paused_items"] == "0"
    await submit(store, [item("a"), item("b"), item("new")])
    assert keys(await admit(store, deployment())) == ["new"]


async def test_a_pause_that_comes_after_a_cancel_changes_nothing(store: Store) -> None:
    await submit(store, [item("a"), item("b")])
    claim, version = await rendering(store)
    await cancel(store)
    done = await ask(store, "spring", Action.PAUSE, Word("bob@studio"))
    assert done is not None
    assert done.cancelling
    done = await ask(store, "spring", Action.PAUSE, Word("bob@studio"), Chosen(("a",)))
    assert done is not None
    assert done.swept.cancelling == 1
    await store.apply(claim.ref, version, Decision(Event.FAILED, money="unknown"))
    assert (await batch_of(store)).state is BatchState.FINAL


async def test_submitting_the_manifest_again_does_not_revive_what_was_cancelled(store: Store) -> None:
    await submit(store, [item("a"), item("b")])
    await cancel(store, "a")
    done = await submit(store, [item("a", labels={"x": "1"}), item("b")])
    assert (done.new, done.changed, await state(store, "a")) == (0, 0, State.CANCELLED)
    (standing,) = await Comparison(store, "spring").look([item("a")])
    assert (standing.state, standing.renders) == (State.CANCELLED, False)


async def test_states_choose_items_too(store: Store) -> None:
    await submit(store, [item("a"), item("b"), item("c")])
    await rendering(store)
    assert (await cancel(store, states=(State.RENDERING,))).swept.going_on == 1
    assert (await cancel(store, "b", "c", states=(State.RENDERING,))).swept.chosen == 0
    assert (await cancel(store, states=(State.WAITING, State.ADMITTED))).swept.done == 2
