"""Each check of the chaos runs goes red when the guard that it watches is switched off, and only then.

A short scenario aims at one sequence of events; it is played with the guard and without. So a check that can never
fail, or a scenario that always does, is found out.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from manifests import Item
from orchestrator.items.states import BatchState, State
from orchestrator.ledger import views
from tests.chaos.driver import QUIET_S, evidence_of, quiet
from tests.chaos.invariants import breaches, told
from tests.chaos.mischief import EMPTY_LIST
from tests.chaos.stage import START_S, Program, Stage, until
from tests.ledger import deployment, item, submit

pytestmark = pytest.mark.asyncio

#: Of one item: the shortest in which reconcile can prove anything.
TIMES = {"create_timeout_s": 1.5, "settle_s": 0.2}

Scene = Callable[[Stage, Sequence[str]], Awaitable[None]]


async def order(stage: Stage, *items: Item) -> None:
    await submit(stage.store, items, deployments=[deployment("two")])


async def fault(stage: Stage, **facts: Any) -> None:
    await stage.sandbox.witness.fault(**facts)


async def made(stage: Stage, count: int) -> None:
    """Wait until the provider has accepted so many."""

    async def enough() -> bool:
        return len(await stage.sandbox.witness.jobs()) >= count

    assert await until(enough, START_S), await stage.sandbox.witness.jobs()


async def becomes(stage: Stage, key: str, *states: State) -> None:
    """Wait until an item is in one of these states."""

    async def there() -> bool:
        return [each async for each in views.items(stage.store, "spring", states) if each.ref.item == key] != []

    found = [each async for each in views.items(stage.store, "spring")]
    assert await until(there, START_S), found


async def settled(stage: Stage) -> bool:
    found = await views.batches(stage.store)
    return all(b.state is BatchState.FINAL and b.reported_at is not None for b in found)


async def known_job(stage: Stage, off: Sequence[str]) -> Program:
    """A worker that has archived the item `first`: so a listing has a job that is known there."""
    worker = await stage.start(*off)
    await order(stage, item("first"))
    await becomes(stage, "first", State.ARCHIVED)
    return worker


async def killed_while_its_create_is_out(stage: Stage, off: Sequence[str]) -> None:
    await fault(stage, on="create", do="hang_after")
    await order(stage, item("k"))
    first = await stage.start(*off)
    await made(stage, 1)
    await first.kill()
    await stage.start(*off)
    await becomes(stage, "k", State.ARCHIVED)


async def stopped_before_it_sends(stage: Stage, off: Sequence[str]) -> None:
    """Another worker proves that nothing was sent, and sends; then the first goes on."""
    other = await known_job(stage, off)
    other.send(signal.SIGSTOP)
    await order(stage, item("first"), item("k"))
    sleeper = await stage.start("--asleep-before", "sending", *off)
    await sleeper.asleep()
    other.send(signal.SIGCONT)
    await becomes(stage, "k", State.ARCHIVED)
    sleeper.send(signal.SIGCONT)
    await sleeper.saw("create.answered")


async def stopped_while_another_sends(stage: Stage, off: Sequence[str]) -> None:
    """It finds its order too late to be sent, and says so while the other's is out, which nobody can look up."""
    other = await known_job(stage, off)
    other.send(signal.SIGSTOP)
    await order(stage, item("first"), item("k"))
    sleeper = await stage.start("--asleep-before", "sending", *off)
    await sleeper.asleep()
    await fault(stage, on="create", do="hang_after")
    other.send(signal.SIGCONT)
    await made(stage, 2)
    await fault(stage, on="list", do="status", status=500, times=None)
    sleeper.send(signal.SIGCONT)
    await sleeper.saw("create.answered", outcome="NotSent")
    await stage.sandbox.calm()
    await becomes(stage, "k", State.ARCHIVED)


async def answer_is_lost_and_the_list_is_empty(stage: Stage, off: Sequence[str]) -> None:
    await known_job(stage, off)
    await fault(stage, on="list", do="status", status=200, body=EMPTY_LIST, times=None)
    await fault(stage, on="create", do="drop_after")
    await order(stage, item("first"), item("k"))
    await becomes(stage, "k", State.ARCHIVED, State.HELD)


async def request_is_lost_and_another_job_has_its_prompt(stage: Stage, off: Sequence[str]) -> None:
    await known_job(stage, off)
    await fault(stage, on="create", do="drop")
    await order(stage, item("first"), item("k", prompt="prompt of first"))
    await becomes(stage, "k", State.ARCHIVED)


async def killed_while_the_only_slot_is_taken(stage: Stage, off: Sequence[str]) -> None:
    other = await stage.start("--asleep-before", "starting", *off)
    await other.asleep()
    await order(stage, item("k"), item("next"))
    first = await stage.start()
    await made(stage, 1)
    await first.kill()
    other.send(signal.SIGCONT)
    await made(stage, 2)


async def killed_while_it_looks(stage: Stage, off: Sequence[str]) -> None:
    await fault(stage, on="get", do="hang_after", times=None)
    await order(stage, item("k"))
    first = await stage.start(*off)

    async def looked() -> bool:
        return any(job["gets"] for job in await stage.sandbox.witness.jobs())

    assert await until(looked, START_S)
    await first.kill()
    await stage.sandbox.calm()
    await stage.start(*off)


