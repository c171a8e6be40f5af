"""Redis began anew, and may have forgotten what was sent: what the archive and the provider's list still know is found
before anything is paid again."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from orchestrator.admission import circuit
from orchestrator.admission.controller import Admission, Answer, scope
from orchestrator.batches.batch_lock import forget
from orchestrator.batches.lifecycle import Word
from orchestrator.batches.retrying import Wish, retry, survey
from orchestrator.batches.submission import Submission
from orchestrator.items.decision import Decision
from orchestrator.items.states import Event, State
from orchestrator.ledger import recovery, remote_ids
from orchestrator.ledger.keys import Ref
from orchestrator.ledger.records import Claim
from orchestrator.ledger.store import Store
from orchestrator.ledger.views import deployment as view_of
from orchestrator.reasons.explanation import explain
from orchestrator.reasons.gate_words import gate_of, recovering_words, when
from orchestrator.reasons.stoppage import stoppage
from orchestrator.settings import NO_BUDGETS
from tests.ledger import ALLOWANCE_S, batch_of, item, submit
from tests.workers.creating import Desk, desk_at
from tests.workers.test_restoration import receipt
from workers.reconciliation.evidence import Hold
from workers.reconciliation.reconcile import held
from workers.recovering.recovery import Looked, recover
from workers.rendering.create import create
from workers.sinks.directory import DirectorySink
from workers.video_api import Order, RemoteJob

#: 2 * create_timeout_s + settle_s of the desk's deployment.
PATIENCE = 2.5
SETTLED_S = 60.0


@dataclass
class Place:
    """A desk whose admission waits for a look after Redis began anew."""

    desk: Desk
    archive: Path
    admitted: tuple[Claim, ...] = ()

    @property
    def store(self) -> Store:
        return self.desk.store

    @property
    def scope(self) -> str:
        return scope(self.desk.east)

    async def ask(self, most: int = 10) -> Answer:
        await self.store.judge("east", {"resume": True})
        asker = Admission(self.store, [self.desk.east], guarded=True)
        return (await asker.ask(most, allowance_s=ALLOWANCE_S))["east"]

    async def look(self) -> Looked:
        """One look, as a worker that claimed it."""
        (claim,) = await self.claims()
        return await recover(self.desk.station, "east", claim)

    async def claims(self) -> list[int]:
        found, _ = await self.store.claim(
            {"recoveries": 1},
            pools={"recover": "recoveries"},
            deployments=["east"],
            allowance_s=ALLOWANCE_S,
            furthest_s=3600,
        )
        return [claim.version for claim in found]

    async def opened(self) -> Answer:
        """What is admitted once the list was looked through."""
        assert (await self.ask()).gate == "recovering"
        looked = await self.look()
        assert (looked.error, looked.again_in_s) == (None, None)
        answer = await self.ask()
        self.admitted = answer.admitted
        return answer

    async def create_all(self) -> None:
        """Send whatever is admitted, or was."""
        for claim in (*self.admitted, *(await self.ask()).admitted):
            found = await self.store.load(claim.ref, claim.attempt)
            assert found is not None
            await create(self.desk.station, found)
        self.admitted = ()

    async def begin_anew(self, *, clean: bool = False) -> None:
        """As after a restart: the data is there, and of another run of the server."""
        await self.store.redis.hset(self.store.keys.recovery(self.scope), "trusted", "another run")
        if clean:
            await self.store.redis.hset(self.store.keys.meta, "left", 1)

    async def later(self, by_s: float = SETTLED_S) -> None:
        """So long after it was noticed."""
        key = self.store.keys.recovery(self.scope)
        await self.store.redis.hincrby(key, "noticed_at", -round(by_s * 1000))
        await self.store.redis.zadd(f"{self.store.keys.prefix}recover", {self.scope: 0})

    async def state(self, key: str, batch: str = "spring") -> State:
        found = await self.store.load(Ref(batch, key))
        assert found is not None
        return found.state


@pytest.fixture
async def place(store: Store, tmp_path: Path) -> AsyncIterator[Place]:
    async with desk_at(store) as desk:
        desk.station = dataclasses.replace(desk.station, sink=DirectorySink(tmp_path))
        yield Place(desk, tmp_path)


async def submitted(place: Place, *keys: str, batch: str = "spring", **more: Any) -> None:
    await submit(place.store, [item(key, **more) for key in keys], batch=batch, deployments=[place.desk.east])


async def forgotten(place: Place, *keys: str) -> None:
    """Items that were sent by a ledger that is empty now, and submitted again."""
    await submitted(place, *keys)
    await place.opened()
    await place.create_all()
    await place.store.redis.flushall()
    await submitted(place, *keys)


async def made_elsewhere(place: Place, prompt: str) -> None:
    """A job of which this ledger has no intent."""
    order = Order(prompt, place.desk.east.deployment, "1280x720", 4)
    await place.desk.station.lines["east"].api.create(order, send_by=float("inf"))


def shown(place: Place, show: Callable[[RemoteJob], RemoteJob | None]) -> None:
    """Let the provider list its jobs in another way."""
    whole = place.desk.api.list

    async def listed(*, since: float) -> AsyncIterator[RemoteJob]:
        async for job in whole(since=since):
            if (seen := show(job)) is not None:
                yield seen

    place.desk.api.list = listed


async def test_a_new_ledger_admits_once_its_list_was_looked_through_and_then_for_good(place: Place) -> None:
    await submitted(place, "a", "b")
    assert len((await place.opened()).admitted) == 2
    assert await place.claims() == []
    assert (await place.desk.witness.stats())["lists"] == 2  # the clock, and one page


async def test_nothing_is_sent_again_that_an_emptied_ledger_had_sent(place: Place) -> None:
    await forgotten(place, "a", "b")
    await submitted(place, "a", "b", "new")
    assert (await place.ask()).gate == "recovering"
    looked = await place.look()
    assert (looked.adopted, looked.strays) == (2, ())
    assert looked.again_in_s is not None  # others may be on their way
    await place.later()
    assert (await place.look()).again_in_s is None
    assert [await place.state(key) for key in ("a", "b")] == [State.RENDERING] * 2
    await place.create_all()
    created = await place.desk.witness.created()
    assert created == {"prompt of a": 1, "prompt of b": 1, "prompt of new": 1}
    assert (await batch_of(place.store)).unknown > 0


async def test_a_restart_that_lost_nothing_costs_one_page_and_no_waiting(place: Place) -> None:
    """`dailies run` starts its embedded Redis anew each time."""
    await submitted(place, "a")
    await place.opened()
    await place.create_all()
    await submitted(place, "a", "b")
    await place.begin_anew(clean=True)
    before = (await place.desk.witness.stats())["lists"]
    assert len((await place.opened()).admitted) == 1
    assert (await place.desk.witness.stats())["lists"] == before + 2


async def test_after_a_crash_what_may_still_be_on_its_way_is_waited_for(place: Place) -> None:
    """The newest job there is a moment old: another, whose intent was lost, may not be listed yet."""
    await submitted(place, "a")
    await place.opened()
    await place.create_all()
    await submitted(place, "b")
    await place.begin_anew()
    assert (await place.ask()).gate == "recovering"
    looked = await place.look()
    assert looked.again_in_s is not None
    assert 0 < looked.again_in_s <= PATIENCE + 1
    assert (await place.ask()).gate == "recovering"
    await place.later()
    await place.look()
    assert len((await place.ask()).admitted) == 1


async def test_an_item_that_was_admitted_before_is_not_sent_until_the_list_was_looked_through(place: Place) -> None:
    """An older copy of the ledger has it admitted; since then it was sent."""
    await submitted(place, "a")
    (claim,) = (await place.opened()).admitted
    await place.begin_anew()
    found = await place.store.load(claim.ref, claim.attempt)
    assert found is not None
    await create(place.desk.station, found)
    assert await place.state("a") is State.WAITING
    assert await place.desk.witness.created() == {}


async def test_an_admitted_item_whose_job_is_listed_takes_it(place: Place) -> None:
    await forgotten(place, "a")
    await place.store.redis.flushall()
    await submitted(place, "a")
    asker = Admission(place.store, [place.desk.east])  # as an older copy has it
    (claim,) = (await asker.ask(1, allowance_s=ALLOWANCE_S))["east"].admitted
    assert (await place.ask()).gate == "recovering"
    assert (await place.look()).adopted == 1
    found = await place.store.load(claim.ref)
    assert found is not None
    assert (found.state, found.attempts) == (State.RENDERING, 2)
    assert (await batch_of(place.store)).reserved == 0


async def test_rows_that_are_submitted_after_the_look_are_compared_too(place: Place) -> None:
    """Redis was emptied, and the list looked through, before anybody submitted the manifest again."""
    await forgotten(place, "a")
    await place.store.redis.flushall()
    assert (await place.ask()).gate == "recovering"
    assert (await place.look()).again_in_s is not None
    await place.later()
    looked = await place.look()
    assert [job.prompt for job in looked.strays] == ["prompt of a"]
    assert (await place.ask()).gate == "empty"
    await submitted(place, "a", "b")
    assert (await place.ask()).gate == "recovering"
    looked = await place.look()
    assert (looked.adopted, looked.again_in_s) == (1, None)
    await place.create_all()
    assert await place.desk.witness.created() == {"prompt of a": 1, "prompt of b": 1}


async def test_rows_that_are_submitted_during_the_look_are_compared_too(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    await forgotten(place, "a")
    await place.store.redis.flushall()
    await place.ask()
    await place.later()
    conclude = recovery.trust

    async def submitted_meanwhile(*arguments: Any, **more: Any) -> bool | None:
        monkeypatch.setattr(recovery, "trust", conclude)
        await submitted(place, "a")
        return await conclude(*arguments, **more)

    monkeypatch.setattr(recovery, "trust", submitted_meanwhile)
    assert (await place.look()).again_in_s == 0
    assert (await place.ask()).gate == "recovering"
    assert (await place.look()).adopted == 1


async def test_a_ledger_that_is_emptied_during_the_look_stays_closed(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    await forgotten(place, "a")
    await place.ask()
    await place.later()
    conclude = recovery.trust

    async def emptied(*arguments: Any, **more: Any) -> bool | None:
        monkeypatch.setattr(recovery, "trust", conclude)
        await place.store.redis.flushall()
        return await conclude(*arguments, **more)

    monkeypatch.setattr(recovery, "trust", emptied)
    await place.look()
    await submitted(place, "a")
    assert (await place.ask()).gate == "recovering"
    assert (await place.look()).adopted == 1


@pytest.mark.parametrize("how", ["by itself", "by a person"])
async def test_an_attempt_that_an_older_ledger_has_forgotten_is_found_before_the_next_one_is_paid(
    place: Place, how: str
) -> None:
    """Promise 12: nobody waited for its job when the list was looked through; later its item does."""
    await submitted(place, "a")
    await place.opened()
    await place.create_all()
    await made_elsewhere(place, "prompt of a")  # its second attempt, which is forgotten
    await place.begin_anew()
    await place.ask()
    await place.later()
    assert [job.prompt for job in (await place.look()).strays] == ["prompt of a"]
    found = await place.store.load(Ref("spring", "a"))
    assert found is not None
    if how == "by itself":
        await place.store.apply(found.ref, found.version, Decision(Event.RETRIED, money="unknown", due_in_s=0))
    else:
        await place.store.apply(found.ref, found.version, Decision(Event.FAILED, {"reason": "render_failed"}))
        _, before = await survey(place.store, "spring", Wish()) or (None, 0)
        await retry(place.store, "spring", Wish(), before, Word("a person"))
    assert (await place.ask()).gate == "recovering"
    assert (await place.look()).adopted == 1
    assert (await place.ask()).admitted == ()
    again = await place.store.load(Ref("spring", "a"))
    assert again is not None
    assert (again.state, again.attempts, again.attempt and again.attempt.adopted) == (State.RENDERING, 2, "prompt")
    assert (await place.desk.witness.created())["prompt of a"] == 2


async def test_what_was_sent_before_takes_no_job_that_is_older(place: Place) -> None:
    """It is another program's: the next attempt of an item comes after the one that is known."""
    place.desk.clock.off_s = -600
    await made_elsewhere(place, "prompt of a")
    place.desk.clock.off_s = 0
    await submitted(place, "b")
    assert len((await place.opened()).admitted) == 1
    await place.store.redis.hset(place.store.keys.recovery(place.scope), "strays", 0)
    await place.store.redis.delete(f"{place.store.keys.prefix}strays")
    await submitted(place, "a", batch="summer")
    (claim,) = (await place.ask()).admitted
    found = await place.store.load(claim.ref)
    assert found is not None
    await create(place.desk.station, found)
    await place.begin_anew()
    sent = await place.store.load(claim.ref)
    assert sent is not None
    await place.store.apply(sent.ref, sent.version, Decision(Event.RETRIED, money="unknown", due_in_s=0))
    await place.ask()
    await place.later()
    looked = await place.look()
    assert (looked.adopted, len(looked.strays)) == (0, 1)


