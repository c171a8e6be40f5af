"""`dailies reconcile` as an operator uses it, against the sandbox over sockets: what is settled, what the audit names,
and what a person may say (promises 4, 8 to 11)."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from dailies.mending import audit_words, reconciling
from dailies.mending.reconciling import Progress
from dailies.session import Session, open_deployments
from dailies.terminal.exits import UsageError
from orchestrator.items.decision import Decision
from orchestrator.items.states import Event, State
from orchestrator.ledger import remote_ids
from orchestrator.ledger.keys import Ref
from orchestrator.ledger.records import Claim, Item
from orchestrator.settings import load_settings
from tests.dailies.typing_it import dailies
from tests.ledger import admit, intend, item, submit
from tests.main_job.night import Witness, config, deployment, worker
from workers.reconciliation.audit import Place, audit
from workers.reconciliation.candidates import named
from workers.reconciliation.evidence import Hold
from workers.reconciliation.reconcile import held
from workers.rendering.create import create
from workers.station import Station
from workers.video_api import RemoteStatus

Sandbox = Callable[..., Awaitable[Any]]


@dataclass
class Studio:
    """A configuration, its ledger and a provider. Items are batches of one, so that each is sent by itself."""

    session: Session
    witness: Witness
    path: Path

    async def types(self, *words: str) -> tuple[int, str, str]:
        """Exit code, stdout and what was said."""
        return await dailies("reconcile", *words, "--config", str(self.path))

    async def sent(self, key: str, *, batch: str = "", **more: Any) -> Item:
        """The item after its create step."""
        east, batch = self.session.settings.deployments[0], batch or key
        await submit(self.session.store, [item(key, **more)], batch=batch, deployments=[east])
        await self.session.store.judge("east", {"resume": True})
        (claim,) = (await admit(self.session.store, east)).admitted
        found = await self.session.store.load(claim.ref)
        assert found is not None
        station = Station(
            self.session.store, self.session.lines, self.session.archive(), time.time, lambda _: None, 30.0
        )
        await create(station, found)
        return await self.item(key, batch)

    async def lost(self, key: str, *, do: str = "drop_after", **more: Any) -> Item:
        """An item whose create was taken, or never arrived, and nobody knows."""
        await self.witness.fault(on="create", do=do)
        found = await self.sent(key, **more)
        assert found.state is State.CREATING
        return found

    async def held(self, key: str, *, do: str = "drop_after", **more: Any) -> Item:
        """The same, settled without an outcome."""
        found = await self.lost(key, do=do, **more)
        await self.session.store.apply(found.ref, found.version, held(Hold("nobody could tell")))
        return await self.item(key, found.ref.batch)

    async def item(self, key: str, batch: str = "") -> Item:
        found = await self.session.store.load(Ref(batch or key, key))
        assert found is not None
        return found

    async def sent_again(self, found: Item) -> Claim:
        """The claim of an item whose create came to nothing, as it seemed, and is about to be sent once more."""
        store, east = self.session.store, self.session.settings.deployments[0]
        await store.apply(found.ref, found.version, Decision(Event.RESENT, {"resent": 1}, money="none"))
        await store.judge("east", {"resume": True})
        (claim,) = (await admit(store, east)).admitted
        return claim

    async def cancelled(self, ref: Ref) -> None:
        """Somebody asked for it."""
        asked = {"cancel": "discard", "cancel_at": 1, "cancel_by": "ann", "cancel_reason": ""}
        await self.session.store.redis.hset(self.session.store.keys.item(ref), mapping=asked)

    async def ended(self, key: str, event: Event, **fields: Any) -> Item:
        """An item that renders, ended without its video."""
        found = await self.sent(key)
        await self.cancelled(found.ref)
        await self.session.store.apply(found.ref, found.version, Decision(event, fields, money="unknown"))
        return await self.item(key)

    async def job_of(self, key: str) -> str:
        """The id of the job that was made of an item's prompt."""
        (job,) = [job for job in await self.witness.jobs() if job["prompt"] == f"prompt of {key}"]
        return str(job["id"])

    async def stranger(self, prompt: str = "somebody else's film", **more: Any) -> str:
        """A job that another program creates."""
        body = {"model": "sora-2", "prompt": prompt, "size": "1280x720", "seconds": "4", **more}
        async with httpx.AsyncClient(headers={"api-key": "any"}) as web:
            made = await web.post(f"{self.witness.url}/openai/v1/videos", json=body)
            return str(made.raise_for_status().json()["id"])

    async def audit(self) -> Place:
        (place,) = await audit(self.session.store, self.session.lines.values())
        return place


