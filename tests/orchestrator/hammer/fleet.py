"""What is hammered: deployments with every kind of quota, and the batches that they make."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from manifests import Item
from orchestrator.settings import Budgets, Deployment
from tests.ledger import deployment, item

POOL = "pool"


@dataclass(frozen=True)
class Limit:
    """What a provider allows of a quota: creates a minute and at once, jobs at once; None is no such limit.

    `told`: that is what the configuration says too, so that no create may ever be one too many.
    """

    per_minute: int | None
    burst: int
    slots: int | None
    told: bool = True


#: By quota: a deployment's own, or the shared one's name.
LIMITS = {
    "east": Limit(900, 3, 3),
    "west": Limit(1500, 1, 2),
    "reserved": Limit(1200, 2, 2),
    "free": Limit(400, 1, None),
    "auto": Limit(None, 1, 5, told=False),
    POOL: Limit(1800, 3, 4),
}
BUDGETS = Budgets(day_usd=Decimal(900), month_usd=Decimal(9000), timezone="Europe/Stockholm")


def fleet() -> list[Deployment]:
    """All deployments, as every process has them."""

    def own(name: str, weight: int = 1, order: int = 0, model: str = "sora-2", price: str | None = None) -> Deployment:
        limit = LIMITS[name]
        concurrent = limit.slots if limit.told else "auto"
        return deployment(
            name,
            per_minute=limit.per_minute,
            burst=limit.burst,
            concurrent=concurrent,  # type: ignore[arg-type]
            weight=weight,
            order=order,
            model=model,
            price_per_second_usd=price,
        )

    def pooled(name: str, **more: object) -> Deployment:
        limit = LIMITS[POOL]
        told = {"per_minute": limit.per_minute, "burst": limit.burst, "concurrent": limit.slots}
        return deployment(name, shared_as=POOL, **told, **more)  # type: ignore[arg-type]

    left = LIMITS["reserved"]
    assert left.per_minute is not None
    assert left.slots is not None
    reserved = deployment(
        "reserved",
        per_minute=left.per_minute + 100,
        burst=left.burst,
        concurrent=left.slots + 1,
        reserve={"per_minute": 100, "concurrent": 1},
        model="sora-2-pro",
    )
    return [
        own("east", weight=3),
        own("west", price="0.07"),
        own("free", order=1),
        own("auto", model="sora-2-pro"),
        reserved,
        pooled("north"),
        pooled("south", order=-1, model="sora-2-pro", price_per_second_usd="0.21"),
    ]


def quota_of(name: str) -> str:
    """The quota that a deployment draws on."""
    return POOL if name in ("north", "south") else name


def batches() -> Iterator[tuple[str, str | None, list[Item]]]:
    """Each batch: its name, its budget in dollars, its rows. A key has its batch's letter: none is another's twin."""

    def rows(letter: str, count: int, **more: object) -> list[Item]:
        return [
            item(f"{letter}{n:03}", seconds=4 if n % 3 else 8, priority=int(n % 17 == 0), **more) for n in range(count)
        ]

    yield "night", None, rows("n", 200)
    yield "pro", "40", rows("p", 100, model="sora-2-pro")
    yield "small", None, rows("s", 30)
    yield "pinned", None, rows("e", 30, deployment="east") + rows("u", 30, deployment="south", model="sora-2-pro")
    made_first = rows("r", 30)
    yield "remixed", None, made_first + [item(f"{row.key}-again", remix_of=row.key) for row in made_first]
    yield "doomed", None, rows("d", 60) + rows("x", 30, model="sora-2-pro")