async def test_a_list_that_lacks_the_newest_known_job_opens_nothing(place: Place) -> None:
    await submitted(place, "a")
    await place.opened()
    await place.create_all()
    await place.begin_anew(clean=True)
    shown(place, lambda job: None)
    await place.ask()
    looked = await place.look()
    assert "the newest job that we know" in (looked.error or "")
    assert (await view_of(place.store, "east")).recovery_error


async def test_a_newest_job_that_was_deleted_there_is_no_gap(place: Place) -> None:
    await submitted(place, "a")
    await place.opened()
    await place.create_all()
    (job,) = await place.desk.witness.jobs()
    place.desk.clock.off_s += 1000
    await place.desk.api.delete(job["id"])
    await place.begin_anew(clean=True)
    await place.ask()
    assert (await place.look()).again_in_s == 0
    assert (await place.look()).again_in_s is None


@pytest.mark.parametrize(("status", "person"), [(404, True), (405, True), (501, True), (503, False)])
async def test_where_nothing_can_be_listed_it_stays_closed_until_a_person_says(
    place: Place, status: int, person: bool
) -> None:
    await submitted(place, "a")
    await place.desk.witness.fault(on="list", do="status", status=status, times=None)
    asker = Admission(place.store, [place.desk.east], guarded=True)
    assert (await asker.ask(1, allowance_s=ALLOWANCE_S))["east"].gate == "recovering"
    looked = await place.look()
    assert looked.error
    assert looked.person is person
    view = await view_of(place.store, "east")
    assert (view.recovering, view.needs_person) == (True, person)
    told = recovering_words(view, time.time())
    assert ("let creates start" in told) is person
    if not person:
        assert "it is tried again in " in told
    assert (await asker.ask(1, allowance_s=ALLOWANCE_S))["east"].gate == "recovering"
    await place.store.judge("east", {"resume": True})
    assert len((await asker.ask(1, allowance_s=ALLOWANCE_S))["east"].admitted) == 1


