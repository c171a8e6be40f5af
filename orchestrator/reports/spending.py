"""What was spent, by day, model, batch and deployment: from totals that outlive the batches (`lua/shared/money.lua`).

At any moment the provider's bill for these creates lies between `confirmed`, and `confirmed` and `unknown` together,
as far as prices are known.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from orchestrator.ledger.records import decode
from orchestrator.ledger.store import Store

#: What spending can be told by, as people name it.
GROUPS = ("day", "model", "batch", "deployment")
#: For so many days it is kept (`lua/shared/money.lua`).
KEPT_DAYS = 800
_EPOCH = dt.date(1970, 1, 1)


@dataclass(frozen=True, slots=True)
class Spent:
    """Micro-dollars, of `videos` that were ordered, `unpriced` of them at a price that nobody knows; a group that is
    not told by is None. `day` is the day of the creates, in UTC."""

    day: dt.date | None
    model: str | None
    batch: str | None
    deployment: str | None
    confirmed: int = 0
    unknown: int = 0
    videos: int = 0
    unpriced: int = 0

    def key(self) -> tuple[str, ...]:
        """What it is told by, in the order of `GROUPS`; sorts rows."""
        return tuple(str(getattr(self, name) or "") for name in GROUPS)


async def spending(store: Store, since: dt.date, until: dt.date) -> list[Spent]:
    """Every total of these days, both included; oldest first."""
    days = [since + dt.timedelta(days=n) for n in range((until - since).days + 1)]
    pipe = store.redis.pipeline(transaction=False)
    for day in days:
        pipe.hgetall(store.keys.spend((day - _EPOCH).days))
    found: dict[tuple[str, ...], Spent] = {}
    for day, fields in zip(days, await pipe.execute(), strict=True):
        for field, amount in decode(fields).items():
            bucket, deployment, batch, model = field.split(" ", 3)
            row = Spent(day, model, batch, deployment)
            found[row.key()] = _plus(found.get(row.key(), row), _with(row, {bucket: int(amount)}))
    return sorted((row for row in found.values() if row.videos or row.confirmed or row.unknown), key=Spent.key)


def grouped(rows: Iterable[Spent], by: Collection[str]) -> list[Spent]:
    """The totals by some of `GROUPS`, in their order; by none of them, of all together."""
    found: dict[tuple[str, ...], Spent] = {}
    for row in rows:
        short = _with(row, {name: None for name in GROUPS if name not in by})
        found[short.key()] = _plus(found[short.key()], short) if short.key() in found else short
    return sorted(found.values(), key=Spent.key)


def total(rows: Sequence[Spent]) -> Spent:
    """Of all together."""
    return next(iter(grouped(rows, ())), Spent(None, None, None, None))


def _plus(one: Spent, other: Spent) -> Spent:
    amounts = ("confirmed", "unknown", "videos", "unpriced")
    return _with(one, {name: getattr(one, name) + getattr(other, name) for name in amounts})


def _with(row: Spent, changes: dict[str, Any]) -> Spent:
    return replace(row, **changes)
