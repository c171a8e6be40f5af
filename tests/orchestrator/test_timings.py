"""What things take is learned where they happen, and assumed until it was seen often enough."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.admission.timings import (
    ARCHIVE_S,
    CREATE_S,
    FRESH_S,
    LEAST,
    RENDER_S,
    RenderTimes,
    Timing,
    Took,
    render_field,
    timings,
)
from orchestrator.items.decision import Decision
from orchestrator.items.states import Event
from orchestrator.ledger.records import Claim
from orchestrator.ledger.store import Store
from tests.ledger import ALLOWANCE_S, accept, admit, deployment, intend, item, submit
from tests.orchestrator.virtual_clock import on_virtual_time, start_ms, tell

CREATED = 1_790_000_000
KIND = ("sora-2", "1280x720", 4)


@pytest.fixture
async def store(redis: Any, namespace: str) -> Store:
    """Its clock stands: nothing takes longer than is said."""
    made = on_virtual_time(redis, namespace)
    await tell(made, start_ms())
    return made


async def learned(store: Store, size: str = "1280x720", seconds: int = 4) -> Timing:
    found = await timings(store, [deployment()], [("sora-2", size, seconds)])
    return found["east", size, seconds]


async def set_back(store: Store, claim: Claim, field: str, ms: int, *, of_item: bool = False) -> None:
    """As if an instant of the ledger had been so much earlier."""
    key = store.keys.item(claim.ref) if of_item else store.keys.attempt(claim.ref, claim.attempt)
    await store.redis.hincrby(key, field, -ms)


async def render(store: Store, claim: Claim, took_s: float, *, create_ms: int = 1500) -> int:
    """Through create and render; the item's version then."""
    await intend(store, claim)
    await set_back(store, claim, "intent_at", create_ms)
    _, version = await accept(store, claim, f"video_{claim.ref}", fields={"created_at": CREATED})
    completed = {"completed_at": round((CREATED + took_s) * 1000)}
    done = await store.apply(
        claim.ref, int(version), Decision(Event.SUCCEEDED, {"expires_at": 1}, completed, money="confirmed")
    )
    assert done is not None
    return done


async def rendered(store: Store, *took_s: float) -> None:
    """So many videos, one after the other."""
    await submit(store, [item(f"k{n}") for n in range(len(took_s))])
    for claim, seconds in zip((await admit(store, deployment())).admitted, took_s, strict=True):
        await render(store, claim, seconds)


async def test_until_it_was_seen_often_enough_a_time_is_assumed(store: Store) -> None:
    await rendered(store, *[60.0] * (LEAST - 1))
    assert await learned(store) == Timing(180.0, CREATE_S, ARCHIVE_S, learned=False)


async def test_what_was_seen_often_enough_is_believed(store: Store) -> None:
    await rendered(store, 60.0, 70.0, 80.0)
    found = await learned(store)
    assert (found.render_s, found.learned) == (pytest.approx(70.0), True)
    assert found.create_s == pytest.approx(1.5)


async def test_each_size_and_length_has_a_time_of_its_own(store: Store) -> None:
    await rendered(store, 60.0, 70.0, 80.0)
    assert not (await learned(store, seconds=8)).learned
    assert not (await learned(store, size="720x1280")).learned


async def test_recent_times_count_most(store: Store) -> None:
    """A provider that became slower is believed after some twenty videos, whatever it did for months."""
    await store.redis.hset(store.keys.timings("east"), render_field("1280x720", 4), "60000.000 5000")
    await rendered(store, *[120.0] * 20)
    assert 95 < (await learned(store)).render_s < 120


async def test_the_last_renders_are_kept_beside_their_mean(store: Store) -> None:
    await rendered(store, 80.0, 60.0, 70.0)
    assert (await learned(store)).renders == (60.0, 70.0, 80.0)


async def test_of_many_renders_the_last_twenty_are_kept(store: Store) -> None:
    """So that a provider that became faster is looked at in time."""
    await rendered(store, *range(100, 130))
    assert (await learned(store)).renders == tuple(map(float, range(110, 130)))


