"""Retry: what ended without a video is queued again by a person's word, once, and at its own price."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from orchestrator.batches.lifecycle import Action, Chosen, Word, ask
from orchestrator.batches.retrying import Revived, Wish, retry, survey
from orchestrator.batches.sweeping import sweep
from orchestrator.items.decision import Decision
from orchestrator.items.failures import (
    EXPIRED,
    INPUT_MISSING,
    INTERNAL_ERROR,
    MODERATION,
    OUTCOME_UNKNOWN,
    REUSE_MISSING,
)
from orchestrator.items.states import BatchState, Event, State
from orchestrator.ledger.keys import Ref
from orchestrator.ledger.records import Batch, Item
from orchestrator.ledger.store import Store
from tests.ledger import accept, admit, batch_of, deployment, intend, item, keys, state, submit

ANN = Word("ann@studio", "no")
PRICE = 400_000


async def begun(store: Store, key: str) -> tuple[Ref, int]:
    """The item, admitted as the next one, and its intent written."""
    (claim,) = (await admit(store, deployment(), most=1)).admitted
    assert claim.ref.item == key
    return claim.ref, await intend(store, claim)


async def fail(store: Store, key: str, failure: object = MODERATION) -> None:
    (claim,) = (await admit(store, deployment(), most=1)).admitted
    assert claim.ref.item == key
    await intend(store, claim)
    _, version = await accept(store, claim, f"video_{claim.ref}_{claim.attempt}")
    words = getattr(failure, "fields")("no")  # noqa: B009
    assert await store.apply(claim.ref, int(version), Decision(Event.FAILED, words, money="unknown"))


async def hold(store: Store, key: str) -> None:
    ref, version = await begun(store, key)
    assert await store.apply(ref, version, Decision(Event.HELD, OUTCOME_UNKNOWN.fields("?"), money="unknown"))


async def again(
    store: Store, *names: str, states: Sequence[State] = (), batch: str = "spring", **more: object
) -> Revived:
    wish = Wish(Chosen(names, states), **more)  # type: ignore[arg-type]
    found = await survey(store, batch, wish)
    assert found is not None
    done = await retry(store, batch, wish, found[1], ANN)
    assert done is not None
    return done


async def one(store: Store, key: str = "a", batch: str = "spring") -> Item:
    found = await store.load(Ref(batch, key))
    assert found is not None
    return found


def spent(batch: Batch) -> tuple[int, int, int]:
    return batch.estimated, batch.unknown, batch.confirmed


async def test_a_failed_item_gets_its_next_attempt_under_the_same_key(store: Store) -> None:
    await submit(store, [item("a")])
    await fail(store, "a")
    assert (await batch_of(store)).state is BatchState.FINAL
    done = await again(store)
    assert (done.chosen, done.done, done.again, done.cost, done.again_cost) == (1, 1, 1, PRICE, PRICE)
    batch = await batch_of(store)
    assert (batch.state, batch.reported_at) == (BatchState.RUNNING, None)
    assert await store.redis.zscore(f"{store.keys.prefix}reports", "spring") is None, "its report is written anew"
    assert spent(batch) == (2 * PRICE, PRICE, 0)
    (claim,) = (await admit(store, deployment())).admitted
    assert (claim.ref.item, claim.attempt) == ("a", 2)


async def test_to_ask_twice_is_to_ask_once(store: Store) -> None:
    await submit(store, [item("a"), item("b")])
    await fail(store, "a")
    await fail(store, "b")
    assert (await again(store)).done == 2
    second = await again(store)
    assert (second.done, second.chosen) == (0, 0)
    named = await again(store, "a")
    assert (named.done, named.going_on) == (0, 1)
    assert (await batch_of(store)).estimated == 4 * PRICE


async def test_counting_changes_nothing(store: Store) -> None:
    await submit(store, [item("a")])
    await fail(store, "a")
    before = {k: await store.redis.dump(k) for k in await store.redis.keys("*") if b"sweep" not in k}
    found = await survey(store, "spring", Wish())
    assert found is not None
    assert (found[0].done, found[0].cost) == (1, PRICE)
    assert before == {k: await store.redis.dump(k) for k in await store.redis.keys("*") if b"sweep" not in k}


async def test_what_fails_after_the_count_is_left_for_the_next_time(store: Store) -> None:
    """A person agreed to what was counted."""
    await submit(store, [item("a")])
    found = await survey(store, "spring", Wish())
    assert found is not None
    await fail(store, "a")
    assert (await retry(store, "spring", Wish(), found[1] - 1, ANN)).done == 0  # type: ignore[union-attr]


async def test_a_reason_chooses(store: Store) -> None:
    await submit(store, [item("a"), item("b")])
    await fail(store, "a", MODERATION)
    await fail(store, "b", INTERNAL_ERROR)
    assert (await again(store, codes=["internal_error"])).chosen == 1
    assert [await state(store, key) for key in "ab"] == [State.FAILED, State.WAITING]


async def test_what_is_held_is_sent_again_only_by_a_word_of_its_own(store: Store) -> None:
    """Promise 11: it may be made, and paid, already."""
    await submit(store, [item("a")])
    await hold(store, "a")
    done = await again(store, states=[State.HELD])
    assert (done.done, done.held, await state(store, "a")) == (0, 1, State.HELD)
    done = await again(store, double=True)
    assert (done.done, done.again, await state(store, "a")) == (1, 1, State.WAITING)
    assert (await batch_of(store)).unknown == PRICE, "its first create may still be billed"


async def test_an_answer_that_comes_late_calls_the_second_create_off(store: Store) -> None:
    """Promise 4: it was held, a person wants it sent again, and it was made after all."""
    await submit(store, [item("a")])
    (claim,) = (await admit(store, deployment(), most=1)).admitted
    held = Decision(Event.HELD, OUTCOME_UNKNOWN.fields("?"), money="unknown")
    await store.apply(claim.ref, await intend(store, claim), held)
    await again(store, double=True)
    assert (await accept(store, claim, "video_late"))[0] == "accepted"
    assert await state(store, "a") is State.RENDERING
    assert keys(await admit(store, deployment())) == []


@pytest.mark.parametrize("whole", [True, False])
async def test_what_was_cancelled_is_wanted_again(store: Store, whole: bool) -> None:
    """Also where all of the batch was cancelled; what is not asked for stays cancelled."""
    await submit(store, [item("a"), item("b")])
    await ask(store, "spring", Action.CANCEL, ANN, None if whole else Chosen(("*",)))
    done = await again(store, "a")
    assert (done.done, done.again, done.cost) == (1, 0, PRICE)
    found = await one(store)
    assert not {"cancel", "cancel_by", "reason", "message"} & set(found.fields)
    assert keys(await admit(store, deployment())) == ["a"]
    assert await state(store, "b") is State.CANCELLED
    assert (await batch_of(store)).estimated == 2 * PRICE, "nothing was ever paid for them"


async def test_nobody_retries_what_is_archived_or_under_way(store: Store) -> None:
    await submit(store, [item("a")])
    await begun(store, "a")
    done = await again(store, "a")
    assert (done.done, done.going_on) == (0, 1)


async def test_what_was_mended_in_the_manifest_is_not_made_again_as_it_was(store: Store) -> None:
    """Its row stands for other content now: nobody pays for the old one, whatever came of the new one, until the old
    one is submitted again."""
    await submit(store, [item("mug"), item("lamp")])
    await fail(store, "mug")
    await fail(store, "lamp")
    await submit(store, [item("mug", prompt="calm"), item("lamp")])
    assert await again(store, "mug", states=(State.FAILED,)) == Revived(chosen=1, superseded=1, hits={1: 1})
    done = await again(store)
    assert (done.done, done.superseded, done.cost) == (1, 1, PRICE)
    assert [await state(store, key) for key in ("mug", "mug~2", "lamp")] == [
        State.FAILED,
        State.WAITING,
        State.WAITING,
    ]
    await fail(store, "mug~2")
    done = await again(store, "mug", states=(State.FAILED,))
    assert (done.done, done.superseded) == (1, 1)
    assert await state(store, "mug") is State.FAILED
    await submit(store, [item("mug"), item("lamp")])
    assert (await again(store, "mug", states=(State.FAILED,))).done == 1
    assert await state(store, "mug") is State.WAITING


async def test_remixes_that_failed_with_their_source_come_back_with_it(store: Store) -> None:
    """And theirs with them; they wait for it as before."""
    await submit(store, [item("a"), item("r", remix_of="a"), item("s", remix_of="r")])
    await fail(store, "a")
    assert [await state(store, key) for key in "rs"] == [State.FAILED] * 2
    alone = await again(store, "r")
    assert (alone.done, alone.sourceless) == (0, 1)
    done = await again(store, "a")
    assert (done.done, done.brought_back) == (1, 2)
    assert keys(await admit(store, deployment())) == ["a"], "the others are parked"
    (found, other) = (await one(store, "r"), await one(store, "s"))
    assert (found.state, found.reason, other.state) == (State.WAITING, None, State.WAITING)


async def test_a_remix_that_comes_back_is_made_where_its_source_is(store: Store) -> None:
    await submit(store, [item("a"), item("r", remix_of="a")])
    await fail(store, "a")
    await again(store)
    (claim,) = (await admit(store, deployment(), most=1)).admitted
    await intend(store, claim)
    _, version = await accept(store, claim, "video_2")
    done = {"expires_at": 10**14, "content_id": "x"}
    await store.apply(claim.ref, int(version), Decision(Event.SUCCEEDED, done, {"completed_at": 1}, "confirmed"))
    assert keys(await admit(store, deployment())) == ["r"]
    assert (await one(store, "r")).fields["source_id"] == "video_2"


async def test_a_remix_whose_source_failed_before_it_was_submitted_comes_back_too(store: Store) -> None:
    await submit(store, [item("a")])
    await fail(store, "a")
    await submit(store, [item("a"), item("r", remix_of="a")])
    assert (await one(store, "r")).reason == "source_failed"
    assert (await again(store)).brought_back == 1


async def test_late_evidence_for_a_source_brings_its_remixes_back(store: Store) -> None:
    """It was held; an answer shows that it renders."""
    await submit(store, [item("a"), item("r", remix_of="a")])
    (claim,) = (await admit(store, deployment(), most=1)).admitted
    held = Decision(Event.HELD, OUTCOME_UNKNOWN.fields("?"), money="unknown")
    await store.apply(claim.ref, await intend(store, claim), held)
    assert (await one(store, "r")).reason == "source_held"
    await accept(store, claim, "video_late")
    assert await state(store, "r") is State.WAITING


async def test_what_could_not_be_used_again_is_rendered_at_its_own_price(store: Store) -> None:
    """It cost nothing as long as another batch's video was to be taken."""
    await submit(store, [item("a")])
    ref = Ref("spring", "a")
    linked = {"price": 0, "listed": PRICE, "reused": "other/a.mp4", "state": "archiving", "lane": ""}
    linked["deployment"] = "east"
    await store.redis.zrem(f"{store.keys.prefix}queue:sora-2:spring", "a")
    await store.redis.hset(store.keys.item(ref), mapping=linked)
    await store.redis.hincrby(store.keys.batch("spring"), "n:waiting", -1)
    await store.redis.hincrby(store.keys.batch("spring"), "n:archiving", 1)
    await store.redis.hincrby(store.keys.batch("spring"), "estimated", -PRICE)
    await store.apply(ref, 1, Decision(Event.UNLINKED, REUSE_MISSING.fields("gone")))
    done = await again(store)
    assert (done.done, done.cost, done.again) == (1, PRICE, 0)
    batch = await batch_of(store)
    assert batch.estimated == PRICE
    (claim,) = (await admit(store, deployment())).admitted
    assert (await batch_of(store)).reserved == PRICE
    assert (await one(store)).reused is None
    assert claim.attempt == 1


