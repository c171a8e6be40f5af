"""A create refused for the deployment's sake stops the deployment, not the item; it is probed, ever more seldom."""

from __future__ import annotations

import pytest

from orchestrator import deployments
from orchestrator.admission import circuit
from orchestrator.items.decision import Decision
from orchestrator.items.states import Event, State
from orchestrator.ledger import views
from orchestrator.ledger.records import Claim
from orchestrator.ledger.store import Store
from tests.ledger import accept, admit, deployment, intend, item, keys, state, submit

pytestmark = pytest.mark.asyncio

CREATOR = {"create": "steps", "probe": "steps"}
ALLOWANCE_S = 30.0
MINUTE, HOUR = 60, 3600


async def refused(store: Store, claim: Claim, reason: str = "auth") -> None:
    """The claim's create is answered with a refusal of the deployment."""
    await answered(store, claim, await intend(store, claim), reason)


async def answered(store: Store, claim: Claim, version: int, reason: str) -> None:
    verdict = {"stop": reason, "message": "no, thank you"}
    await store.apply(claim.ref, version, Decision(Event.RETURNED, money="none", deployment=verdict))


async def stopped(store: Store, reason: str = "auth", count: int = 3) -> None:
    """Items of which the first one's create stopped the deployment `east`."""
    await submit(store, [item(f"item-{n}") for n in range(count)])
    (claim,) = (await admit(store, deployment(), most=1)).admitted
    await refused(store, claim, reason)


async def probed(store: Store, *, passed: bool) -> None:
    """A probe of `east`, at once, and what came of it."""
    claim = await circuit.claim(store, "east", allowance_s=ALLOWANCE_S)
    assert claim.number
    if passed:
        await circuit.passed(store, "east", claim.number, careful=False)
    else:
        await circuit.failed(store, "east", claim.number, "HTTP 401: no")


async def pause_s(store: Store) -> float:
    """For how long it rests between its stop, or its last probe, and the next one."""
    fields = await store.read(store.keys.deployment("east"))
    begin = max(float(fields["stopped_at"]), float(fields.get("probed_at") or 0))
    return (float(fields["probe_at"]) - begin) / 1000


async def due_probes(store: Store, *names: str, pools: dict[str, str] | None = None) -> list[Claim]:
    """The probes that a worker is handed now; it knows `east`, or these."""
    claims, _ = await store.claim(
        {"steps": 5},
        pools=CREATOR if pools is None else pools,
        deployments=names or ["east"],
        allowance_s=ALLOWANCE_S,
        furthest_s=HOUR,
    )
    return [claim for claim in claims if claim.step == "probe"]


async def let_it_be_due(store: Store) -> None:
    await store.redis.hset(store.keys.deployment("east"), "probe_at", 1)


async def test_a_refused_create_returns_its_item_and_stops_the_deployment(store: Store) -> None:
    await stopped(store)
    assert await state(store, "item-0") is State.WAITING
    view = await views.deployment(store, "east")
    assert (view.stopped, view.message) == ("auth", "no, thank you")
    assert (await admit(store, deployment())).gate == "stopped"


async def test_the_first_stop_leads_to_a_probe_after_a_minute(store: Store) -> None:
    await stopped(store)
    assert await pause_s(store) == MINUTE
    assert await due_probes(store) == []


async def test_each_failed_probe_doubles_the_pause_up_to_an_hour(store: Store) -> None:
    await stopped(store)
    pauses = []
    for _ in range(8):
        await probed(store, passed=False)
        pauses.append(await pause_s(store) / MINUTE)
    assert pauses == [2, 4, 8, 16, 32, 60, 60, 60]
    view = await views.deployment(store, "east")
    assert (view.probes, view.probe_error) == (8, "HTTP 401: no")


async def test_a_key_that_may_list_but_not_create_is_asked_ever_more_seldom(store: Store) -> None:
    """The list call passes each time: only an accepted create ends the counting."""
    await stopped(store)
    pauses = []
    for _ in range(3):
        await probed(store, passed=True)
        (claim,) = (await admit(store, deployment(), most=1)).admitted
        await refused(store, claim)
        pauses.append(await pause_s(store) / MINUTE)
    assert pauses == [2, 4, 8]


