"""What refusals teach of a quota: against providers that count strictly, on virtual time, with jitter on the way."""

from __future__ import annotations

from dataclasses import replace

import pytest
from arq.connections import ArqRedis

from orchestrator.ledger.records import Claim
from orchestrator.ledger.store import Store
from orchestrator.settings import Deployment
from tests.ledger import accept, admit, deployment, intend, item, keys, submit
from tests.orchestrator.learned_quota import to_scale
from tests.orchestrator.strict_provider import Night, Provider, night
from tests.orchestrator.virtual_clock import on_virtual_time, start_ms, tell
from workers.rendering.verdict import decide
from workers.video_api import RefusalKind, Refused

#: Refusals are counted from here on: by then the first have taught what there is to learn.
LEARNING = 64


@pytest.fixture
async def ledger(redis: ArqRedis, namespace: str) -> Store:
    store = on_virtual_time(redis, namespace)
    await tell(store, start_ms())
    return store


async def render(store: Store, east: Deployment, provider: Provider, count: int, **more: object) -> Night:
    """A night at one deployment."""
    await submit(store, [item(f"k{n}") for n in range(count)], deployments=[east])
    return await night(store, [east], {east.name: provider}, **more)  # type: ignore[arg-type]


async def learned(store: Store, name: str = "east") -> dict[str, float]:
    fields = await store.read(store.keys.deployment(name))
    return {what: float(value) for what, value in fields.items() if what.startswith("learned_")}


EAST = deployment(per_minute=60)