@pytest.fixture
async def studio(
    sandbox: Sandbox, tmp_path: Path, redis_url: str, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Studio]:
    monkeypatch.setenv("SANDBOX_KEY", "any")
    server = await sandbox(queue_s=0, render_s=(0.1, 0.1))
    path = config(
        tmp_path / "dailies.yaml",
        redis_url=redis_url,
        namespace=namespace,
        archive={"url": str(tmp_path / "archive")},
        deployments=[deployment("east", server.url, quota={"per_minute": None, "burst": 1, "concurrent": None})],
    )
    async with open_deployments(load_settings(path, {"SANDBOX_KEY": "any"})) as session:
        yield Studio(session, Witness(server.url), path)


async def test_what_can_be_told_is_settled_at_once_and_the_rest_is_said(studio: Studio) -> None:
    """Promises 8 to 11; exit code 1 while an item is held or in doubt."""
    await studio.sent("first")
    await studio.lost("made")
    await studio.lost("unmade", do="drop")
    await studio.held("held", do="drop")
    code, out, _ = await studio.types("--json")
    document = json.loads(out)
    assert (code, document["held"], document["undecided"]) == (1, 1, 1)
    outcomes = {each["key"]: (each["outcome"], each["adopted"]) for each in document["items"]}
    assert outcomes == {"made": ("adopted", "prompt"), "unmade": ("undecided", None), "held": ("held", None)}
    assert (await studio.item("made")).remote_id == await studio.job_of("made")


async def test_a_held_item_whose_job_is_listed_by_now_is_brought_back_and_nothing_is_left_to_do(studio: Studio) -> None:
    """Promise 11: later evidence moves it."""
    await studio.held("late")
    assert [each.outcome for each in await reconciling.settle(studio.session, Progress(print))] == ["adopted"]
    assert (await studio.item("late")).state is State.RENDERING
    code, out, _ = await studio.types()
    assert (code, out) == (0, "no create is in doubt, and no item is held\n")


async def test_a_batch_with_held_items_is_not_forgotten_unasked(studio: Studio) -> None:
    """Whoever is not there to be asked has to say so: nobody would know any more what came of them."""
    await studio.held("late")
    await studio.session.store.end_report("late", 0, keep_s=1000)
    code, _, told = await dailies("forget", "late", "--config", str(studio.path))
    assert (code, "late has 1 held item" in told, "--yes" in told) == (2, True, True)
    code, out, _ = await dailies("forget", "late", "--yes", "--config", str(studio.path))
    assert (code, out.startswith("late: forgotten, 1 item")) == (0, True)


async def test_whoever_is_held_is_told_with_the_jobs_that_it_may_be_and_the_ways_out(studio: Studio) -> None:
    """Promise 11: its candidates are named, with their times."""
    found = await studio.lost("held")
    job = await studio.session.lines["east"].api.get(await studio.job_of("held"))
    await studio.session.store.apply(found.ref, found.version, held(Hold("who knows", (job,))))
    await studio.witness.fault(on="list", do="status", status=503, times=None)
    code, out, _ = await studio.types()
    assert code == 1
    assert f"dailies reconcile --adopt held/held={job.remote_id}" in out
    assert "none of them: dailies retry held --key held --accept-double-charge" in out
    _, out, _ = await dailies("show", "held", "held", "--json", "--config", str(studio.path))
    (candidate,) = json.loads(out)["candidates"]
    assert (candidate["id"], candidate["created_at"]) == (job.remote_id, int(job.created_at or 0))
    assert named((await studio.item("held")).fields) == [candidate]


async def test_a_create_that_is_on_its_way_is_left_alone(studio: Studio) -> None:
    """Promise 2: nobody decides about it before its answer must be there."""
    found = await studio.lost("out")
    key = studio.session.store.keys.attempt(found.ref, 1)
    await studio.session.store.redis.hdel(key, "outcome")
    looked = await reconciling.settle(studio.session, Progress(print))
    assert [each.outcome for each in looked] == ["out"]
    assert (await studio.item("out")).version == found.version


async def test_the_audit_names_every_job_that_nobody_here_knows(studio: Studio) -> None:
    """Promise 4: with what it shows, by when it is deleted, what it costs to lose, and whose it may be."""
    ours = await studio.sent("ours")
    found = await studio.held("held")
    stranger = await studio.stranger()
    code, out, _ = await studio.types("--audit", "--json")
    document = json.loads(out)
    (place,) = document["places"]
    unknown = {each["id"]: each for each in place["unknown"]}
    assert (code, document["held"], place["listed"], place["deployments"]) == (1, 1, 3, ["east"])
    assert unknown.keys() == {stranger, await studio.job_of("held")}
    assert ours.remote_id not in unknown
    told = unknown[stranger]
    assert (told["size"], told["seconds"], told["cost_usd"], told["prompt"], told["likely"]) == (
        "1280x720", 4, 0.4, "somebody else's film", []
    )  # fmt: skip
    assert told["expires_at"] == told["created_at"] + 86_400
    assert unknown[await studio.job_of("held")]["likely"] == [str(found.ref)]
    code, out, _ = await studio.types("--audit")
    assert f"dailies reconcile --adopt held/held={await studio.job_of('held')}" in out


