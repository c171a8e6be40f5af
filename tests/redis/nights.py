"""A night's work on such a Redis: what happens to it in the middle, and whether every promise was kept."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import yaml

from orchestrator.items.states import State
from orchestrator.ledger import views
from tests.chaos.driver import SETTLE_S, STOP_S, quiet, settled
from tests.chaos.evidence import gather
from tests.chaos.invariants import breaches, told
from tests.chaos.night import BATCHES, Night
from tests.chaos.stage import Stage, until
from tests.redis.houses import House

ITEMS = 18


class RedisStage(Stage):
    """A stage whose workers go straight to the house."""

    def __init__(self, folder: Path, house: House, **more: Any) -> None:
        super().__init__(folder, night=Night(ITEMS), workers=2, render_s="0.6:1.2", **more)
        self.redis = self.house = house

    def _configured(self) -> Path:
        path = super()._configured()
        document = yaml.safe_load(path.read_text())
        document["redis"]["url"] = self.house.url
        path.write_text(yaml.safe_dump(document))
        return path


Happens = Callable[[RedisStage], Awaitable[None]]


async def played(folder: Path, house: House, happens: Happens | None = None) -> None:
    """Play a night in which that happens while some videos are archived, some render and some wait; every promise must
    be kept, and every video be archived, with each create paid once."""
    async with RedisStage(folder, house) as stage:
        await stage.order(*BATCHES)
        stage.crew.begin()
        if happens is not None:
            assert await until(lambda: _well_under_way(stage), SETTLE_S), "the night did not begin"
            await happens(stage)
        assert await until(lambda: settled(stage.store), SETTLE_S), "the night did not end"
        await until(lambda: quiet(stage), SETTLE_S)
        exits = [*stage.crew.ended, *await stage.crew.stop(STOP_S)]
        seen = await gather(stage, exits=exits)
    assert not breaches(seen), told(breaches(seen))
    assert {item.state for item in seen.items} == {State.ARCHIVED}
    assert (len(seen.items), len(seen.jobs)) == (ITEMS, ITEMS)


async def _well_under_way(stage: RedisStage) -> bool:
    found = await views.batches(stage.store)
    wanted = (State.ARCHIVED, State.RENDERING, State.WAITING)
    return all(sum(batch.counts[state] for batch in found) >= 1 for state in wanted)
