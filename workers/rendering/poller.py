"""The poller: looks at remote jobs that are due, in rounds, over few connections.

Nothing is held while something renders: an item that was looked at is a member of a sorted set again. What a round
costs is shared by its jobs: one load for all of them, one write for those that still render.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace

import structlog
from redis.exceptions import RedisError

from orchestrator.admission import looks
from orchestrator.admission.looks import Observed
from orchestrator.items.states import Event, State
from orchestrator.ledger.records import Claim, Item
from orchestrator.redis.connection import AWAY
from workers.rendering.look import decide, decide_error
from workers.renewal import PART
from workers.station import Station
from workers.video_api import ApiError, Missing, RemoteJob, is_known

log = structlog.get_logger("workers.rendering.poller")

#: Status words that nobody knows, told once each; a server that makes up ever new ones does not fill the log.
STRANGE_MOST = 50

#: Looks at once at one deployment, as many as a client keeps connections: more cost more each.
AT_ONCE = 8
#: Claims that wait for a look or are under way, at one deployment: one that hangs takes no room from others.
CAPACITY = 128
#: For so long a look that changed nothing waits for others, to be written with them (seconds).
LINGER_S = 0.05
#: Looks written at once, at most: Redis does nothing else meanwhile.
WRITTEN_MOST = 200


class Poller:
    """Runs looks in the background; `free` says how many more it can take on."""

    def __init__(self, station: Station, *, capacity: int = CAPACITY) -> None:
        self._station = station
        self._capacity = capacity
        self._at_once = {name: asyncio.Semaphore(AT_ONCE) for name in station.lines}
        self._taken: Counter[str] = Counter()
        self._held: dict[Claim, float] = {}  # since when it holds, by the loop's clock
        self._observed: list[tuple[Observed, float]] = []  # and when it is due again, by the loop's clock
        self._draining, self._left = False, list[Claim]()
        self._rounds: set[asyncio.Task[None]] = set()
        self._strange: set[tuple[str, str]] = set()  # a deployment's status words that were told
        self._writing: asyncio.Task[None] | None = None
        self._keeping: asyncio.Task[None] | None = None

    @property
    def free(self) -> Mapping[str, int]:
        """How many claims it can take on now: by `polls NAME` at each deployment, by `polls` in all."""
        room = {f"polls {name}": max(self._capacity - self._taken[name], 0) for name in self._at_once}
        return {**room, "polls": sum(room.values())}

    def take_on(self, claims: Sequence[Claim]) -> None:
        """Look at each of these jobs, soon."""
        if not claims:
            return
        now = asyncio.get_running_loop().time()
        self._held.update(dict.fromkeys(claims, now))
        task = asyncio.create_task(self._round(claims))
        self._rounds.add(task)
        task.add_done_callback(self._rounds.discard)
        if self._keeping is None or self._keeping.done():
            self._keeping = asyncio.create_task(self._keep())

    async def drain(self) -> None:
        """Let the looks that are under way end: each is one bounded request. Those that wait are handed back."""
        self._draining = True
        await asyncio.gather(*self._rounds, return_exceptions=True)
        if self._left:
            with suppress(RedisError, OSError):
                await looks.renew(self._station.store, self._left, 0.0)
        if self._writing is not None:
            await asyncio.gather(self._writing, return_exceptions=True)
        if self._keeping is not None:
            self._keeping.cancel()

    async def _round(self, claims: Sequence[Claim]) -> None:
        clock = asyncio.get_running_loop().time
        try:
            now, items = await looks.load(self._station.store, claims)
            ahead = now - clock()
            mine = [item for item in items if item.state is State.RENDERING and self._station.serves(item)]
            for item in mine:
                self._taken[_line(item)] += 1
            whose = {claim.ref: claim for claim in claims}
            await asyncio.gather(*(self._look(whose[item.ref], item, lambda: clock() + ahead) for item in mine))
        except AWAY as error:
            log.warning("looks.were_lost", count=len(claims), error=str(error))  # due again by themselves
        except Exception:
            log.exception("looks.failed")
        finally:
            for claim in claims:
                self._held.pop(claim, None)

    async def _look(self, claim: Claim, item: Item, clock: Callable[[], float]) -> None:
        """`clock`: the ledger's own (Unix seconds)."""
        station, name = self._station, _line(item)
        try:
            with station.bound(item):
                async with self._at_once[name]:
                    if self._draining:
                        self._left.append(claim)
                    else:
                        await self._observe(item, clock)
        except AWAY as error:
            log.warning("look.was_lost", item=str(item.ref), error=str(error))  # due again by itself
        except Exception:
            log.exception("look.failed", item=str(item.ref))
        finally:
            self._held.pop(claim, None)
            self._taken[name] -= 1
            if self._taken[name] == self._capacity // 2:
                station.wake(0.001)  # what is due may have found no room here; no slot of a deployment came free

    async def _observe(self, item: Item, clock: Callable[[], float]) -> None:
        station = self._station
        line = station.line(item)
        renders = await station.renders.of(line.deployment.name, item.spec.size, item.spec.seconds)
        began = clock()
        try:
            job = await line.api.get(item.remote_id or "")
        except ApiError as error:
            seen = "missing" if isinstance(error, Missing) else "error"
            decision = decide_error(error, item, line.deployment, clock())
        else:
            seen = str(job.status)
            self._tell_strange(job, line.deployment.name)
            decision = decide(job, item, line.deployment, clock(), renders=renders)
        station.store.metrics.looked(line.deployment.name, seen, clock() - began)
        if looks.is_quiet(decision):
            due_at = asyncio.get_running_loop().time() + (decision.due_in_s or 0)
            self._observed.append((Observed(item, decision), due_at))
            if self._writing is None or self._writing.done():
                self._writing = asyncio.create_task(self._write())
        elif await station.store.apply(item.ref, item.version, decision):
            station.wake((decision.event is Event.OBSERVED and decision.due_in_s) or 0)  # else its slot is free

    def _tell_strange(self, job: RemoteJob, deployment: str) -> None:
        """A status word that nobody here knows, once: it is taken for still rendering."""
        word = (deployment, job.raw_status[:60])
        if is_known(job.raw_status) or word in self._strange or len(self._strange) >= STRANGE_MOST:
            return
        self._strange.add(word)
        log.warning("status.is_unknown", status=word[1])

    async def _write(self) -> None:
        """Write what was observed, some of it at once, until there is no more."""
        clock = asyncio.get_running_loop().time
        while self._observed:
            await asyncio.sleep(LINGER_S)
            some, self._observed = self._observed[:WRITTEN_MOST], self._observed[WRITTEN_MOST:]
            now = clock()
            seen = [
                replace(each, decision=replace(each.decision, due_in_s=max(due_at - now, 0.0))) for each, due_at in some
            ]
            try:
                await looks.observe(self._station.store, seen)
            except AWAY as error:
                log.warning("looks.were_lost", count=len(some), error=str(error))
            except Exception:
                log.exception("looks.failed")
            else:
                self._station.wake(max(min(due_at for _, due_at in some) - clock(), 0.001))

    async def _keep(self) -> None:
        """Renew the claims of looks that are slow, or that wait for slow ones, all at once."""
        clock, claim_s = asyncio.get_running_loop().time, self._station.claim_s
        while self._held:
            await asyncio.sleep(claim_s * PART / 2)
            old = [claim for claim, since in self._held.items() if since <= clock() - claim_s * PART / 2]
            if not old:
                continue
            try:
                answers = await looks.renew(self._station.store, old, claim_s)
            except (RedisError, OSError) as error:
                log.warning("claims.were_not_renewed", count=len(old), error=str(error))
                continue
            for claim, ours in zip(old, answers, strict=True):
                if not ours:
                    self._held.pop(claim, None)  # what its look decides is stale, and will be said so
                elif claim in self._held:
                    self._held[claim] = clock()


def _line(item: Item) -> str:
    return item.attempt.deployment if item.attempt else ""