async def test_a_mean_of_an_earlier_release_is_still_believed_and_gains_its_last_renders(store: Store) -> None:
    await store.redis.hset(store.keys.timings("east"), render_field("1280x720", 4), "60000.000 5000")
    assert await learned(store) == Timing(60.0, CREATE_S, ARCHIVE_S, learned=True)
    await rendered(store, 61.0, 62.0, 63.0)
    assert (await learned(store)).renders == (61.0, 62.0, 63.0)


def test_what_the_ledger_holds_is_read_with_and_without_the_last_ones() -> None:
    assert Took.parse("1500.250 7") == Took(1.50025, 7)
    assert Took.parse("1500.250 7 2000,1000") == Took(1.50025, 7, (1.0, 2.0))


async def test_a_worker_reads_the_renders_of_a_kind_again_when_what_it_knows_is_old(store: Store) -> None:
    now = [100.0]
    times = RenderTimes(store, clock=lambda: now[0])
    await rendered(store, 60.0, 60.0)
    assert await times.of("east", "1280x720", 4) == ()
    await store.redis.hset(store.keys.timings("east"), render_field("1280x720", 4), "1 3 60000,61000,62000")
    assert await times.of("east", "1280x720", 4) == ()
    now[0] += FRESH_S
    assert await times.of("east", "1280x720", 4) == (60.0, 61.0, 62.0)
    assert await times.of("east", "1280x720", 8) == ()


async def test_each_deployment_learns_for_itself_what_it_serves(store: Store) -> None:
    await rendered(store, 60.0, 60.0, 60.0)
    kinds = [KIND, ("sora", "480x480", 5), ("house", "480x480", 5)]
    both = [deployment(), deployment("west"), deployment("old", model="sora", api="jobs")]
    house = deployment("house", model="house")
    found = await timings(store, [*both, house], kinds)
    assert {name: (t.render_s, t.learned) for (name, _, _), t in found.items()} == {
        "east": (pytest.approx(60.0), True),
        "west": (180.0, False),
        "old": (180.0, False),
        "house": (RENDER_S, False),
    }
    assert set(found) >= {("east", "1280x720", 4), ("old", "480x480", 5)}


async def test_without_a_store_everything_is_assumed() -> None:
    found = await timings(None, [deployment()], [KIND])
    assert found == {("east", "1280x720", 4): Timing(180.0, CREATE_S, ARCHIVE_S, learned=False)}


async def test_archiving_is_measured_from_its_last_claim_to_its_proof(store: Store) -> None:
    await submit(store, [item(f"k{n}") for n in range(3)])
    for claim in (await admit(store, deployment())).admitted:
        await render(store, claim, 60)
    claims, _ = await store.claim(
        {"archive": 9}, pools={"archive": "archive"}, deployments=["east"], allowance_s=ALLOWANCE_S, furthest_s=7200
    )
    assert len(claims) == 3
    for claim in claims:
        await set_back(store, claim, "archiving_since", 9000, of_item=True)
        assert await store.apply(claim.ref, claim.version, Decision(Event.ARCHIVED))
    assert (await learned(store)).archive_s == pytest.approx(9)


async def test_an_answer_that_is_told_twice_is_learned_once(store: Store) -> None:
    """As when the connection broke before its reply arrived."""
    await submit(store, [item("a")])
    (claim,) = (await admit(store, deployment())).admitted
    await intend(store, claim)
    for _ in range(LEAST):
        await accept(store, claim, "video_1")
    kept = await store.redis.hget(store.keys.timings("east"), "create")
    assert kept is not None
    assert kept.split()[1] == b"1"


async def test_clocks_that_contradict_each_other_teach_nothing(store: Store) -> None:
    await rendered(store, -5.0, -5.0, 2 * 86_400.0, 2 * 86_400.0)
    assert not (await learned(store)).learned
    assert not await store.redis.hexists(store.keys.timings("east"), render_field("1280x720", 4))


async def test_a_job_that_was_found_by_the_listing_says_nothing_about_its_create(store: Store) -> None:
    await submit(store, [item("a")])
    (claim,) = (await admit(store, deployment())).admitted
    version = await intend(store, claim)
    await accept(store, claim, "video_1", how="prompt", version=version)
    assert not await store.redis.hexists(store.keys.timings("east"), "create")