async def test_a_first_run_at_a_server_without_a_list_is_told_what_that_means_and_what_to_do(place: Place) -> None:
    await submitted(place, "a")
    await place.desk.witness.fault(on="list", do="status", status=404, times=None)
    await place.ask()
    await place.look()
    why = await stoppage(place.store, await batch_of(place.store), [place.desk.east])
    assert why is not None
    assert (why.reason, why.resume) == (
        "deployments_stopped",
        "east: nothing is sent yet: this server does not list its jobs (HTTP 404), so what was ordered there before "
        "could be paid for again, unseen. On a first run, or if nothing of what waits was ordered before, let creates "
        "start: dailies deployments resume east, then run again",
    )


async def test_at_an_endpoint_where_somebody_made_a_job_just_before_it_is_told_when_it_is_looked_at_again(
    place: Place,
) -> None:
    """Promise 12: a first run cannot be told from a ledger that was lost, and that wait has an end."""
    await made_elsewhere(place, "somebody else's")
    east = place.desk.station.lines["east"]
    patient = dataclasses.replace(east, deployment=east.deployment.model_copy(update={"settle_s": 300.0}))
    place.desk.station = dataclasses.replace(place.desk.station, lines={"east": patient})
    await submitted(place, "a")
    await place.ask()
    before = await view_of(place.store, "east")
    assert (before.first_look, before.next_look_at) == (True, None)
    asked_at, wait_s = time.time(), (await place.look()).again_in_s or 0
    view = await view_of(place.store, "east")
    assert view.next_look_at is not None
    assert asked_at < view.next_look_at <= time.time() + wait_s + 1
    soon = view.next_look_at - 1
    assert f"again {when(view.next_look_at, soon)}" in recovering_words(view, soon)
    found = await explain(place.store, Ref("spring", "a"), [place.desk.east], NO_BUDGETS)
    assert found is not None
    (door,) = found.doors
    told = gate_of(dataclasses.replace(found, now=soon), door, view)
    assert f"they are looked at again in 1 s, at {when(view.next_look_at, soon)[-8:]}" in told.detail
    await place.later()
    await place.claims()
    assert (await view_of(place.store, "east")).next_look_at is None, "somebody looks"
    assert "again" not in recovering_words(await view_of(place.store, "east"), soon)


