"""What the ledger says of one item at one instant, as admission reckons it (`lua/explain.lua`); nothing is changed."""

from __future__ import annotations

import json
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from orchestrator.admission.controller import facts
from orchestrator.items.states import State
from orchestrator.ledger.keys import Ref
from orchestrator.ledger.periods import limits
from orchestrator.ledger.records import Batch, Fields, Spec
from orchestrator.ledger.store import Store
from orchestrator.settings import Budgets, Deployment

#: Gates that open by themselves, in moments: a rate, a slot, or none at all.
FLOWING = ("none", "rate", "slot")
NOBODY = {"batch": 0, "others": 0, "batches": 0}


@dataclass(frozen=True, slots=True)
class Short:
    """The budget (batch, day or month) that the next video would break. Micro-dollars; a price or limit that nobody
    knows is -1. `ends_at`: when the day or month is over, Unix seconds."""

    budget: str
    price: int
    spent: int
    limit: int
    ends_at: float | None


@dataclass(frozen=True, slots=True)
class Ahead:
    """How many items go before one: of its own batch, and about how many of others (so many batches)."""

    batch: int
    others: int
    batches: int

    @property
    def total(self) -> int:
        """All of them."""
        return self.batch + self.others


@dataclass(frozen=True, slots=True)
class Door:
    """A deployment that could take the item.

    gate, until  what admission would answer for it: none, rate, slot, budget, window, cooling, stopped, paused,
                 recovering or archive; and when that ends (Unix seconds), None where no clock knows
    used, slots  of its quota; slots None without a limit. `trial`: one create is tried alone
    short        what its batch's next video would break, whatever the gate is
    shut         the batch's own window is closed, whatever the gate is; `opens_at`: until when
    ahead        who goes before the item there; `takes`: nobody does, and this is the deployment that takes it next
    """

    name: str
    gate: str
    until: float | None
    used: int
    slots: int | None
    trial: bool
    short: Short | None
    shut: bool
    opens_at: float | None
    ahead: Ahead
    takes: bool

    @property
    def held_by(self) -> tuple[str, float | None]:
        """What has to end for an item to pass: a token or a slot is of no use where the hours or the money lack."""
        if self.gate in FLOWING and self.shut:
            return "window", self.opens_at
        if self.gate in FLOWING and self.short:
            return "budget", self.short.ends_at
        return self.gate, self.until


@dataclass(frozen=True, slots=True)
class Explanation:
    """One item at `now` (Unix seconds, Redis's clock). `doors` and `head` (which item is at the head of its batch's
    queue) are of one that stands in a queue; `archive`: why the archive lets no creates start (refused,
    unattended or behind)."""

    ref: Ref
    now: float
    state: State
    item: Fields
    batch: Batch
    spec: Spec
    doors: tuple[Door, ...]
    head: str | None
    archive: str | None = None


async def explain(store: Store, ref: Ref, deployments: Collection[Deployment], budgets: Budgets) -> Explanation | None:
    """Look at an item, in one round trip; None where there is none."""
    now = time.time()  # which hours and days to tell of; the script's clock decides
    request = {"deployments": [facts(d, deployments, now) for d in deployments], "budgets": limits(budgets, now)}
    raw = await store.scripts.run("explain", ref.batch, ref.item, request)
    if raw is None:
        return None
    told: dict[str, Any] = json.loads(raw)
    return Explanation(
        ref,
        told["now"] / 1000,
        State(told["item"]["state"]),
        told["item"],
        Batch.parse(ref.batch, told["batch"]),
        Spec.parse(told["spec"]),
        tuple(_door(each, told) for each in told.get("desks") or ()),
        told.get("head") or None,
        told.get("archive") or None,
    )


def _door(desk: Mapping[str, Any], told: Mapping[str, Any]) -> Door:
    shut, opens_at = bool(told.get("shut")), _seconds(told.get("opens_at"))
    short = desk.get("short")
    found = None
    if short:
        price, ends_at = short.get("price"), _seconds(short.get("ends_at"))
        found = Short(short["name"], -1 if price is None else int(price), short["spent"], short["limit"], ends_at)
    gate, until = desk.get("gate"), _seconds(desk.get("at"))
    if gate is None and shut:
        gate, until = "window", opens_at
    elif gate is None and found is not None:
        gate, until = "budget", found.ends_at
    return Door(
        desk["name"],
        gate or "none",
        until,
        desk["used"],
        desk.get("cap"),
        bool(desk.get("trial")),
        found,
        shut,
        opens_at,
        Ahead(**{name: int(count) for name, count in (desk.get("ahead") or NOBODY).items()}),
        desk["takes"],
    )


def _seconds(at: float | None) -> float | None:
    return None if at is None else at / 1000
