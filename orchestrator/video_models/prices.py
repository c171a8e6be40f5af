"""What a video costs, in integer micro-dollars: the list prices of `models.yaml`, dated and with their sources.

Prices are estimates until a bill says otherwise; `price_per_second_usd` of a deployment overrides them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal

from orchestrator.settings import Deployment
from orchestrator.video_models import model_table

MICRO = 1_000_000

#: Model → size → dollars a second, as strings: the list prices of `models.yaml`.
PER_SECOND_USD: Mapping[str, Mapping[str, str]] = {
    name: model.prices.usd_per_second for name, model in model_table.table().items()
}


def micro(usd: Decimal | str) -> int:
    """Dollars as micro-dollars, rounded to the nearest."""
    return int((Decimal(usd) * MICRO).to_integral_value())


def usd(micro_dollars: int) -> float:
    """Micro-dollars as dollars, for people and JSON."""
    return round(micro_dollars / MICRO, 6)


def dearest(
    deployments: Iterable[Deployment], model: str, size: str, seconds: int, pinned: str | None = None
) -> int | None:
    """The price at the dearest deployment of the model: an estimate may come out lower, never higher.

    `pinned`: the only deployment that may make it, whose own price counts then. None where it is not known of each of
    them; the list price where no deployment is given.
    """
    able = [d for d in deployments if d.model == model and pinned in (None, d.name)]
    serving = [price(model, size, seconds, d.price_per_second_usd) for d in able]
    prices = serving or [price(model, size, seconds)]
    known = [p for p in prices if p is not None]
    return max(known) if len(known) == len(prices) else None


def price(model: str, size: str, seconds: int, override: Decimal | None = None) -> int | None:
    """The list price of one video in micro-dollars, or None where nobody knows it.

    A dated snapshot (`sora-2-2025-12-08`) costs what its model costs.
    """
    if override is not None:
        return micro(override) * seconds
    known = model_table.known(model)
    rate = known.prices.usd_per_second.get(size) if known else None
    return None if rate is None else micro(rate) * seconds