async def test_resuming_a_deployment_does_not_open_it_while_its_list_can_be_looked_through(place: Place) -> None:
    await submitted(place, "a")
    asker = Admission(place.store, [place.desk.east], guarded=True)
    assert (await asker.ask(1, allowance_s=ALLOWANCE_S))["east"].gate == "recovering"
    await place.store.judge("east", {"resume": True})
    assert (await asker.ask(1, allowance_s=ALLOWANCE_S))["east"].gate == "recovering"


async def test_where_nothing_can_be_listed_a_clean_end_before_is_believed(place: Place) -> None:
    """A server of one's own that has no list: each `dailies run` would wait for a person otherwise."""
    await submitted(place, "a")
    await place.opened()
    await place.begin_anew(clean=True)
    await place.desk.witness.fault(on="list", do="status", status=404, times=None)
    await place.ask()
    assert (await place.look()).error is None
    assert (await place.ask()).gate != "recovering"


async def test_where_nothing_can_be_listed_the_configuration_may_say_to_go_on(place: Place) -> None:
    line = place.desk.station.lines["east"]
    ours = place.desk.east.model_copy(update={"on_unknown": "retry"})
    place.desk.station = dataclasses.replace(
        place.desk.station, lines={"east": dataclasses.replace(line, deployment=ours)}
    )
    await place.desk.witness.fault(on="list", do="status", status=404, times=None)
    await place.ask()
    assert (await place.look()).error is None


