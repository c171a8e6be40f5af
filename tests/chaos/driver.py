"""One chaos run: a seed, a stage, a night's work, faults until they are used up, calm, and then the questions."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from arq.constants import in_progress_key_prefix

from orchestrator.deployments import resume
from orchestrator.items.states import MOVING, BatchState
from orchestrator.ledger import views
from orchestrator.ledger.records import Item
from orchestrator.ledger.store import Store
from tests.chaos.evidence import Evidence, gather
from tests.chaos.invariants import breaches, told
from tests.chaos.mischief import plan
from tests.chaos.night import BATCHES, Night
from tests.chaos.stage import Stage, until
from tests.servers import Container
from workers.cancelling import end

#: How long a batch may take to become final once all faults are over (seconds); most of it is waiting for evidence.
SETTLE_S = 150.0
STOP_S = 40.0
#: How long workers that only just woke up may take to see that what they had queued is done (seconds).
QUIET_S = 30.0
#: How often a person looks whether anything waits for one (seconds).
PERSON_S = 5.0


@dataclass
class Run:
    """How a run ended. `breaches`: check → what speaks against it; `stalled`: what hung, when it did not settle."""

    seed: int
    faults: int
    elapsed_s: float = 0.0
    counts: Counter[str] = field(default_factory=Counter)
    breaches: dict[str, list[str]] = field(default_factory=dict)
    stalled: str = ""

    @property
    def kept(self) -> bool:
        """Whether every promise was."""
        return not self.breaches and not self.stalled

    def text(self) -> str:
        """For people: one line if all is well, else everything that is known."""
        states = ", ".join(f"{number} {state}" for state, number in sorted(self.counts.items()))
        head = f"seed {self.seed}: {self.faults} faults, {self.elapsed_s:.0f} s, {states}"
        return "\n".join(part for part in (head, told(self.breaches), self.stalled) if part)


async def run(
    folder: Path,
    seed: int,
    *,
    faults: int = 24,
    items: int = 36,
    workers: int = 3,
    container: Container | None = None,
    tell: Callable[[str], None] = lambda _: None,
) -> Run:
    """Run once. `items` are shared by two batches of two models; `tell` gets a line for each fault."""
    done, night = Run(seed, faults), Night.drawn(seed, items)
    begun = time.monotonic()

    def say(text: str) -> None:
        tell(f"seed {seed} {time.monotonic() - begun:5.1f} s  {text}")

    say(str(night))
    async with Stage(folder, seed=seed, workers=workers, container=container, night=night) as stage:
        await stage.order(*BATCHES)
        stage.crew.begin()
        slots: Counter[str] = Counter()
        watching = asyncio.create_task(_watch(stage, slots))
        await until(lambda: _begun(stage.store), SETTLE_S)
        say("work has begun")
        await _break(stage, plan(seed, faults, flush=night.emptied, older=night.older), say)
        say("the faults are over")
        helping = asyncio.create_task(_help(stage, say))
        if not await until(lambda: settled(stage.store), SETTLE_S):
            done.stalled = await hanging(stage)
        await end([watching, helping], within_s=STOP_S)
        say("it is settled" if not done.stalled else "it hangs")
        await until(lambda: quiet(stage), QUIET_S)
        exits = [*stage.crew.ended, *await stage.crew.stop(STOP_S)]
        seen = await gather(stage, slots=slots, exits=exits)
        done.counts = Counter(str(each.state) for each in seen.items)
        done.breaches = breaches(seen)
    done.elapsed_s = time.monotonic() - begun
    return done


async def _break(stage: Stage, faults: list[Any], say: Callable[[str], None]) -> None:
    """Let each fault happen in its time, beside those that last; until they are used up, or there is no more work."""
    under_way: list[asyncio.Task[None]] = []
    for fault in faults:
        await asyncio.sleep(fault.pause_s)
        if await _over(stage.store):
            say("all is done before the faults are")
            break
        say(fault.name)
        under_way.append(asyncio.create_task(fault.deed(stage)))
    await asyncio.gather(*under_way)
    await stage.calm()


async def _begun(store: Store) -> bool:
    return any(batch.started_at for batch in await views.batches(store))


async def _over(store: Store) -> bool:
    with suppress(Exception):
        async with asyncio.timeout(0.2):
            return await settled(store)
    return False


async def settled(store: Store) -> bool:
    """Every batch is final and reported."""
    found = await views.batches(store)
    return len(found) == len(BATCHES) and all(
        batch.state is BatchState.FINAL and batch.reported_at is not None for batch in found
    )


async def quiet(stage: Stage) -> bool:
    """Nothing is left to tell, and no page of a running batch to write; and every step on a queue of arq is one that
    arq takes for running: what a killed worker left there waits for it."""
    if await stage.client.exists(f"{stage.store.keys.prefix}notices", f"{stage.store.keys.prefix}sheets"):
        return False
    async for queue in stage.client.scan_iter(f"{stage.store.keys.prefix}arq:v*"):
        for job in await stage.client.zrange(queue, 0, -1):
            if not await stage.client.exists(in_progress_key_prefix + job.decode()):
                return False
    return True


async def _watch(stage: Stage, most: Counter[str]) -> None:
    """Look at the slots now and then, past the proxy."""
    while True:
        with suppress(Exception):
            async with asyncio.timeout(1):
                for name in stage.slots:
                    most[name] = max(most[name], await stage.client.zcard(stage.store.keys.open(name)))
        await asyncio.sleep(0.1)


async def _help(stage: Stage, say: Callable[[str], None]) -> None:
    """A person who does what the program leaves to one: where Redis began anew, and the list cannot tell whether what
    waits was sent already (prompts are not shown), it says that nothing was lost. Only where that is true."""
    store = stage.store
    while not (stage.night.emptied or stage.night.older):
        await asyncio.sleep(PERSON_S)
        for name in stage.slots:
            scope = (await store.read(store.keys.deployment(name))).get("scope", "")
            doubt = await store.read(store.keys.recovery(scope))
            if "person" in doubt:
                say(f"a person resumes {name}: {doubt['error']}")
                await resume(store, name, by="a person")


async def hanging(stage: Stage) -> str:
    """What is not final: each such item as the ledger has it, when it is due, and the last that workers said of it."""
    told_of = ["not settled:"]
    now = time.time()
    for batch in await views.batches(stage.store):
        counts = {str(state): count for state, count in batch.counts.items() if count}
        told_of.append(f"  {batch.name}: {batch.state}, {counts}")
        found = [each async for each in views.items(stage.store, batch.name, MOVING)]
        for each in found[:5]:
            told_of += await _told(stage, each, now)
    for name in stage.slots:
        told_of.append(f"  {name}: {await stage.store.read(stage.store.keys.deployment(name))}")
    return "\n".join(told_of)


async def _told(stage: Stage, item: Item, now: float) -> list[str]:
    keys, redis = stage.store.keys, stage.client
    due = [
        await redis.zscore(key, member)
        for key, member in (
            (keys.open(item.deployment or ""), f"{item.ref}#{item.attempts}"),
            (keys.archive_due, str(item.ref)),
        )
    ]
    shown = ", ".join("none" if at is None else f"{at / 1000 - now:+.1f} s" for at in due)
    lines = []
    for log in sorted(stage.folder.glob("worker-*.log")):
        for line in log.read_text(errors="replace").splitlines():
            with suppress(ValueError):
                entry = json.loads(line)
                if entry.get("key") == item.ref.item and entry.get("batch") == item.ref.batch:
                    lines.append((entry.get("timestamp", ""), f"{log.stem}: {line}"))
    said = [line for _, line in sorted(lines)[-6:]]
    return [
        f"  {item.ref} {item.state} v{item.version}, due {shown}: {dict(item.fields)}",
        f"    {dict(item.attempt.fields) if item.attempt else 'never admitted'}",
        *(f"    {line}" for line in said),
    ]


async def evidence_of(stage: Stage) -> Evidence:
    """End the workers of a stage and read what is left."""
    exits = [*stage.crew.ended, *await stage.crew.stop(STOP_S)]
    await stage.calm()
    return await gather(stage, exits=exits)
