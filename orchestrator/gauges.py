"""How the ledger stands, as the gauges of `orchestrator/metrics.py`: read once a scrape, in one round trip."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from orchestrator.admission.controller import facts
from orchestrator.items.states import BatchState, State
from orchestrator.ledger.periods import limits
from orchestrator.ledger.store import Store
from orchestrator.metrics import Sample
from orchestrator.settings import NO_BUDGETS, Budgets, Deployment
from orchestrator.video_models.prices import usd

#: What is told where Redis does not answer.
DOWN = (Sample("dailies_ledger_up", (), 0),)


class Gauges:
    """Reads the gauges for some deployments; what it costs grows with batches and deployments, never with items."""

    def __init__(
        self,
        store: Store,
        deployments: Sequence[Deployment],
        *,
        budgets: Budgets = NO_BUDGETS,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`clock` (Unix seconds) says which hours and days to ask for; the ledger's own decides."""
        self._store, self._deployments, self._budgets, self._clock = store, tuple(deployments), budgets, clock

    async def read(self) -> list[Sample]:
        """The numbers. Raises RedisError, OSError."""
        now = self._clock()
        request = {
            "deployments": [facts(d, self._deployments, now) for d in self._deployments],
            "budgets": limits(self._budgets, now),
        }
        return list(_samples(json.loads(await self._store.scripts.run("measure", request))))


def _samples(found: Mapping[str, Any]) -> Iterator[Sample]:
    items, now_ms = found["items"], found["now"]
    plain = {
        "ledger_up": 1,
        "held_items": items.get(State.HELD, 0),
        "admissible_items": found["admissible"],
        "admissible_creates": found["admissible"] - found["backlog"],
        "archive_backlog_items": found["backlog"],
        "archive_refusing": int(found["refusing"]),
        "recovering": found["recovering"],
    }
    if "oldest_at" in found:
        plain["archive_oldest_seconds"] = max(now_ms - found["oldest_at"], 0) / 1000
    if "expires_at" in found:
        plain["expiry_least_seconds"] = (found["expires_at"] - now_ms) / 1000
    if "moved_at" in found:
        plain["last_progress_timestamp_seconds"] = found["moved_at"] / 1000
    for name, value in plain.items():
        yield Sample(f"dailies_{name}", (), value)
    for state in State:
        yield Sample("dailies_items", (str(state),), items.get(state, 0))
    for phase in BatchState:
        yield Sample("dailies_batches", (str(phase),), found["batches"].get(phase, 0))
    for kind in ("confirmed", "unknown", "estimated"):
        yield Sample("dailies_spend_usd", (kind,), usd(found["money"].get(kind, 0)))
    for step, workers in found["workers"].items():
        yield Sample("dailies_workers", (step,), workers)
    for each in found["deployments"]:
        yield from _deployment(each)


def _deployment(found: Mapping[str, Any]) -> Iterator[Sample]:
    """Of what has no limit there is nothing to tell."""
    for name in ("tokens", "slots"):
        if name in found:
            yield Sample(f"dailies_deployment_{name}", (found["name"],), found[name])
    yield Sample("dailies_deployment_slots_used", (found["name"],), found["used"])
    shut = found.get("shut", "")
    yield Sample("dailies_deployment_stopped", (found["name"], shut), int(bool(shut)))