async def test_the_tries_by_itself_begin_anew_and_the_last_end_is_forgotten(store: Store) -> None:
    await submit(store, [item("a")])
    ref, version = await begun(store, "a")
    await store.apply(ref, version, Decision(Event.REFUSED, INPUT_MISSING.fields("no") | {"retries": 2}, money="none"))
    done = await again(store)
    assert (done.done, done.again) == (1, 0)
    assert not {"retries", "reason", "message", "billed"} & set((await one(store)).fields)


async def test_an_expired_video_is_made_and_paid_again(store: Store) -> None:
    await submit(store, [item("a")])
    (claim,) = (await admit(store, deployment(), most=1)).admitted
    await intend(store, claim)
    _, version = await accept(store, claim, "video_1")
    done = {"expires_at": 10**14, "content_id": "x"}
    made = await store.apply(claim.ref, int(version), Decision(Event.SUCCEEDED, done, {"completed_at": 1}, "confirmed"))
    await store.apply(claim.ref, made or 0, Decision(Event.LOST, EXPIRED.fields("gone"), money="confirmed"))
    revived = await again(store, states=[State.EXPIRED])
    assert (revived.done, revived.again_cost) == (1, PRICE)
    assert spent(await batch_of(store)) == (2 * PRICE, 0, PRICE)


async def test_a_retry_that_its_command_left_is_gone_on_with(store: Store) -> None:
    """A worker sweeps the rest."""
    await submit(store, [item("a"), item("b")])
    await fail(store, "a")
    await fail(store, "b")
    request = {**ANN.fields(), "action": "retry", "patterns": [], "states": {"failed": True}, "codes": {},
               "double": False, "before": 10**15, "dry": False}  # fmt: skip
    await store.scripts.run("choose_items", "spring", request, 0)
    swept = await sweep(store, "spring", chunk=1)
    assert swept is not None
    assert swept.done == 2
