"""Rows are known again by what they render: in their own batch, in others, and in the archive."""

from __future__ import annotations

import pytest

from manifests import Item
from orchestrator.batches.batch_lock import forget
from orchestrator.batches.comparison import Comparison, Found, Standing, Verdict
from orchestrator.batches.submission import Submission, Submitted
from orchestrator.batches.survey import Survey, same_rows
from orchestrator.items.decision import Decision
from orchestrator.items.states import BatchState, Event, State
from orchestrator.ledger.keys import Ref
from orchestrator.ledger.records import Claim
from orchestrator.ledger.store import Store
from orchestrator.reasons.stoppage import stoppage
from tests.ledger import accept, admit, batch_of, deployment, intend, item, keys, state, submit

pytestmark = pytest.mark.asyncio

ARCHIVED = {"url": "file:///spring/a.mp4", "file": "a.mp4", "bytes": 3, "sha256": "00", "duration_s": 4.0}


async def look(store: Store, rows: list[Item], batch: str = "summer") -> list[Standing]:
    return await Comparison(store, batch).look(rows)


async def submit_knowing(
    store: Store,
    rows: list[Item],
    *,
    batch: str = "summer",
    reuse: bool = True,
    found: dict[str, Found] | None = None,
) -> Submitted:
    async def receipts(unknown: object) -> dict[str, Found]:
        return found or {}

    submission = Submission(store, batch, deployments=(deployment(),), progress=lambda _: None)
    comparison = Comparison(store, batch, find_receipts=receipts, writes=True)
    return await submission.submit(
        rows, kinds=(), columns=(), budget_usd=None, template=batch, comparison=comparison, reuse=reuse
    )


async def render(store: Store, claim: Claim) -> int:
    """An admitted item's life up to archiving; its version."""
    await intend(store, claim)
    _, version = await accept(store, claim, f"video_{claim.ref.item}")
    assert isinstance(version, int)
    done = await store.apply(claim.ref, version, Decision(Event.SUCCEEDED, money="confirmed"))
    assert done is not None
    found = await store.load(claim.ref)
    assert found is not None
    return found.version


async def archive(store: Store, claim: Claim) -> None:
    version = await render(store, claim)
    await store.apply(claim.ref, version, Decision(Event.ARCHIVED, ARCHIVED))


async def survey(store: Store, rows: list[Item], *, batch: str = "summer", **choices: bool) -> Survey:
    made = Survey(batch, (deployment(),), **choices)
    for standing in await look(store, rows, batch):
        made.take(standing)
    return made


async def test_rows_are_new_changed_or_unchanged(store: Store) -> None:
    await submit(store, [item("a"), item("b")])
    rows = [item("a"), item("b", seconds=8), item("c")]
    standings = await look(store, rows, "spring")
    assert [s.verdict for s in standings] == [Verdict.UNCHANGED, Verdict.CHANGED, Verdict.NEW]
    assert [s.state for s in standings] == [State.WAITING, State.WAITING, None]
    assert [s.renders for s in standings] == [True, True, True]


async def test_comparing_changes_nothing(store: Store) -> None:
    await submit(store, [item("a")])
    before = {key: await store.redis.dump(key) for key in await store.redis.keys("*")}
    await look(store, [item("a", seconds=8), item("b")], "spring")
    assert {key: await store.redis.dump(key) for key in await store.redis.keys("*")} == before


async def test_only_a_row_that_was_sent_and_kept_its_prompt_is_restyled(store: Store) -> None:
    await submit(store, [item("a"), item("b"), item("c")])
    await admit(store, deployment(), most=2)
    rows = [item("a", seconds=8), item("b", prompt="another"), item("c", seconds=8)]
    assert [s.restyled for s in await look(store, rows, "spring")] == [True, False, False]


async def test_a_row_of_another_batch_is_known_by_its_content(store: Store) -> None:
    await submit(store, [item("a")])
    (standing,) = await look(store, [item("other-key", prompt="prompt of a")])
    assert standing.twin == Ref("spring", "a")
    assert (await look(store, [item("b")]))[0].twin is None