async def wait(store: Store, ms: int) -> None:
    """Time passes."""
    seconds, us = (int(part) for part in await store.redis.hmget(store.keys.meta, "test_s", "test_us"))
    await tell(store, seconds * 1000 + us // 1000 + ms)


async def leave(store: Store, gap_ms: int) -> Claim:
    """One create is on its way, so long after the last."""
    await wait(store, gap_ms)
    (claim,) = (await admit(store, EAST, most=1)).admitted
    return replace(claim, version=await intend(store, claim))


async def take(store: Store, count: int, *, gap_ms: int = 5_000) -> None:
    """So many are accepted, one by one."""
    for _ in range(count):
        claim = await leave(store, gap_ms)
        await accept(store, claim, f"video_{claim.ref.item}_{claim.attempt}")


async def refuse(store: Store, claim: Claim | None = None) -> None:
    """One is too many, and the next may follow in a moment."""
    claim = claim or await leave(store, 5_000)
    refused = Refused(RefusalKind.RATE_LIMITED, 429, None, "rate limit", None, 0.1)
    await store.apply(claim.ref, claim.version, decide(refused, EAST))


@pytest.mark.parametrize(
    ("per_minute", "window_ms"), [(2, 60_000), (6, 60_000), (6, 10_000), (60, 10_000), (240, 10_000), (120, 60_000)]
)
async def test_a_strict_server_never_refuses_where_the_rate_is_right(
    ledger: Store, per_minute: int, window_ms: int
) -> None:
    provider = Provider(per_minute, window_ms=window_ms)
    seen = await render(ledger, deployment(per_minute=per_minute), provider, 90)
    assert (len(seen.taken), seen.refused) == (90, [])
    assert seen.span_ms() <= 1.03 * 89 * 60_000 / per_minute


async def test_a_strict_server_never_refuses_where_the_slots_are_right(ledger: Store) -> None:
    seen = await render(ledger, deployment(concurrent=3), Provider(slots=3), 90)
    assert (len(seen.taken), seen.refused) == (90, [])


@pytest.mark.parametrize("window_ms", [10_000, 60_000])
async def test_a_rate_that_is_configured_too_high_is_found_out(ledger: Store, window_ms: int) -> None:
    seen = await render(ledger, deployment(per_minute=120), Provider(60, window_ms=window_ms), 300)
    assert seen.refused_after(LEARNING) < 0.02
    assert {kind for _, kind in seen.refused} == {RefusalKind.RATE_LIMITED}
    assert seen.span_ms(LEARNING) <= 1.05 * (300 - LEARNING) * 1000
    assert 57 <= (await learned(ledger))["learned_per_minute"] <= 66


async def test_a_server_that_does_not_say_how_long_to_wait_teaches_too(ledger: Store) -> None:
    seen = await render(ledger, deployment(per_minute=120), Provider(60, window_ms=10_000, tells_wait=False), 200)
    assert len(seen.taken) == 200
    assert seen.refused_after(LEARNING) < 0.02


async def test_slots_that_are_configured_too_high_are_found_out(ledger: Store) -> None:
    seen = await render(ledger, deployment(concurrent=8), Provider(slots=4), 250)
    assert seen.refused_after(LEARNING) < 0.02
    assert seen.span_ms(LEARNING) <= 1.05 * (250 - LEARNING) / 4 * 60_000
    assert await learned(ledger) == {"learned_slots": 4}


@pytest.mark.parametrize("slots", [1, 2, 6])
async def test_auto_finds_out_how_many_may_run(ledger: Store, slots: int) -> None:
    seen = await render(ledger, deployment(concurrent="auto"), Provider(slots=slots), 200)
    assert seen.most_running >= slots
    assert seen.refused_after(LEARNING) < 0.02
    assert await learned(ledger) == {"learned_slots": slots}


async def test_auto_begins_with_two(ledger: Store) -> None:
    await submit(ledger, [item(f"k{n}") for n in range(9)])
    answer = await admit(ledger, deployment(concurrent="auto"))
    assert (keys(answer), answer.gate) == (["k0", "k1"], "slot")


async def test_more_is_tried_later_but_never_more_than_is_configured(ledger: Store) -> None:
    """Another program that used half of the slots has ended."""
    provider = Provider(slots=2)

    def leave() -> None:
        provider.slots = None

    seen = await render(ledger, deployment(concurrent=4), provider, 200, at={30: leave})
    assert (await learned(ledger))["learned_slots"] == 4
    assert seen.most_running == 4


async def test_a_pace_grows_again_but_never_above_what_is_configured(ledger: Store) -> None:
    provider = Provider(30, window_ms=10_000)

    def leave() -> None:
        provider.per_minute = None

    east = deployment(per_minute=60)
    seen = await render(ledger, east, provider, 700, at={40: leave})
    assert (await learned(ledger))["learned_per_minute"] == 60
    assert seen.taken[-1] - seen.taken[-61] >= 60_000


async def test_a_neighbour_makes_room_for_itself_by_the_refusals_that_it_causes(ledger: Store) -> None:
    """It takes three of ten; what is left is used."""
    provider = Provider(60, window_ms=10_000)
    seen = await render(ledger, deployment(per_minute=60), replace(provider, per_minute=42), 250)
    assert seen.refused_after(LEARNING) < 0.02
    assert seen.span_ms(LEARNING) <= 1.06 * (250 - LEARNING) * 60_000 / 42


async def test_a_neighbour_that_comes_again_and_again_is_left_what_it_takes(ledger: Store) -> None:
    """It is refused with us while we learn, and then has more than it showed: we make room in few steps."""
    seen = await render(ledger, deployment(per_minute=120), Crowded(120, 1_500, window_ms=10_000), 180)
    assert seen.refused_after(LEARNING) < 0.02
    assert seen.span_ms(LEARNING) <= 1.15 * (180 - LEARNING) * 60_000 / 80


async def test_what_is_tried_in_vain_is_tried_by_less_and_ever_later_until_something_holds(ledger: Store) -> None:
    """Here 2 accepted creates stand for 64. A pace that held is not doubted for what was tried above it."""
    to_scale(ledger)
    await submit(ledger, [item(f"k{n}") for n in range(130)], deployments=[EAST])
    await take(ledger, 9, gap_ms=1_100)
    await refuse(ledger)
    found = (await learned(ledger))["learned_per_minute"]
    assert 30 < found < 50
    for accepted, more in ((2, 1.05), (4, 1.025), (8, 1.02), (16, 1.02)):
        await take(ledger, accepted - 1)
        assert await learned(ledger) == {"learned_per_minute": found}
        await take(ledger, 1)
        assert (await learned(ledger))["learned_per_minute"] == pytest.approx(found * more, rel=1e-5)
        await refuse(ledger)
        assert await learned(ledger) == {"learned_per_minute": found}
    await take(ledger, 32)
    assert (await learned(ledger))["learned_per_minute"] == pytest.approx(found * 1.02, rel=1e-5)
    await take(ledger, 32)
    held = (await learned(ledger))["learned_per_minute"]
    assert held == pytest.approx(found * 1.02 * 1.04, rel=1e-5)
    await take(ledger, 2)
    assert (await learned(ledger))["learned_per_minute"] > held, "the pauses are short again"


async def test_what_was_out_with_the_first_that_was_refused_teaches_nothing_more(ledger: Store) -> None:
    """The answers of creates that left one after the other come one after the other too."""
    await submit(ledger, [item(f"k{n}") for n in range(20)], deployments=[EAST])
    await take(ledger, 9, gap_ms=1_100)
    first, *others = [await leave(ledger, 1_100) for _ in range(3)]
    await refuse(ledger, first)
    found = await learned(ledger)
    assert found["learned_per_minute"] < 60
    for claim in others:
        await wait(ledger, 500)
        await refuse(ledger, claim)
        assert await learned(ledger) == found


async def test_what_is_reserved_is_never_asked_for(ledger: Store) -> None:
    east = deployment(per_minute=60, concurrent=3, reserve={"per_minute": 18, "concurrent": 1})
    seen = await render(ledger, east, Provider(42, slots=2, window_ms=10_000), 60, render_ms=2_000)
    assert seen.refused == []


async def test_deployments_of_one_quota_are_counted_together(ledger: Store) -> None:
    both = [deployment(name, per_minute=60, concurrent=3, shared_as="account") for name in ("east", "west")]
    account = Provider(60, slots=3, window_ms=10_000)
    await submit(ledger, [item(f"k{n}") for n in range(60)], deployments=both)
    seen = await night(ledger, both, {"east": account, "west": account}, render_ms=4_000)
    assert (len(seen.taken), seen.refused, seen.most_running) == (60, [], 3)


async def test_what_one_deployment_learns_of_a_shared_quota_the_others_know(ledger: Store) -> None:
    both = [deployment(name, concurrent=8, shared_as="account") for name in ("east", "west")]
    account = Provider(slots=3)
    await submit(ledger, [item(f"k{n}") for n in range(120)], deployments=both)
    seen = await night(ledger, both, {"east": account, "west": account})
    assert seen.refused_after(LEARNING) < 0.04
    assert (await ledger.read(f"{ledger.keys.prefix}quota:account"))["learned_slots"] == "3"


async def test_what_is_still_to_be_answered_proves_nothing(ledger: Store) -> None:
    """Eight leave together and four are refused: while the first refusal is heard, the other three count as out."""
    east = deployment(concurrent=8)
    await submit(ledger, [item(f"k{n}") for n in range(9)], deployments=[east])
    claims = (await admit(ledger, east)).admitted
    versions = [await intend(ledger, claim) for claim in claims]
    for claim in claims[:4]:
        await accept(ledger, claim, f"video_{claim.ref.item}")
    refused = Refused(RefusalKind.TOO_MANY_RUNNING, 429, None, "Too many running tasks", None, None)
    for claim, version in zip(claims[4:], versions[4:], strict=True):
        await ledger.apply(claim.ref, version, decide(refused, east))
    assert await learned(ledger) == {"learned_slots": 4}
    assert (await admit(ledger, east)).gate == "slot"


async def test_one_refusal_of_what_was_allowed_before_is_not_believed(ledger: Store) -> None:
    """The provider may notice the end of a job a moment after it says so."""

    class Late(Provider):
        def create(self, now: int, render_ms: int) -> Refused | None:
            refused = super().create(now, render_ms)
            self.slots = 2
            return refused

    provider, east = Late(slots=2), deployment(concurrent=2)
    await submit(ledger, [item(f"k{n}") for n in range(40)], deployments=[east])
    seen = await night(ledger, [east], {"east": provider}, at={20: lambda: setattr(provider, "slots", 1)})
    assert len(seen.refused) == 1
    assert await learned(ledger) == {}


async def test_another_number_in_the_configuration_begins_anew(ledger: Store) -> None:
    await render(ledger, deployment(concurrent=4, per_minute=600), Provider(slots=2), 20)
    assert await learned(ledger) == {"learned_slots": 2}
    told_at = float((await ledger.read(ledger.keys.deployment("east")))["told_at"])
    await admit(ledger, deployment(concurrent=3, per_minute=300))
    assert await learned(ledger) == {"learned_slots": 2}, "a worker of the old configuration may be at work still"
    await tell(ledger, round(told_at) + 660_000)
    await admit(ledger, deployment(concurrent=3, per_minute=300))
    assert await learned(ledger) == {}


async def test_two_workers_with_other_numbers_keep_what_was_learned(ledger: Store) -> None:
    """While workers are renewed, each asks with its own; none admits over its own, and over what was learned."""
    await render(ledger, deployment(concurrent=4), Provider(slots=2), 20)
    await submit(ledger, [item(f"late{n}") for n in range(9)], batch="late")
    for concurrent in (3, 4, 3, 4):
        await admit(ledger, deployment(concurrent=concurrent))
    assert await learned(ledger) == {"learned_slots": 2}
    assert 1 <= await ledger.redis.zcard(ledger.keys.open("east")) <= 2


class Crowded(Provider):
    """Another program creates there every so often (ms), whatever the answer."""

    def __init__(self, per_minute: float, every_ms: int, *, window_ms: int) -> None:
        super().__init__(per_minute, window_ms=window_ms)
        self._every_ms, self._next = every_ms, 0

    def create(self, now: int, render_ms: int) -> Refused | None:
        self._next = self._next or now
        while self._next <= now:
            super().create(self._next, 1)
            self._next += self._every_ms
        return super().create(now, render_ms)


class Neighbour(Provider):
    """Another program has some of the slots from one instant to another (ms after the first create)."""

    def __init__(self, slots: int, taken: int, since: int, until: int) -> None:
        super().__init__(slots=slots)
        self._all, self._taken, self._since, self._until, self._began = slots, taken, since, until, 0

    def create(self, now: int, render_ms: int) -> Refused | None:
        self._began = self._began or now
        there = self._since <= now - self._began < self._until
        self.slots = self._all - self._taken * there
        return super().create(now, render_ms)


class Tardy(Provider):
    """A slot comes free some time after its job has ended."""

    def __init__(self, slots: int, late_ms: int) -> None:
        super().__init__(slots=slots)
        self._late_ms = late_ms

    def create(self, now: int, render_ms: int) -> Refused | None:
        return super().create(now, render_ms + self._late_ms)


@pytest.mark.parametrize("late_ms", [1_500, 3_000])
async def test_a_slot_that_comes_free_late_is_waited_for_and_not_given_up(ledger: Store, late_ms: int) -> None:
    """Else half of a deployment's two slots would be lost, or every create be refused once."""
    seen = await render(ledger, deployment(concurrent=2), Tardy(2, late_ms), 100, render_ms=180_000)
    assert await learned(ledger) == {}
    assert len(seen.refused) <= 6
    assert seen.span_ms() <= 1.05 * 100 / 2 * (180_000 + late_ms)


async def test_a_slot_that_a_neighbour_had_for_a_while_is_tried_again_in_minutes(ledger: Store) -> None:
    neighbour = Neighbour(2, 1, 1_800_000, 2_200_000)
    seen = await render(ledger, deployment(concurrent=2), neighbour, 100, render_ms=180_000)
    assert seen.most_running == 2
    assert seen.span_ms() <= 1.10 * 100 / 2 * 180_000


async def test_auto_is_not_discouraged_by_a_neighbour_that_has_all_slots_at_first(ledger: Store) -> None:
    seen = await render(ledger, deployment(concurrent="auto"), Neighbour(6, 6, 0, 90_000), 200, render_ms=180_000)
    assert await learned(ledger) == {"learned_slots": 6}
    assert seen.span_ms() <= 1.10 * 200 / 6 * 180_000


async def test_a_refusal_after_hours_of_nothing_says_nothing_of_the_pace(ledger: Store) -> None:
    east = deployment(per_minute=2)
    await render(ledger, east, Provider(2), 10)
    await submit(ledger, [item(f"late{n}") for n in range(5)], batch="late")
    seconds, _ = (int(part) for part in await ledger.redis.hmget(ledger.keys.meta, "test_s", "test_us"))
    evening = (seconds + 14 * 3600) * 1000
    await tell(ledger, evening)
    (claim,) = (await admit(ledger, east)).admitted
    version = await intend(ledger, claim)
    refused = Refused(RefusalKind.RATE_LIMITED, 429, None, "rate limit", None, 20)
    await ledger.apply(claim.ref, version, decide(refused, east))
    assert await learned(ledger) == {}
    assert (await admit(ledger, east)).gate == "cooling"
    await tell(ledger, evening + 40_000)
    (claim,) = (await admit(ledger, east)).admitted
    version = await intend(ledger, claim)
    await ledger.apply(claim.ref, version, decide(refused, east))
    assert await learned(ledger) == {"learned_per_minute": 1}, "the second is believed, and takes at most half"


async def test_a_bucket_that_is_empty_stays_empty_when_a_slower_pace_is_learned(ledger: Store) -> None:
    """Three creates a second were seen to pass, one by one; five at once were refused, so fewer may follow them."""
    east, now = deployment(per_minute=120, burst=5), start_ms()
    await submit(ledger, [item(f"k{n}") for n in range(20)], deployments=[east])
    for n in range(3):
        await tell(ledger, now)
        (claim,) = (await admit(ledger, east, most=1)).admitted
        await intend(ledger, claim)
        await accept(ledger, claim, f"video_{n}")
        now += 1_000
    await tell(ledger, now)
    first, *others = (await admit(ledger, east)).admitted
    version = await intend(ledger, first)
    refused = Refused(RefusalKind.RATE_LIMITED, 429, None, "rate limit", None, 0.5)
    await ledger.apply(first.ref, version, decide(refused, east))
    assert (len(others), (await learned(ledger))["learned_per_minute"]) == (4, pytest.approx(51.4, abs=0.1))
    await tell(ledger, now + 500)
    answer = await admit(ledger, east)
    assert (keys(answer), answer.gate) == ([], "rate")
