"""Submitting is idempotent; an edited manifest renders again only what would look different."""

from __future__ import annotations

import asyncio
import datetime as dt

import pytest

from orchestrator.batches.batch_lock import alone, forget
from orchestrator.batches.submission import AlreadySubmitting, UnknownPrice, batch_name
from orchestrator.items.decision import Decision
from orchestrator.items.states import BatchState, Event, State
from orchestrator.ledger import views
from orchestrator.ledger.keys import Ref
from orchestrator.ledger.store import Store
from tests.ledger import accept, admit, batch_of, deployment, intend, item, keys, submit

pytestmark = pytest.mark.asyncio


async def ids(store: Store) -> list[str]:
    return [i.ref.item async for i in views.items(store, "spring")]


async def test_submitting_the_same_again_changes_nothing(store: Store) -> None:
    first = await submit(store, [item("a"), item("b")])
    before = await batch_of(store)
    second = await submit(store, [item("a"), item("b")])
    assert (first.new, second.new, second.changed, second.unchanged) == (2, 0, 0, 2)
    after = await batch_of(store)
    assert (after.counts, after.estimated) == (before.counts, before.estimated)


async def test_a_batch_of_many_chunks_arrives_whole_and_in_order(store: Store) -> None:
    rows = [item(f"k{n:04}") for n in range(1203)]
    assert (await submit(store, rows)).new == 1203
    assert await ids(store) == [row.key for row in rows]


async def test_new_rows_are_added_to_a_batch_that_is_final(store: Store) -> None:
    await submit(store, [item("a")])
    (claim,) = (await admit(store, deployment())).admitted
    version = await intend(store, claim)
    await store.apply(claim.ref, version, Decision(Event.REFUSED, {"reason": "invalid"}, money="none"))
    assert (await batch_of(store)).state is BatchState.FINAL
    await submit(store, [item("a"), item("b")])
    assert (await batch_of(store)).state is BatchState.RUNNING
    assert keys(await admit(store, deployment())) == ["b"]


async def test_a_changed_row_that_still_waits_is_replaced_in_place(store: Store) -> None:
    await submit(store, [item("a", seconds=4)])
    done = await submit(store, [item("a", seconds=8)])
    assert (done.changed, await ids(store)) == (1, ["a"])
    assert (await batch_of(store)).estimated == 800_000
    found = await store.load(Ref("spring", "a"))
    assert found is not None
    assert found.spec.seconds == 8


async def test_a_changed_row_that_was_admitted_becomes_a_second_item(store: Store) -> None:
    await submit(store, [item("a")])
    await admit(store, deployment())
    await submit(store, [item("a", prompt="another")])
    await submit(store, [item("a", prompt="another")])
    assert await ids(store) == ["a", "a~2"]
    await admit(store, deployment())
    await submit(store, [item("a", prompt="a third")])
    assert await ids(store) == ["a", "a~2", "a~3"]


async def test_a_row_changed_back_to_what_was_rendered_is_not_rendered_again(store: Store) -> None:
    await submit(store, [item("a")])
    await admit(store, deployment())
    await submit(store, [item("a", prompt="another")])
    await admit(store, deployment())
    done = await submit(store, [item("a")])
    assert (done.unchanged, await ids(store)) == (1, ["a", "a~2"])


async def test_labels_and_priority_change_without_a_render(store: Store) -> None:
    await submit(store, [item("a"), item("b")])
    done = await submit(store, [item("a"), item("b", labels={"market": "se"}, priority=3)])
    assert (done.updated, done.changed) == (1, 0)
    assert keys(await admit(store, deployment())) == ["b", "a"]
    found = await store.load(Ref("spring", "b"))
    assert found is not None
    assert dict(found.spec.labels) == {"market": "se"}


async def test_admission_does_not_see_a_batch_that_is_loading(store: Store) -> None:
    async def breaks() -> None:
        def rows() -> object:
            yield from (item(f"k{n}") for n in range(600))
            raise ConnectionAbortedError

        await submit(store, rows())  # type: ignore[arg-type]

    with pytest.raises(ConnectionAbortedError):
        await breaks()
    assert (await batch_of(store)).state is BatchState.LOADING
    assert (await admit(store, deployment())).admitted == ()
    done = await submit(store, [item(f"k{n}") for n in range(700)])
    assert (done.new, done.unchanged) == (200, 500)
    assert (await batch_of(store)).state is BatchState.RUNNING


async def test_one_submit_of_a_name_at_a_time(store: Store) -> None:
    results = await asyncio.gather(
        *(submit(store, [item(f"k{n}") for n in range(1500)]) for _ in range(2)), return_exceptions=True
    )
    assert sorted(type(r).__name__ for r in results) == ["AlreadySubmitting", "Submitted"]
    assert any(isinstance(r, AlreadySubmitting) and r.batch == "spring" for r in results)


async def test_a_budget_with_an_unknown_price_is_refused_before_anything_runs(store: Store) -> None:
    with pytest.raises(UnknownPrice, match="price_per_second_usd"):
        await submit(store, [item("a", model="veo")], budget_usd="10")
    assert (await admit(store, deployment(model="veo"))).admitted == ()