async def test_takes_of_one_prompt_have_a_twin_each_and_no_more(store: Store) -> None:
    await submit(store, [item("a"), item("a-2", prompt="prompt of a")])
    takes = [item(key, prompt="prompt of a") for key in ("x", "x-2", "x-3")]
    twins = [s.twin for s in await look(store, takes)]
    assert twins == [Ref("spring", "a"), Ref("spring", "a-2"), None]
    await submit_knowing(store, takes[:1])
    assert (await look(store, takes[1:]))[0].twin == Ref("spring", "a-2"), "a is used by x already"


async def test_what_ended_without_a_video_is_no_twin(store: Store) -> None:
    await submit(store, [item("a")])
    (claim,) = (await admit(store, deployment())).admitted
    version = await intend(store, claim)
    await store.apply(claim.ref, version, Decision(Event.REFUSED, {"reason": "invalid"}, money="none"))
    assert (await look(store, [item("a")]))[0].twin is None


async def test_a_replaced_or_forgotten_content_is_no_twin(store: Store) -> None:
    await submit(store, [item("a")])
    await submit(store, [item("a", seconds=8)])
    assert (await look(store, [item("a")]))[0].twin is None
    (claim,) = (await admit(store, deployment())).admitted
    await archive(store, claim)
    assert (await look(store, [item("a", seconds=8)]))[0].twin == Ref("spring", "a")
    assert await forget(store, "spring")
    assert (await look(store, [item("a", seconds=8)]))[0].twin is None
    assert not await store.redis.exists(f"{store.keys.prefix}prints")


async def test_half_of_a_batch_made_elsewhere_is_refused_until_somebody_decides(store: Store) -> None:
    old = [item(f"k{n}") for n in range(11)]
    await submit(store, old)
    rows = old + [item(f"new{n}") for n in range(11)]
    found = await survey(store, rows)
    assert "11 of 22 rows" in (found.refusal() or "")
    assert "spring" in (found.refusal() or "")
    assert "up to $4.40" in (found.refusal() or "")
    reused = await survey(store, rows, reuse=True)
    assert (reused.refusal(), reused.renders.rows) == (None, 11)
    again = await survey(store, rows, again=True)
    assert (again.refusal(), again.renders.rows) == (None, 22)


async def test_rows_that_only_changed_their_keys_are_not_paid_for_again(store: Store) -> None:
    await submit(store, [item(f"k{n}") for n in range(12)])
    await admit(store, deployment())
    renamed = await survey(store, [item(f"new{n}", prompt=f"prompt of k{n}") for n in range(12)], batch="spring")
    renamed.removed = 12
    assert "12 of 12 rows are in this batch already under other keys" in (renamed.refusal() or "")
    reordered = await survey(store, [item(f"k{n}", prompt=f"prompt of k{11 - n}") for n in range(12)], batch="spring")
    assert "12 of 12 rows" in (reordered.refusal() or "")
    added = await survey(store, [item(f"k{n}-2", prompt=f"prompt of k{n}") for n in range(12)], batch="spring")
    assert added.refusal() is None, "more takes of rows that are still there"


@pytest.mark.parametrize(("same", "new"), [(10, 0), (11, 12)])
async def test_few_rows_or_less_than_half_made_elsewhere_are_only_counted(store: Store, same: int, new: int) -> None:
    old = [item(f"k{n}") for n in range(same)]
    await submit(store, old)
    found = await survey(store, old + [item(f"new{n}") for n in range(new)])
    assert (found.refusal(), found.elsewhere.rows) == (None, same)


async def test_a_changed_default_over_more_than_ten_rendered_rows_is_refused(store: Store) -> None:
    await submit(store, [item(f"k{n}") for n in range(11)])
    await admit(store, deployment())
    changed = [item(f"k{n}", seconds=8) for n in range(11)]
    found = await survey(store, changed, batch="spring")
    assert "11 rows" in (found.refusal() or "")
    assert "$8.80" in (found.refusal() or "")
    assert (await survey(store, changed[:10], batch="spring")).refusal() is None
    assert (await survey(store, changed, batch="spring", again=True)).refusal() is None
    other = [item(f"k{n}", prompt=f"new {n}", seconds=8) for n in range(11)]
    assert (await survey(store, other, batch="spring")).refusal() is None


async def test_rows_of_two_manifests_in_one_command_are_compared_too() -> None:
    earlier: dict[str, str] = {}
    assert same_rows(earlier, item("a"), "spring") is None
    assert same_rows(earlier, item("a-2", prompt="prompt of a"), "spring") is None
    assert same_rows(earlier, item("x", prompt="prompt of a"), "summer") == "spring"


