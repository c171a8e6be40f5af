"""A claim is held for as long as its step works, and by nobody else (promise 6)."""

from __future__ import annotations

import asyncio
import time

import pytest
from redis.exceptions import ConnectionError  # noqa: A004

from tests.main_job.night import until
from workers.renewal import ClaimLost, kept

pytestmark = pytest.mark.asyncio

CLAIM_S = 0.03


class Claim:
    """A claim that holds until `lost`; `asked` says for how many seconds each time."""

    def __init__(self) -> None:
        self.asked: list[float] = []
        self.lost = False
        self.fault: Exception | None = None

    async def renew(self, due_in_s: float) -> bool:
        self.asked.append(due_in_s)
        if self.fault:
            fault, self.fault = self.fault, None
            raise fault
        return not self.lost

    async def renewed(self, times: int) -> None:
        """Until it was asked so many times more."""
        goal = len(self.asked) + times

        async def reached() -> bool:
            return len(self.asked) >= goal

        await until(reached)


async def test_a_claim_is_renewed_when_its_step_begins_and_while_it_runs() -> None:
    claim = Claim()
    async with kept(claim.renew, CLAIM_S):
        assert claim.asked == [CLAIM_S]
        await claim.renewed(5)
    assert set(claim.asked) == {CLAIM_S}


@pytest.mark.skipif(not hasattr(time, "CLOCK_BOOTTIME"), reason="only Linux stops its monotonic clock for this one")
async def test_a_claim_that_ended_while_the_machine_slept_is_not_believed_any_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """In a suspend time.monotonic stands still, and the ledger's clock does not."""
    async with kept(Claim().renew, 60) as still_held:
        still_held(None)
        read, slept = time.clock_gettime, {time.CLOCK_BOOTTIME: 3600.0}
        monkeypatch.setattr(time, "clock_gettime", lambda clock: read(clock) + slept.get(clock, 0.0))
        with pytest.raises(ClaimLost):
            still_held(None)


async def test_a_step_whose_claim_is_lost_already_does_not_begin() -> None:
    claim = Claim()
    claim.lost = True
    with pytest.raises(ClaimLost):
        async with kept(claim.renew, CLAIM_S):
            pytest.fail("it began")


async def test_a_step_that_loses_its_claim_is_cancelled_and_gives_nothing_back() -> None:
    claim = Claim()

    async def step() -> None:
        async with kept(claim.renew, CLAIM_S):
            claim.lost = True
            await asyncio.Event().wait()

    with pytest.raises(ClaimLost):
        await step()
    assert 0 not in claim.asked
    task = asyncio.current_task()
    assert task is not None
    assert not task.cancelling()


async def test_a_step_that_must_not_be_cut_goes_on_without_its_claim() -> None:
    claim = Claim()
    others = len(asyncio.all_tasks())

    async def given_up() -> bool:
        return len(asyncio.all_tasks()) == others

    async with kept(claim.renew, CLAIM_S, cuts=False):
        claim.lost = True
        await until(given_up)
    assert claim.asked == [CLAIM_S, CLAIM_S]


async def test_a_step_whose_own_decision_ended_its_claim_ends_in_peace() -> None:
    """The answer to the decision may come only after a renewal was refused because of it."""
    claim = Claim()
    async with kept(claim.renew, CLAIM_S):
        claim.lost = True
        await claim.renewed(1)


async def test_a_step_that_is_cancelled_hands_its_claim_back() -> None:
    claim = Claim()
    begun = asyncio.Event()

    async def step() -> None:
        async with kept(claim.renew, 60):
            begun.set()
            await asyncio.Event().wait()

    running = asyncio.create_task(step())
    await begun.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert claim.asked == [60, 0]


async def test_a_redis_that_is_away_for_a_renewal_ends_no_step() -> None:
    claim = Claim()
    async with kept(claim.renew, CLAIM_S):
        claim.fault = ConnectionError("away")
        await claim.renewed(3)


async def test_no_renewal_arrives_after_its_step() -> None:
    """Else it could pull in a due time that was set behind the step."""
    happened: list[str] = []
    under_way, go_on = asyncio.Event(), asyncio.Event()

    async def renew(_: float) -> bool:
        if happened:
            under_way.set()
            await go_on.wait()
        happened.append("renewed")
        return True

    async def step() -> None:
        async with kept(renew, CLAIM_S):
            await under_way.wait()
            asyncio.get_running_loop().call_soon(go_on.set)
        happened.append("ended")

    await step()
    assert happened == ["renewed", "renewed", "ended"]
