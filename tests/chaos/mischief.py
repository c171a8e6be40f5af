"""The faults of a chaos run, and the dice that choose them: drawn up beforehand, so that a seed repeats them."""

from __future__ import annotations

import asyncio
import random
import signal
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from orchestrator.batches.lifecycle import Action, Chosen, Word, ask
from tests.chaos.ear import MOODS
from tests.chaos.night import BATCHES
from tests.chaos.proxy import Proxy
from tests.chaos.stage import CLAIM_S, Stage

Deed = Callable[[Stage], Awaitable[None]]


@dataclass(frozen=True)
class Fault:
    """One fault as drawn: what is done, for how long, and how long after the one before."""

    name: str
    pause_s: float
    deed: Deed


def plan(
    seed: int, count: int, *, pause_s: tuple[float, float] = (0.2, 1.2), flush: bool = False, older: bool = False
) -> list[Fault]:
    """`count` faults in their order; the same seed gives the same. `flush`: Redis is emptied once; `older`: once it is
    as it was some seconds before."""
    dice, faults = random.Random(seed), []
    # Where nothing is known of a provider any more, nothing but its list tells: then that does not lie.
    answers = [fault for fault in ANSWERS if not flush or fault.get("body") != EMPTY_LIST]
    kinds = KINDS | {"bad_answers": partial(bad_answers, among=answers)}
    for _ in range(count):
        draw = dice.choices(list(kinds.values()), [WEIGHTS.get(kind, 1) for kind in kinds])[0]
        name, deed = draw(dice)
        faults.append(Fault(name, dice.uniform(*pause_s), deed))
    if older:
        at, (name, deed) = dice.randrange(count // 2), roll_back_redis(dice)
        faults.insert(at, Fault(name, dice.uniform(*pause_s), deed))
    if flush:
        at = dice.randrange(count // 3, count)
        faults.insert(at, Fault("redis is emptied", dice.uniform(*pause_s), _empty_redis))
    return faults


Drawn = tuple[str, Deed]


def kill_worker(dice: random.Random) -> Drawn:
    number = dice.randrange(100)

    async def deed(stage: Stage) -> None:
        _worker(stage, number).send(signal.SIGKILL)

    return f"worker {number} is killed", deed


def end_worker(dice: random.Random) -> Drawn:
    number = dice.randrange(100)

    async def deed(stage: Stage) -> None:
        _worker(stage, number).send(signal.SIGTERM)

    return f"worker {number} is asked to end", deed


def stop_worker(dice: random.Random) -> Drawn:
    """For longer than any allowance, so that others take over what it holds; then it goes on."""
    number, seconds = dice.randrange(100), dice.uniform(1.5, 4) * CLAIM_S

    async def deed(stage: Stage) -> None:
        program = _worker(stage, number)
        process = program.process
        program.send(signal.SIGSTOP)
        await asyncio.sleep(seconds)
        if program.process is process:
            program.send(signal.SIGCONT)

    return f"worker {number} stands still for {seconds:.1f} s", deed


def restart_redis(dice: random.Random) -> Drawn:
    seconds = dice.uniform(0.1, 1.5)

    async def deed(stage: Stage) -> None:
        async with stage.turn:
            await stage.redis.kill()
            await asyncio.sleep(seconds)
            await stage.redis.start()

    return f"redis is killed, and back after {seconds:.1f} s", deed


def stop_redis(dice: random.Random) -> Drawn:
    seconds = dice.uniform(0.5, 3)

    async def deed(stage: Stage) -> None:
        async with stage.turn:
            stage.redis.send(signal.SIGSTOP)
            await asyncio.sleep(seconds)
            stage.redis.send(signal.SIGCONT)

    return f"redis stands still for {seconds:.1f} s", deed


def sandbox_away(dice: random.Random) -> Drawn:
    seconds = dice.uniform(0.1, 2)

    async def deed(stage: Stage) -> None:
        async with stage.turn:
            await stage.sandbox.kill()
            await asyncio.sleep(seconds)
            await stage.sandbox.start()

    return f"the provider is gone for {seconds:.1f} s", deed


def bad_line(dice: random.Random) -> Drawn:
    whose = dice.choice(["redis", "provider"])
    how = dice.choice(["slow", "throttled", "refusing", "cut", "reset", "half-open"])
    # Nothing is late by more than an accepted create may take to show in the list.
    seconds, delay_s = dice.uniform(0.3, 2.5), dice.uniform(0.005, 0.05 if whose == "redis" else 0.3)
    bytes_per_s = dice.uniform(20_000, 200_000)

    async def deed(stage: Stage) -> None:
        proxy: Proxy = stage.to_redis if whose == "redis" else stage.to_sandbox
        if how == "cut":
            proxy.cut()
            return
        if how == "reset":
            proxy.reset()
            return
        name, value = {
            "slow": ("delay_s", delay_s),
            "throttled": ("bytes_per_s", bytes_per_s),
            "refusing": ("refusing", True),
            "half-open": ("half_open", True),
        }[how]
        before = {"delay_s": 0.0, "bytes_per_s": None}.get(name, False)
        setattr(proxy, name, value)
        await asyncio.sleep(seconds)
        setattr(proxy, name, before)
        if how == "half-open":
            proxy.reset()

    return f"the line to the {whose} is {how}, {seconds:.1f} s", deed


def bad_answers(dice: random.Random, among: Sequence[dict[str, Any]] = ()) -> Drawn:
    """Of the provider; each some times."""
    fault: dict[str, Any] = dict(dice.choice(among or ANSWERS))
    fault["times"] = dice.randrange(1, 4)
    if fault["do"] in ("truncate", "stall"):
        fault["bytes"] = dice.randrange(0, 20_000)

    async def deed(stage: Stage) -> None:
        async with stage.turn:
            await stage.sandbox.witness.fault(**fault)

    more = " ".join(f"{k}={v}" for k, v in fault.items() if k not in ("on", "do", "body"))
    return f"the provider's {fault['on']}: {fault['do']} {more}", deed


def bad_ear(dice: random.Random) -> Drawn:
    """Of whom is told how the night goes."""
    mood, seconds = dice.choice(list(MOODS)), dice.uniform(1, 8)

    async def deed(stage: Stage) -> None:
        with stage.ear.feeling(mood):
            await asyncio.sleep(seconds)

    return f"the webhook is {mood} for {seconds:.1f} s", deed


def person(dice: random.Random) -> Drawn:
    """Pauses a batch for a while, takes back some of its rows, or submits it again."""
    batch, what = dice.choice(BATCHES), dice.choice(["pauses", "cancels rows of", "discards rows of", "submits"])
    keys, seconds = [f"k{dice.randrange(20)}" for _ in range(2)], dice.uniform(0.5, 3)
    word = Word("a person", "to see what happens", discard=what.startswith("discards"))

    async def deed(stage: Stage) -> None:
        async with stage.turn:
            if what == "submits":
                await stage.order(batch)
            elif what == "pauses":
                await ask(stage.store, batch, Action.PAUSE, word)
                await asyncio.sleep(seconds)
                await ask(stage.store, batch, Action.RESUME, word)
            else:
                await ask(stage.store, batch, Action.CANCEL, word, Chosen(keys))

    return f"a person {what} {batch} ({', '.join(keys)}, {seconds:.1f} s)", deed


def roll_back_redis(dice: random.Random) -> Drawn:
    """A backup that is restored, a failover that lost writes."""
    seconds = dice.uniform(0.5, 6)

    async def deed(stage: Stage) -> None:
        async with stage.turn:
            backup = await asyncio.to_thread(stage.redis.copied)
        await asyncio.sleep(seconds)
        async with stage.turn:
            await stage.redis.kill()
            await asyncio.to_thread(stage.redis.restore, backup)
            await stage.redis.start()

    return f"redis is rolled back by {seconds:.1f} s", deed


async def _empty_redis(stage: Stage) -> None:
    """And whoever ordered the batches orders them again."""
    async with stage.turn:
        await stage.client.flushall()
        await stage.order(*BATCHES)


def _worker(stage: Stage, number: int) -> Any:
    return stage.crew.programs[number % len(stage.crew.programs)]


#: What the rate limit of a real deployment says.
_TOO_MANY = {"error": {"code": "429", "message": "Requests to the Videos_Create Operation have exceeded rate limit."}}
EMPTY_LIST = {"object": "list", "data": [], "first_id": None, "last_id": None, "has_more": False}
ANSWERS: tuple[dict[str, Any], ...] = (
    {"on": "create", "do": "drop"},
    {"on": "create", "do": "drop_after"},
    {"on": "create", "do": "hang_after", "seconds": 5},
    {"on": "create", "do": "status_after", "status": 500},
    {"on": "create", "do": "status_after", "status": 200, "body": "<html>a gateway's page</html>"},
    {"on": "create", "do": "status", "status": 500},
    {"on": "create", "do": "status", "status": 503, "headers": {"retry-after": "1"}},
    {"on": "create", "do": "status", "status": 429, "body": _TOO_MANY, "headers": {"retry-after": "1"}},
    {"on": "create", "do": "status", "status": 429, "body": "slow down"},
    {"on": "create", "do": "status", "status": 401},
    {"on": "create", "do": "delay", "seconds": 0.8},
    {"on": "create", "do": "fail"},
    {"on": "create", "do": "hide_prompts"},
    {"on": "get", "do": "status", "status": 500},
    {"on": "get", "do": "status", "status": 404},
    {"on": "get", "do": "status", "status": 429, "headers": {"retry-after": "1"}},
    {"on": "get", "do": "status", "status": 200, "body": "not JSON"},
    {"on": "get", "do": "drop"},
    {"on": "get", "do": "hang_after", "seconds": 5},
    {"on": "list", "do": "status", "status": 500},
    {"on": "list", "do": "status", "status": 200, "body": EMPTY_LIST},
    {"on": "list", "do": "hide_prompts"},
    {"on": "list", "do": "lag", "seconds": 0.9},
    {"on": "list", "do": "drop"},
    {"on": "content", "do": "status", "status": 500},
    {"on": "content", "do": "status", "status": 404},
    {"on": "content", "do": "status", "status": 401},
    {"on": "content", "do": "status", "status": 200, "body": {"error": "no video"}},
    {"on": "content", "do": "truncate"},
    {"on": "content", "do": "truncate", "length": False},
    {"on": "content", "do": "stall", "seconds": 5},
    {"on": "content", "do": "drop"},
)
KINDS: dict[str, Callable[[random.Random], Drawn]] = {
    draw.__name__: draw
    for draw in (
        kill_worker,
        end_worker,
        stop_worker,
        restart_redis,
        stop_redis,
        sandbox_away,
        bad_line,
        bad_answers,
        person,
        bad_ear,
    )
}
WEIGHTS = {"kill_worker": 3, "stop_worker": 2, "bad_line": 4, "bad_answers": 9}