async def video_ends_early_and_nobody_says_so(stage: Stage, off: Sequence[str]) -> None:
    await fault(stage, on="content", do="truncate", length=False)
    await order(stage, item("k"))
    await stage.start(*off)
    await becomes(stage, "k", State.ARCHIVED)


async def nobody_can_tell_whose_a_job_is(stage: Stage, off: Sequence[str]) -> None:
    await fault(stage, on="list", do="hide_prompts", times=None)
    await fault(stage, on="create", do="drop_after")
    await order(stage, item("k"))
    await stage.start(*off)
    await becomes(stage, "k", State.HELD)


async def killed_in_mid_download(stage: Stage, off: Sequence[str]) -> None:
    await fault(stage, on="content", do="stall", bytes=1000)
    await order(stage, item("k"))
    first = await stage.start(*off)

    async def downloading() -> bool:
        return any(stage.archive.rglob("*.part"))

    assert await until(downloading, START_S)
    await first.kill()
    await stage.start(*off)
    await becomes(stage, "k", State.ARCHIVED)


async def answer_is_told_after_the_report(stage: Stage, off: Sequence[str]) -> None:
    """A worker stops with the answer in its hand; the others hold the item, and report; then it tells."""
    await fault(stage, on="list", do="hide_prompts", times=None)
    await order(stage, item("k"))
    sleeper = await stage.start("--asleep-before", "telling", *off)
    await sleeper.asleep()
    other = await stage.start(*off)
    await other.saw("batch.reported")
    sleeper.send(signal.SIGCONT)
    await becomes(stage, "k", State.ARCHIVED)


async def nobody_listens_when_it_ends(stage: Stage, off: Sequence[str]) -> None:
    """The webhook fails until the batch is reported and somebody tried to say so."""
    with stage.ear.feeling("failing"):
        await known_job(stage, off)

        async def tried() -> bool:
            return any(each.document["type"] == "batch.ended" for each in stage.ear.heard)

        assert await until(tried, START_S)


async def plain_night(stage: Stage, off: Sequence[str]) -> None:
    await known_job(stage, off)


class Case(NamedTuple):
    guard: str
    scene: Scene
    check: str


CASES = (
    Case("intent", killed_while_its_create_is_out, "nothing_is_paid_twice"),
    Case("send_by", stopped_before_it_sends, "nothing_is_paid_twice"),
    Case("versions", stopped_while_another_sends, "nothing_is_paid_twice"),
    Case("listing", answer_is_lost_and_the_list_is_empty, "nothing_is_paid_twice"),
    Case("owners", request_is_lost_and_another_job_has_its_prompt, "every_remote_job_has_one_owner"),
    Case("slots", killed_while_the_only_slot_is_taken, "slots_are_within_the_limit"),
    Case("due", killed_while_it_looks, "every_item_is_settled"),
    Case("proof", video_ends_early_and_nobody_says_so, "every_finished_video_is_archived"),
    Case("unknown_money", nobody_can_tell_whose_a_job_is, "the_bill_is_within_what_the_ledger_says"),
    Case("leftovers", killed_in_mid_download, "no_file_is_left_half_written"),
    Case("reports", answer_is_told_after_the_report, "the_report_agrees_with_the_ledger"),
    Case("last_page", plain_night, "the_contact_sheet_agrees_with_the_ledger"),
    Case("telling_again", nobody_listens_when_it_ends, "people_are_told_how_it_ended"),
    Case("fetched", plain_night, "no_slot_is_leaked"),
    Case("one_account", plain_night, "the_ledger_adds_up"),
    Case("arq_results", plain_night, "no_key_is_leaked"),
)


async def play(folder: Path, scene: Scene, off: Sequence[str]) -> dict[str, list[str]]:
    """What the checks say after a scene."""
    crowded = scene is killed_while_the_only_slot_is_taken
    # Without its guard the slot is taken once more while the first job renders, however slow this machine is.
    render_s = "0.1:0.2" if not crowded else "60:60" if off else "8:8"
    # Where other programs create too, nothing is adopted for its time alone.
    shared = scene in (nobody_can_tell_whose_a_job_is, answer_is_told_after_the_report)
    async with Stage(
        folder,
        render_s=render_s,
        slots={"two": 1 if crowded else 4},
        claim_s=4,
        more=TIMES | {"shared": shared},
    ) as stage:
        await scene(stage, off)
        # Without its guard it may never come to an end.
        await until(lambda: settled(stage), 6 if off else START_S)
        await until(lambda: quiet(stage), 2 if off else QUIET_S)
        return breaches(await evidence_of(stage))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.guard)
async def test_a_check_goes_red_without_its_guard_and_only_then(case: Case, tmp_path: Path) -> None:
    folders = tmp_path / "without", tmp_path / "with"
    for folder in folders:
        folder.mkdir()
    without, with_it = await asyncio.gather(
        play(folders[0], case.scene, ("--without", case.guard)), play(folders[1], case.scene, ())
    )
    assert case.check in without, told(without)
    assert with_it == {}, told(with_it)