async def test_an_accepted_create_ends_the_counting(store: Store) -> None:
    await stopped(store)
    await probed(store, passed=False)
    await probed(store, passed=True)
    first, second = (await admit(store, deployment(), most=2)).admitted
    await intend(store, first)
    await accept(store, first, "video_1")
    await refused(store, second)
    assert await pause_s(store) == MINUTE


async def test_a_create_that_was_out_when_the_deployment_stopped_proves_nothing(store: Store) -> None:
    await submit(store, [item("a"), item("b")])
    first, second = (await admit(store, deployment(), most=2)).admitted
    await intend(store, second)
    await refused(store, first)
    await probed(store, passed=False)
    await accept(store, second, "video_1")
    view = await views.deployment(store, "east")
    assert (view.stopped, view.probes) == ("auth", 1)


async def test_creates_that_were_refused_together_stop_it_once(store: Store) -> None:
    await submit(store, [item("a"), item("b")])
    first, second = (await admit(store, deployment(), most=2)).admitted
    versions = [await intend(store, first), await intend(store, second)]
    await answered(store, first, versions[0], "auth")
    await answered(store, second, versions[1], "deployment_missing")
    view = await views.deployment(store, "east")
    assert (view.stopped, view.probes) == ("auth", 0)
    assert await pause_s(store) == MINUTE


async def test_a_mended_key_opens_the_deployment_for_all(store: Store) -> None:
    await stopped(store)
    await probed(store, passed=True)
    assert len((await admit(store, deployment())).admitted) == 3


@pytest.mark.parametrize("reason", ["deployment_missing", "model_retired"])
async def test_what_shows_on_a_create_alone_is_tried_with_one_item_until_one_is_accepted(
    store: Store, reason: str
) -> None:
    await stopped(store, reason, count=4)
    await probed(store, passed=True)
    answer = await admit(store, deployment())
    assert (len(answer.admitted), answer.gate) == (1, "slot")
    assert (await admit(store, deployment())).gate == "slot"
    await refused(store, answer.admitted[0], reason)
    assert await pause_s(store) == 2 * MINUTE
    await probed(store, passed=True)
    (claim,) = (await admit(store, deployment())).admitted
    await intend(store, claim)
    await accept(store, claim, "video_1")
    assert len((await admit(store, deployment())).admitted) == 3


async def test_what_still_renders_there_does_not_keep_the_one_item_from_being_tried(store: Store) -> None:
    await submit(store, [item("a"), item("b"), item("c")])
    first, second = (await admit(store, deployment(), most=2)).admitted
    await intend(store, first)
    await accept(store, first, "video_1")
    await refused(store, second, "deployment_missing")
    await probed(store, passed=True)
    assert keys(await admit(store, deployment())) == ["b"]


async def test_a_create_of_long_ago_that_is_found_in_a_listing_ends_no_trial_but_the_tried_one_does(
    store: Store,
) -> None:
    await submit(store, [item("a"), item("b"), item("c")])
    lost, first = (await admit(store, deployment(), most=2)).admitted
    unknown = await intend(store, lost)
    await refused(store, first, "deployment_missing")
    await probed(store, passed=True)
    (tried,) = (await admit(store, deployment())).admitted
    await accept(store, lost, "video_1", how="prompt", version=unknown)
    assert (await views.deployment(store, "east")).probation
    await accept(store, tried, "video_2", how="prompt", version=await intend(store, tried))
    assert not (await views.deployment(store, "east")).probation


async def test_an_item_that_is_refused_for_its_own_sake_lets_another_be_tried(store: Store) -> None:
    await stopped(store, "deployment_missing")
    await probed(store, passed=True)
    (claim,) = (await admit(store, deployment())).admitted
    version = await intend(store, claim)
    await store.apply(claim.ref, version, Decision(Event.REFUSED, {"reason": "moderated"}, money="none"))
    answer = await admit(store, deployment())
    assert (len(answer.admitted), answer.gate) == (1, "slot")


