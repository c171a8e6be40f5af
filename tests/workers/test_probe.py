"""Whether a stopped deployment can be used again: asked with a list call, by one worker at a time."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
import structlog

from orchestrator.admission import circuit
from orchestrator.items.states import State
from orchestrator.ledger import views
from orchestrator.ledger.keys import Ref
from orchestrator.ledger.views import DeploymentView
from tests.ledger import admit, batch_of, item, submit
from tests.main_job.night import until
from tests.workers.creating import Desk
from workers.rendering.create import create
from workers.rendering.probe import probe, probe_at_once
from workers.renewal import ClaimLost
from workers.sinks.directory import DirectorySink
from workers.video_api import Unreachable
from workers.worker import Worker

pytestmark = pytest.mark.asyncio

CLAIM_S = 30.0
NO_SUCH = {"error": {"message": "The API deployment for this resource does not exist.", "code": "DeploymentNotFound"}}


async def at_once(desk: Desk) -> DeploymentView:
    """A probe of the deployment now; how it stands then."""
    await probe_at_once(desk.store, desk.station.lines["east"], claim_s=CLAIM_S)
    return await views.deployment(desk.store, "east")


async def stopped(desk: Desk, status: int = 401, body: Any = None, **more: Any) -> None:
    """An item whose create was answered so, and so are those after it."""
    await desk.witness.fault(on="create", do="status", status=status, body=body, **more)
    assert (await desk.created("a")).state is State.WAITING
    assert (await views.deployment(desk.store, "east")).stopped


async def lists(desk: Desk) -> int:
    return int((await desk.witness.stats())["lists"])


async def test_a_key_that_may_list_again_opens_the_deployment(desk: Desk) -> None:
    await stopped(desk)
    view = await at_once(desk)
    assert (view.stopped, view.probation) == (None, False)
    (claim,) = (await admit(desk.store, desk.east)).admitted
    assert claim.ref == Ref("a", "a")


async def test_a_key_that_may_not_even_list_stays_stopped_and_its_probe_says_why(desk: Desk) -> None:
    await stopped(desk)
    await desk.witness.fault(on="list", do="status", status=401)
    with structlog.testing.capture_logs() as logs:
        view = await at_once(desk)
    assert (view.stopped, view.probes) == ("auth", 1)
    assert view.probe_error is not None
    assert "401" in view.probe_error
    (line,) = logs
    assert (line["event"], line["deployment"], line["passed"], line["probed_in_s"]) == (
        "deployment.probed", "east", False, 120.0,
    )  # fmt: skip


@pytest.mark.parametrize(("status", "reason"), [(404, "deployment_missing"), (410, "model_retired")])
async def test_a_missing_deployment_is_tried_with_one_real_item(desk: Desk, status: int, reason: str) -> None:
    await stopped(desk, status, NO_SUCH)
    await submit(desk.store, [item("b")], batch="b", deployments=[desk.east])
    assert (await views.deployment(desk.store, "east")).stopped == reason
    view = await at_once(desk)
    assert (view.stopped, view.probation) == (None, True)
    (claim,) = (await admit(desk.store, desk.east)).admitted
    await create(desk.station, await desk.item(claim.ref.item))
    assert not (await views.deployment(desk.store, "east")).probation
    assert len((await admit(desk.store, desk.east)).admitted) == 1


async def test_a_server_that_has_no_listing_is_tried_with_one_real_item(desk: Desk) -> None:
    await stopped(desk)
    await desk.witness.fault(on="list", do="status", status=404)
    view = await at_once(desk)
    assert (view.stopped, view.probation) == (None, True)


async def test_an_outage_is_no_proof_that_the_key_works(desk: Desk) -> None:
    await stopped(desk)
    await desk.witness.fault(on="list", do="status", status=503)
    assert (await at_once(desk)).stopped == "auth"
    await desk.witness.fault(on="list", do="drop")
    assert (await at_once(desk)).stopped == "auth"


async def test_an_open_deployment_is_left_alone(desk: Desk) -> None:
    before = await lists(desk)
    await at_once(desk)
    assert await lists(desk) == before


async def test_two_that_start_together_probe_once(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    await stopped(desk)
    asked, answer = asyncio.Event(), asyncio.Event()
    claim, calls = circuit.claim, 0

    async def slow() -> float:
        nonlocal calls
        calls += 1
        asked.set()
        await answer.wait()
        raise Unreachable("no answer")

    async def claims(*arguments: Any, **more: Any) -> circuit.Probe:
        claimed = await claim(*arguments, **more)
        if not claimed.number:
            answer.set()  # the second one has found the first one at it
        return claimed

    desk.api.server_time = slow
    monkeypatch.setattr(circuit, "claim", claims)
    first = asyncio.create_task(at_once(desk))
    await asked.wait()
    assert (await at_once(desk)).probes == 1
    assert (await first).probes == 1
    assert calls == 1


async def test_who_starts_after_a_prober_died_takes_its_probe_over(desk: Desk) -> None:
    await stopped(desk)
    dead = await circuit.claim(desk.store, "east", allowance_s=0.3)
    assert dead.number
    assert (await at_once(desk)).stopped is None


async def test_a_probe_that_is_another_workers_by_now_asks_nothing(desk: Desk) -> None:
    await stopped(desk)
    late = await circuit.claim(desk.store, "east", allowance_s=0.0)
    await circuit.claim(desk.store, "east", allowance_s=CLAIM_S)
    before = await lists(desk)
    with pytest.raises(ClaimLost):
        await probe(desk.store, desk.station.lines["east"], late.number, claim_s=CLAIM_S)
    assert await lists(desk) == before


async def test_a_worker_probes_what_is_due_and_goes_on_with_the_items(desk: Desk, tmp_path: Path) -> None:
    """Nobody starts anything: it was stopped, it is probed, the batch ends."""
    await stopped(desk)
    await desk.store.redis.hset(desk.store.keys.deployment("east"), "probe_at", 1)
    steps = ["create", "archive"]
    worker = Worker(desk.store, desk.station.lines, DirectorySink(tmp_path), claim_s=CLAIM_S, steps=steps)
    working = asyncio.create_task(worker.run())

    async def created() -> bool:
        return (await batch_of(desk.store, "a")).counts[State.RENDERING] == 1

    await until(created)
    worker.stop()
    await working