async def test_the_audit_names_an_orphan_with_the_attempt_that_made_it(studio: Studio) -> None:
    """Promise 4: a finished video of ours is never lost sight of."""
    found = await studio.lost("late")
    job, store = await studio.job_of("late"), studio.session.store
    await intend(store, await studio.sent_again(found))
    assert (await store.accept(found.ref, 1, job, how="answer", fields={}, due_in_s=60))[0] == "orphan"
    (stray,) = (await studio.audit()).strays
    assert (stray.job.remote_id, stray.answered, stray.likely[0]) == (job, "late/late#1", found.ref)


async def test_the_audit_names_a_finished_video_whose_item_has_failed_but_not_one_that_was_discarded(
    studio: Studio,
) -> None:
    """Nothing finished is lost: three 404s in two minutes, and then it is there after all."""
    failed = await studio.ended("failed", Event.FAILED, reason="remote_missing")
    await studio.ended("discarded", Event.DISCARDED, reason="discarded")
    api = studio.session.lines["east"].api
    while (await api.get(failed.remote_id or "")).status is not RemoteStatus.SUCCEEDED:
        pass
    (stray,) = (await studio.audit()).strays
    assert (stray.job.remote_id, stray.answered) == (failed.remote_id, "failed/failed#1")


async def test_the_audit_names_items_whose_remote_job_is_gone(studio: Studio) -> None:
    gone, there = await studio.sent("gone"), await studio.sent("there")
    async with httpx.AsyncClient(headers={"api-key": "any"}) as web:
        while not (await web.delete(f"{studio.witness.url}/openai/v1/videos/{gone.remote_id}")).is_success:
            pass
    place = await studio.audit()
    assert {remote_id: item.ref for remote_id, item in place.gone.items()} == {gone.remote_id: gone.ref}
    assert there.remote_id not in place.gone
    assert not audit_words.clean([place])


async def test_a_clean_audit_ends_with_0_and_other_programs_jobs_are_theirs_where_they_are_told_of(
    studio: Studio,
) -> None:
    await studio.sent("ours")
    assert audit_words.clean([await studio.audit()])
    await studio.stranger()
    place = await studio.audit()
    assert not audit_words.clean([place])
    place.shared = True
    assert audit_words.clean([place])
    code, _, _ = await studio.types("--audit", "--since", "1h")
    assert code == 1


async def test_a_list_that_breaks_off_is_said_and_proves_nothing(studio: Studio) -> None:
    await studio.witness.fault(on="list", do="status", status=503, times=None)
    place = await studio.audit()
    assert place.error is not None
    assert not audit_words.clean([place])


async def test_an_audit_goes_through_all_pages(studio: Studio) -> None:
    """Newest first, page by page, and no job twice."""
    async with httpx.AsyncClient(headers={"api-key": "any"}) as web:
        body = {"model": "sora-2", "prompt": "x", "size": "1280x720", "seconds": "4"}
        for _ in range(130):
            await web.post(f"{studio.witness.url}/openai/v1/videos", json=body)
    place = await studio.audit()
    assert (place.listed, len({each.job.remote_id for each in place.strays})) == (130, 130)


async def test_a_job_given_by_hand_to_a_held_item_is_brought_home_like_any_other(studio: Studio) -> None:
    """Promise 11: a person moves it; the receipt says that it was by hand."""
    await studio.held("hero")
    job = await studio.job_of("hero")
    code, out, _ = await studio.types("--adopt", f"hero={job}")
    assert (code, f"hero/hero has the job {job} now" in out) == (0, True)
    async with worker(studio.path) as hands:
        await hands.saw("item.archived", key="hero")
    archived = await studio.item("hero")
    assert (archived.state, archived.attempts, archived.attempt and archived.attempt.money) == (
        State.ARCHIVED, 1, "confirmed"
    )  # fmt: skip
    (receipt,) = (studio.path.parent / "archive/hero").glob("hero.json")
    assert json.loads(receipt.read_text())["adopted"] == "hand"
    assert not (await studio.audit()).strays