async def test_jobs_without_a_prompt_that_could_be_ours_need_a_person(place: Place) -> None:
    await forgotten(place, "a")
    shown(place, lambda job: dataclasses.replace(job, prompt=None))
    await place.ask()
    await place.later()
    looked = await place.look()
    assert looked.person
    assert "prompts are not shown" in (looked.error or "")
    assert await place.state("a") is State.WAITING


async def test_jobs_without_a_prompt_of_another_length_need_nobody(place: Place) -> None:
    await forgotten(place, "a")
    shown(place, lambda job: dataclasses.replace(job, prompt=None, seconds=12))
    await place.ask()
    await place.later()
    looked = await place.look()
    assert (looked.error, len(looked.strays)) == (None, 1)


async def test_where_other_programs_create_too_several_jobs_of_one_prompt_are_left_to_reconcile(place: Place) -> None:
    line = place.desk.station.lines["east"]
    shared = place.desk.east.model_copy(update={"shared": True})
    place.desk.station = dataclasses.replace(
        place.desk.station, lines={"east": dataclasses.replace(line, deployment=shared)}
    )
    await submitted(place, "take-1", "take-2", prompt="a boat")
    await place.opened()
    await place.create_all()
    await place.store.redis.flushall()
    await submitted(place, "take-1", prompt="a boat")
    await place.ask()
    await place.later()
    await place.look()
    assert await place.state("take-1") is State.CREATING  # nothing more is sent for it