async def test_a_reused_row_takes_the_archived_video_and_costs_nothing(store: Store) -> None:
    await submit(store, [item("a")])
    (claim,) = (await admit(store, deployment())).admitted
    await archive(store, claim)
    done = await submit_knowing(store, [item("x", prompt="prompt of a"), item("b")])
    assert done.new == 2
    linked = await store.load(Ref("summer", "x"))
    assert linked is not None
    assert (linked.state, linked.reused, linked.attempt) == (State.ARCHIVING, "spring/a.mp4", None)
    assert keys(await admit(store, deployment(), batches=["summer"])) == ["b"]
    batch = await batch_of(store, "summer")
    assert (batch.estimated, batch.reserved) == (400_000, 400_000)


async def test_a_row_that_is_being_made_elsewhere_waits_for_that_video(store: Store) -> None:
    await submit(store, [item("a")])
    (claim,) = (await admit(store, deployment())).admitted
    await submit_knowing(store, [item("x", prompt="prompt of a")])
    assert keys(await admit(store, deployment())) == []
    assert await state(store, "x", "summer") is State.WAITING
    await archive(store, claim)
    assert await state(store, "x", "summer") is State.ARCHIVING
    (again, _) = await store.claim(
        {"archive": 5}, pools={"archive": "archive"}, deployments=["east"], allowance_s=30, furthest_s=900
    )
    assert [c.ref for c in again] == [Ref("summer", "x")]


async def test_a_run_that_admits_only_the_batch_that_waits_is_told_which_other_to_run(store: Store) -> None:
    await submit(store, [item("a")])
    await submit_knowing(store, [item("x", prompt="prompt of a")])
    waiting = await batch_of(store, "summer")
    assert await stoppage(store, waiting, [deployment()]) is None
    stopped = await stoppage(store, waiting, [deployment()], admitted=["summer"])
    assert stopped is not None
    assert "spring" in stopped.resume
    await admit(store, deployment())
    assert await stoppage(store, waiting, [deployment()], admitted=["summer"]) is None


async def test_a_row_is_rendered_after_all_when_the_video_that_it_waits_for_fails(store: Store) -> None:
    await submit(store, [item("a")])
    (claim,) = (await admit(store, deployment())).admitted
    await submit_knowing(store, [item("x", prompt="prompt of a")])
    version = await intend(store, claim)
    await store.apply(claim.ref, version, Decision(Event.REFUSED, {"reason": "invalid"}, money="none"))
    assert keys(await admit(store, deployment())) == ["x"]
    left = [key.decode() for key in await store.redis.keys("*")]
    assert not [key for key in left if "links:" in key or "parked:" in key]


async def test_a_row_that_waits_for_anothers_video_can_still_be_changed(store: Store) -> None:
    await submit(store, [item("a")])
    (claim,) = (await admit(store, deployment())).admitted
    await submit_knowing(store, [item("x", prompt="prompt of a")])
    await submit_knowing(store, [item("x", prompt="something else")])
    assert keys(await admit(store, deployment())) == ["x"]
    await archive(store, claim)
    assert await state(store, "x", "summer") is State.ADMITTED


async def test_a_row_whose_receipt_stands_is_archived_at_once_with_its_cost(store: Store) -> None:
    attempt = {"deployment": "east", "scope": "s", "remote_id": "video_old", "price": 300_000, "adopted": "answer"}
    found: dict[str, Found] = {"a": {"item": ARCHIVED, "attempt": attempt}}
    await submit_knowing(store, [item("a")], found=found)
    made = await store.load(Ref("summer", "a"))
    assert made is not None
    assert (made.state, made.remote_id, made.made) == (State.ARCHIVED, "video_old", 1)
    batch = await batch_of(store, "summer")
    assert (batch.state, batch.counts[State.ARCHIVED]) == (BatchState.FINAL, 1)
    assert (batch.confirmed, batch.estimated) == (300_000, 300_000), "what it did cost, not what it would"
    assert await store.redis.hget(store.keys.remote("s"), "video_old") == b"summer/a#1"
    again = await submit_knowing(store, [item("a")], found=found)
    assert again.unchanged == 1
