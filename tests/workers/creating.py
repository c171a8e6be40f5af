"""One worker's create and reconcile steps, run by hand: a real ledger, a sandbox whose clock the test moves, and a
client through which it may tamper with what the provider shows."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, cast

from orchestrator.items.states import State
from orchestrator.ledger.keys import Ref
from orchestrator.ledger.records import Item
from orchestrator.ledger.store import Store
from orchestrator.settings import Deployment
from sandbox.config import SandboxConfig
from sandbox.server import SandboxServer
from tests.ledger import admit, deployment, item, submit
from tests.main_job.night import Witness
from workers.identity.credentials import ApiKey
from workers.reconciliation.reconcile import reconcile
from workers.rendering.create import create
from workers.sinks import Sink
from workers.station import Line, Station
from workers.video_api import VideoApi, connect

NOTHING: Mapping[str, Any] = {}


@dataclass
class ProviderClock:
    """The provider's time: ours, and so far off."""

    off_s: float = 0.0

    def __call__(self) -> float:
        return time.time() + self.off_s


class Tampered:
    """A client as it is, but for what a test puts in place of its methods."""

    def __init__(self, api: VideoApi) -> None:
        self._api = api

    def __getattr__(self, name: str) -> Any:
        return getattr(self._api, name)


@dataclass
class Desk:
    """Items are batches of one here, so that each is submitted by itself."""

    store: Store
    station: Station
    witness: Witness
    clock: ProviderClock
    east: Deployment
    api: Any
    woken: list[float] = field(default_factory=list)

    async def admitted(self, key: str, **more: Any) -> Item:
        """The item, queued and admitted, whatever befell the deployment before."""
        await submit(self.store, [item(key, **more)], batch=key, deployments=[self.east])
        return await self.admitted_again(key)

    async def admitted_again(self, key: str) -> Item:
        await self.store.judge("east", {"resume": True})
        (claim,) = (await admit(self.store, self.east)).admitted
        assert claim.ref == Ref(key, key)
        return await self.item(key)

    async def created(self, key: str, **more: Any) -> Item:
        """The item after its create step."""
        await create(self.station, await self.admitted(key, **more))
        return await self.item(key)

    async def lost(self, key: str, do: str = "drop_after", **more: Any) -> Item:
        """An item whose create was taken (`drop_after`) or never arrived (`drop`), and nobody knows."""
        await self.witness.fault(on="create", do=do)
        found = await self.created(key, **more)
        assert found.state is State.CREATING
        return found

    async def long_ago(self, key: str) -> None:
        """Let the item's intent be ten minutes old."""
        found = await self.item(key)
        assert found.attempt is not None
        assert found.attempt.intent_at is not None
        at = round((found.attempt.intent_at - 600) * 1000)
        await self.store.redis.hset(self.store.keys.attempt(found.ref, found.attempts), "intent_at", at)
        asked = self.store.keys.asked(found.attempt.scope)
        await self.store.redis.zadd(asked, {f"{found.ref}#{found.attempts}": at}, xx=True)

    async def look(self, key: str) -> State:
        """One reconcile step; the item's state after it."""
        await reconcile(self.station, await self.item(key))
        return (await self.item(key)).state

    async def item(self, key: str) -> Item:
        found = await self.store.load(Ref(key, key))
        assert found is not None
        return found

    async def due_in_s(self, key: str) -> float:
        """Seconds until the item is due again."""
        found = await self.item(key)
        score = await self.store.redis.zscore(self.store.keys.open("east"), f"{found.ref}#{found.attempts}")
        assert score is not None
        return float(score) / 1000 - time.time()


@asynccontextmanager
async def desk_at(store: Store, *, provider: Mapping[str, Any] = NOTHING, **settings: Any) -> AsyncIterator[Desk]:
    """A desk for a deployment whose creates take a second at most and are listed within half of one.

    `provider`: how else the sandbox is.
    """
    clock = ProviderClock()
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(SandboxServer(SandboxConfig(queue_s=60, **provider), clock=clock))
        facts = {"endpoint": server.url, "create_timeout_s": 1.0, "settle_s": 0.5, **settings}
        east = deployment("east", **facts)
        client = connect("videos", server.url, ApiKey("any"), create_timeout_s=1.0, read_timeout_s=20.0)
        api = Tampered(await stack.enter_async_context(client))
        line = Line(east, cast("VideoApi", api))
        woken: list[float] = []
        station = Station(store, {"east": line}, cast("Sink", None), time.time, woken.append, 30.0)
        yield Desk(store, station, Witness(server.url), clock, east, api, woken)