async def test_a_job_that_failed_is_not_taken_for_the_items_video(place: Place) -> None:
    await forgotten(place, "a")
    shown(place, lambda job: dataclasses.replace(job, status=type(job.status).FAILED))
    await place.ask()
    await place.later()
    assert (await place.look()).adopted == 0
    assert await place.state("a") is State.WAITING


async def test_a_key_that_is_refused_stops_the_deployment_as_a_refused_create_would(place: Place) -> None:
    """So that a run ends, and says why; once a probe opens it, it is looked through at once."""
    await submitted(place, "a")
    await place.desk.witness.fault(on="list", do="status", status=401, times=None)
    await place.ask()
    await place.look()
    assert (await view_of(place.store, "east")).stopped == "auth"
    assert await place.claims() == []
    number = (await circuit.claim(place.store, "east", allowance_s=ALLOWANCE_S)).number
    await circuit.passed(place.store, "east", number, careful=False)
    assert len(await place.claims()) == 1


async def test_rows_of_the_same_words_and_other_pictures_are_left_to_reconcile_and_none_is_sent(place: Place) -> None:
    """No list shows the picture: the job may be of either row, so that neither is sent, and neither takes it."""
    await forgotten(place, "a")
    await place.store.redis.flushall()
    pictures = [item(f"p{n}", prompt="prompt of a", image_sha256=f"{n}" * 64) for n in range(2)]
    await submit(place.store, pictures, deployments=[place.desk.east])
    await place.ask()
    await place.later()
    await place.look()
    assert [await place.state(key) for key in ("p0", "p1")] == [State.CREATING] * 2
    assert await remote_ids.owners(place.store, place.scope, [(await place.desk.witness.jobs())[0]["id"]]) == {}


async def test_what_a_person_pays_for_again_takes_no_job_whose_video_is_archived(place: Place) -> None:
    """Of a lost ledger's jobs it takes those that have no receipt: its own new one, which was on its way."""
    await forgotten(place, "archived", "lost")
    await place.store.redis.flushall()
    jobs = {job["prompt"]: job["id"] for job in await place.desk.witness.jobs()}
    receipt(place.archive, "archived", remote_id=jobs["prompt of archived"])
    submission = Submission(place.store, "spring", deployments=[place.desk.east], progress=lambda _: None)
    rows = [item("archived"), item("lost")]
    await submission.submit(rows, kinds=(), columns=(), budget_usd=None, template="spring", again=True)
    await place.ask()
    await place.later()
    assert (await place.look()).adopted == 1
    assert [await place.state(key) for key in ("archived", "lost")] == [State.WAITING, State.RENDERING]


async def test_what_was_held_when_its_batch_was_forgotten_is_found_when_it_is_ordered_again(place: Place) -> None:
    """Promise 11: nobody said that it may be paid twice."""
    await submitted(place, "a")
    await place.opened()
    await place.desk.witness.fault(on="create", do="drop_after")
    await place.create_all()
    found = await place.store.load(Ref("spring", "a"))
    assert found is not None
    await place.store.apply(found.ref, found.version, held(Hold("nobody can tell")))
    assert await forget(place.store, "spring")
    await submitted(place, "a")
    assert (await place.ask()).gate == "recovering"
    looked = await place.look()
    assert (looked.adopted, looked.again_in_s) == (1, None)
    await place.create_all()
    assert await place.state("a") is State.RENDERING
    assert await place.desk.witness.created() == {"prompt of a": 1}
