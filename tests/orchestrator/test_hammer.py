"""Eight processes on one ledger, as fast as they can, while they are killed and stopped, the provider makes trouble and
people change their minds: no limit is ever exceeded, and nothing is lost, leaked, sent twice or counted wrong."""

from __future__ import annotations

import random
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import pytest

from orchestrator.ledger.store import Store
from orchestrator.redis.connection import connect
from tests.ledger import submit
from tests.orchestrator.hammer import judgement
from tests.orchestrator.hammer.fleet import BUDGETS, LIMITS, batches, fleet
from tests.orchestrator.hammer.person import Person
from tests.orchestrator.hammer.provider import Provider
from tests.orchestrator.hammer.recount import Recount, Snapshot, snapshot
from tests.servers import ROOT, redis_process

PROCESSES = 8
#: Turns, of all processes together, between two things that people do; how many things those are; and how many turns it
#: may take in all.
STEP, ACTS, MOST = 250, 50, 120_000

#: What the night must have seen, so that it proves something.
SEEN = (
    "stale", "stopped", "refused rate", "refused slots", "too late", "find", "prompt accepted",
    "intent deferred", "intent returned", "intent stale", "gate rate", "gate slot", "gate cooling", "gate archive",
    "gate paused", "_restart", "_stop", "_cancel",
)  # fmt: skip


@contextmanager
def nursery(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "tests.orchestrator.hammer.nursery", *arguments]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, cwd=ROOT, text=True, **pipes) as process:  # type: ignore[call-overload]
        yield process  # the end of its stdin ends it, with all that it bore


async def checked(store: Store, provider: Provider) -> Snapshot:
    """The ledger right now, after every check of it."""
    before = provider.paid()
    found = await snapshot(store)
    Recount(found)()
    after = provider.paid()
    judgement.the_bill_is_between(found, before & after, before | after)
    assert not provider.faults, provider.faults
    return found


@pytest.mark.parametrize("seed", [1])
async def test_eight_processes_never_exceed_a_limit_and_lose_nothing(tmp_path: Path, seed: int) -> None:
    dice = random.Random(seed)
    provider = Provider(dice)
    with redis_process(tmp_path / "redis", None, "--appendfsync", "no") as server:
        async with connect(server.url) as redis, await provider.serve() as service:
            store = Store(redis, "hammer")
            for batch, budget, rows in batches():
                await submit(store, rows, batch=batch, deployments=fleet(), budget_usd=budget, budgets=BUDGETS)
            port = service.sockets[0].getsockname()[1]
            with nursery(server.url, "hammer", str(port)) as births:
                person = Person(store, provider, births, dice)
                for _ in range(PROCESSES):
                    person.bear()
                try:
                    found = await night(store, provider, person)
                finally:
                    person.kill(all_=True)
    judgement.nothing_is_lost(found, provider)
    judgement.money_is_where_the_jobs_went(found, provider)
    judgement.nobody_was_admitted_twice(provider)
    judgement.records_are_true(found, provider)
    judgement.limits_were_kept(found)
    judgement.closed_was_closed(found, provider)
    assert not [what for what in SEEN if not provider.saw[what]], provider.saw
    assert provider.saw["began"] >= PROCESSES, "whoever was killed was followed by another"
    full = {quota: limit.slots for quota, limit in LIMITS.items() if limit.slots and limit.told}
    assert {quota: provider.most[quota] for quota in full} == full, "one more would have been too many"


async def night(store: Store, provider: Provider, person: Person) -> Snapshot:
    """Trouble, then calm, until everything has ended: the ledger then."""
    for act in count():
        await provider.until(provider.turns + STEP)
        found = await checked(store, provider)
        person.wake()
        if act < ACTS:
            await person.act()
        elif act == ACTS:
            await person.calm()
        elif not found.moving:
            break
        assert provider.turns < MOST, f"{len(found.moving)} items still move: {found.moving[:5]}"
    return found