async def test_a_final_batch_that_is_submitted_unchanged_ended_when_it_ended(store: Store) -> None:
    """Its report is due once more, since labels may have changed; but no clock goes on, and nobody is told again."""
    await submit(store, [])
    key = store.keys.batch("spring")
    await store.redis.hset(key, mapping={"final_at": 1000, "reported_at": 2000})
    await submit(store, [])
    assert await store.redis.hmget(key, "state", "final_at", "reported_at") == [b"final", b"1000", None]
    assert await store.redis.zscore(f"{store.keys.prefix}reports", "spring") is not None
    await submit(store, [item("mug")])
    assert await store.redis.hmget(key, "state", "final_at") == [b"running", None]


async def test_an_empty_batch_is_final_at_once(store: Store) -> None:
    await submit(store, [])
    assert (await batch_of(store)).state is BatchState.FINAL


async def test_date_and_time_in_a_name_are_filled_in() -> None:
    assert batch_name("spring-{date}-{time}", dt.datetime(2026, 3, 1, 22, 5)) == "spring-2026-03-01-2205"  # noqa: DTZ001


async def test_a_remix_added_after_its_source_failed_fails_too(store: Store) -> None:
    await submit(store, [item("a")])
    (claim,) = (await admit(store, deployment())).admitted
    version = await intend(store, claim)
    await store.apply(claim.ref, version, Decision(Event.REFUSED, {"reason": "moderated"}, money="none"))
    await submit(store, [item("a"), item("again", remix_of="a")])
    found = await store.load(Ref("spring", "again"))
    assert found is not None
    assert (found.state, found.reason) == (State.FAILED, "source_failed")
    assert (await batch_of(store)).state is BatchState.FINAL


async def test_a_remix_that_becomes_a_plain_item_is_queued_once_and_made_from_its_prompt(store: Store) -> None:
    await submit(store, [item("a"), item("b", remix_of="a")])
    (claim,) = (await admit(store, deployment())).admitted
    await intend(store, claim)
    await submit(store, [item("a"), item("b")])
    _, version = await accept(store, claim, "video_1")
    await store.apply(claim.ref, int(version), Decision(Event.SUCCEEDED, {"expires_at": 1}))
    assert keys(await admit(store, deployment())) == ["b"]
    assert (await admit(store, deployment())).gate == "empty"
    found = await store.load(Ref("spring", "b"))
    assert found is not None
    assert "source_id" not in found.fields


async def test_a_remix_given_another_source_waits_for_that_one(store: Store) -> None:
    await submit(store, [item("a"), item("z"), item("b", remix_of="a")])
    first, second = (await admit(store, deployment())).admitted
    await submit(store, [item("a"), item("z"), item("b", remix_of="z")])
    version = await intend(store, first)
    await store.apply(first.ref, version, Decision(Event.REFUSED, {"reason": "moderated"}, money="none"))
    await intend(store, second)
    _, now = await accept(store, second, "video_z")
    await store.apply(second.ref, int(now), Decision(Event.SUCCEEDED, {"expires_at": 1}))
    assert keys(await admit(store, deployment())) == ["b"]
    found = await store.load(Ref("spring", "b"))
    assert found is not None
    assert found.fields["source_id"] == "video_z"


async def test_an_edit_that_is_taken_back_before_it_was_sent_costs_nothing(store: Store) -> None:
    await submit(store, [item("a")])
    await admit(store, deployment())
    await submit(store, [item("a", prompt="another")])
    await submit(store, [item("a")])
    assert await ids(store) == ["a"]
    batch = await batch_of(store)
    assert (batch.total, batch.estimated, (await admit(store, deployment())).admitted) == (1, 400_000, ())
    await submit(store, [item("a", prompt="a third")])
    assert await ids(store) == ["a", "a~3"]


async def test_a_budget_taken_out_of_the_manifest_no_longer_holds(store: Store) -> None:
    await submit(store, [item("a"), item("b")], budget_usd="0.40")
    await submit(store, [item("a"), item("b")])
    assert keys(await admit(store, deployment())) == ["a", "b"]


async def test_a_refused_submit_leaves_a_running_batch_as_it_was(store: Store) -> None:
    await submit(store, [item("a")])
    with pytest.raises(UnknownPrice):
        await submit(store, [item("a"), item("b", model="veo")], budget_usd="10")
    batch = await batch_of(store)
    assert (batch.total, batch.budget) == (1, None)


async def test_an_estimate_is_that_of_the_dearest_deployment(store: Store) -> None:
    cheap, listed = deployment("cheap", price_per_second_usd="0.01"), deployment("west")
    await submit(store, [item("a")], deployments=[cheap, listed])
    assert (await batch_of(store)).estimated == 400_000


async def test_labels_of_a_final_batch_are_reported_anew(store: Store) -> None:
    await submit(store, [])
    await submit(store, [])
    await store.redis.hset(store.keys.batch("spring"), mapping={"reported_at": 1})
    await submit(store, [])
    assert (await batch_of(store)).reported_at is None


async def test_a_batch_that_is_being_submitted_is_not_forgotten(store: Store) -> None:
    await submit(store, [])
    async with alone(store, "spring"):
        assert not await forget(store, "spring")
    assert await forget(store, "spring")