async def test_after_a_list_call_that_proved_nothing_one_item_is_tried(store: Store) -> None:
    await stopped(store)
    await probed(store, passed=True)
    (claim,) = (await admit(store, deployment(), most=1)).admitted
    await refused(store, claim)
    await probed(store, passed=True)
    assert len((await admit(store, deployment())).admitted) == 1


async def test_a_due_probe_is_handed_to_one_worker(store: Store) -> None:
    await stopped(store)
    await let_it_be_due(store)
    (claim,) = await due_probes(store)
    assert (claim.step, claim.ref.batch) == ("probe", "east")
    assert await due_probes(store) == []


async def test_the_probe_of_a_worker_that_died_is_due_again_and_its_late_verdict_counts_for_nothing(
    store: Store,
) -> None:
    await stopped(store)
    await let_it_be_due(store)
    (dead,) = await due_probes(store)
    await let_it_be_due(store)  # its allowance has passed
    (alive,) = await due_probes(store)
    await circuit.passed(store, "east", dead.version, careful=False)
    assert not await circuit.renew(store, "east", dead.version, ALLOWANCE_S)
    assert (await views.deployment(store, "east")).stopped == "auth"
    await circuit.failed(store, "east", alive.version, "HTTP 401: no")
    assert (await views.deployment(store, "east")).probes == 1
    await circuit.failed(store, "east", alive.version, "HTTP 401: no")
    assert (await views.deployment(store, "east")).probes == 1


async def test_only_a_worker_that_creates_and_knows_the_deployment_is_handed_its_probe(store: Store) -> None:
    await stopped(store)
    await let_it_be_due(store)
    assert await due_probes(store, "west") == []
    assert await due_probes(store, pools={"poll": "polls"}) == []
    assert len(await due_probes(store, "east")) == 1


async def test_a_round_says_when_the_next_probe_is_due(store: Store) -> None:
    await stopped(store)
    _, next_s = await store.claim(
        {"steps": 5}, pools=CREATOR, deployments=["east"], allowance_s=ALLOWANCE_S, furthest_s=HOUR
    )
    assert next_s is not None
    assert 0 < next_s <= MINUTE


async def test_whoever_starts_probes_at_once_unless_somebody_is_at_it(store: Store) -> None:
    await stopped(store)
    first = await circuit.claim(store, "east", allowance_s=ALLOWANCE_S)
    second = await circuit.claim(store, "east", allowance_s=ALLOWANCE_S)
    assert (bool(first.number), second.number) == (True, 0)
    assert second.ask_again_in_s is not None
    await circuit.failed(store, "east", first.number, "HTTP 401: no")
    waited = await circuit.claim(store, "east", allowance_s=ALLOWANCE_S, inherit=True)
    assert (waited.number, waited.ask_again_in_s) == (0, None)


async def test_an_open_deployment_is_not_probed(store: Store) -> None:
    await submit(store, [item("a")])
    await admit(store, deployment())
    claim = await circuit.claim(store, "east", allowance_s=ALLOWANCE_S)
    assert (claim.number, claim.ask_again_in_s) == (0, None)


async def test_a_paused_deployment_is_probed_once_its_pause_is_over(store: Store) -> None:
    await stopped(store)
    await store.judge("east", {"pause": True})
    await let_it_be_due(store)
    assert await due_probes(store) == []
    await store.redis.hset(store.keys.deployment("east"), "paused_until", 1)
    assert len(await due_probes(store)) == 1


async def test_a_probe_further_off_than_any_pause_is_due_since_the_clock_stepped_back(store: Store) -> None:
    await stopped(store)
    far = round((await store.redis.time())[0] + 2 * HOUR) * 1000
    await store.redis.hset(store.keys.deployment("east"), "probe_at", far)
    assert len(await due_probes(store)) == 1


async def test_a_second_resume_while_one_create_is_tried_says_so_too(store: Store) -> None:
    await stopped(store, "deployment_missing")
    assert [await deployments.resume(store, "east") for _ in range(2)] == [True, True]
    (claim,) = (await admit(store, deployment())).admitted
    assert await deployments.resume(store, "east")
    await intend(store, claim)
    await accept(store, claim, "video_1")
    assert not await deployments.resume(store, "east")