async def test_what_failed_was_cancelled_or_waits_can_be_given_a_job_in_an_attempt_of_its_own(studio: Studio) -> None:
    failed = await studio.ended("failed", Event.FAILED, reason="internal_error")
    store, east = studio.session.store, studio.session.settings.deployments[0]
    await submit(store, [item("cancelled"), item("waiting")], batch="later", deployments=[east])
    waits = await store.load(Ref("later", "cancelled"))
    assert waits is not None
    await studio.cancelled(waits.ref)
    await store.apply(waits.ref, waits.version, Decision(Event.CANCELLED))
    for key, attempts in (("failed", 2), ("cancelled", 1), ("waiting", 1)):
        job = await studio.stranger(f"prompt of {key}")
        (found,) = await reconciling.adopt(studio.session, [f"{key}={job}"], forced=False)
        assert (found.state, found.remote_id, found.attempts) == (State.RENDERING, job, attempts)
    assert (await store.load(failed.ref)) is not None
    assert (await admit(store, east)).admitted == (), "nothing of it is sent besides"


async def refused(studio: Studio, asked: str, *, forced: bool = False) -> str:
    with pytest.raises(UsageError) as error:
        await reconciling.adopt(studio.session, [asked], forced=forced)
    return str(error.value)


async def test_an_id_is_never_taken_from_the_item_that_has_it(studio: Studio) -> None:
    """Promise 8: not even by force, nor where that one only guessed."""
    ours = await studio.sent("ours")
    await studio.held("held", do="drop")
    for how in ("answer", "prompt", "time"):
        await studio.session.store.redis.hset(studio.session.store.keys.attempt(ours.ref, 1), "adopted", how)
        text = await refused(studio, f"held={ours.remote_id}", forced=True)
        assert "belongs to ours/ours" in text
    assert (await studio.item("held")).state is State.HELD


async def test_what_is_not_as_ordered_needs_force(studio: Studio) -> None:
    await studio.held("held", do="drop")
    job = await studio.stranger(seconds="12")
    text = await refused(studio, f"held={job}")
    assert "it lasts 12 s, not 4" in text
    assert "its prompt begins “somebody else's film”" in text
    (found,) = await reconciling.adopt(studio.session, [f"held={job}"], forced=True)
    assert found.remote_id == job


async def test_what_has_a_job_is_archived_or_is_being_sent_takes_none(studio: Studio) -> None:
    job = await studio.stranger()
    ours = await studio.sent("ours")
    assert "has a remote job" in await refused(studio, f"ours={job}", forced=True)
    out = await studio.lost("out")
    await studio.session.store.redis.hdel(studio.session.store.keys.attempt(out.ref, 1), "outcome")
    assert "is being sent right now" in await refused(studio, f"out={job}", forced=True)
    done = await studio.session.store.apply(ours.ref, ours.version, Decision(Event.SUCCEEDED, {"expires_at": 1}))
    await studio.session.store.apply(ours.ref, done or 0, Decision(Event.ARCHIVED))
    assert "is archived" in await refused(studio, f"ours={job}", forced=True)


async def test_what_cannot_be_meant_is_said_in_words(studio: Studio) -> None:
    await studio.held("hero", do="drop")
    assert "no deployment knows the job video_x" in await refused(studio, "hero=video_x")
    assert "write it as KEY=ID" in await refused(studio, "hero")
    assert "there is no item nobody" in await refused(studio, "nobody=video_x")
    await studio.held("hero", do="drop", batch="autumn")
    assert "BATCH/KEY=ID (hero/hero, autumn/hero)" in await refused(studio, "hero=video_x")
    assert "no deployment knows" in await refused(studio, "autumn/hero=video_x")
    code, _, said = await studio.types("--adopt", "hero=x", "--audit")
    assert (code, "give one of them" in said) == (2, True)


async def test_an_orphan_given_to_its_item_keeps_its_attempt_and_is_paid_for_once(studio: Studio) -> None:
    """Promise 28: the money moves with the job."""
    found = await studio.lost("late")
    job, store = await studio.job_of("late"), studio.session.store
    claim = await studio.sent_again(found)
    version = await intend(store, claim)
    await store.accept(found.ref, 1, job, how="answer", fields={}, due_in_s=60)
    await store.apply(claim.ref, version, held(Hold("nobody could tell")))
    (given,) = await reconciling.adopt(studio.session, [f"late={job}"], forced=False)
    assert (given.state, given.attempts, given.made, given.remote_id) == (State.RENDERING, 1, 2, job)
    assert await remote_ids.orphans(store) == []
    batch = await store.read(store.keys.batch("late"))
    assert int(batch["unknown"]) == 800_000, "the second create may have made one too"


def test_progress_is_told_now_and_then() -> None:
    told: list[str] = []
    at = iter([0.0, 1.0, 4.0, 4.0, 5.0])
    progress = Progress(told.append, clock=lambda: next(at))
    for text in ("a", "b", "c"):
        progress(text)
    assert told == ["b"]
