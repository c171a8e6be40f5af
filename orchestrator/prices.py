"""What a video costs: a dated table of list prices, in integer micro-dollars a second.

Prices are estimates until a bill says otherwise; `price_per_second_usd` of a deployment overrides them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal

from orchestrator.settings import Deployment

MICRO = 1_000_000

#: Model → size → dollars a second; "*" is any other size. As of 2026-10. Sora 2: OpenAI's and Azure's list
#: prices as litellm's price map carries them (1080p: second-hand). Sora 1: a public sample's constants of
#: June 2025, the upper end where the price depends on the duration.
PER_SECOND_USD: Mapping[str, Mapping[str, str]] = {
    "sora-2": {"720x1280": "0.10", "1280x720": "0.10"},
    "sora-2-pro": {
        "720x1280": "0.30",
        "1280x720": "0.30",
        "1024x1792": "0.50",
        "1792x1024": "0.50",
        "1080x1920": "0.70",
        "1920x1080": "0.70",
    },
    "sora": {
        "480x480": "0.15",
        "480x854": "0.20",
        "854x480": "0.20",
        "720x720": "0.30",
        "720x1280": "0.50",
        "1280x720": "0.50",
        "1080x1080": "0.75",
        "1080x1920": "1.85",
        "1920x1080": "1.85",
    },
}


def micro(usd: Decimal | str) -> int:
    """Dollars as micro-dollars, rounded to the nearest."""
    return int((Decimal(usd) * MICRO).to_integral_value())


def usd(micro_dollars: int) -> float:
    """Micro-dollars as dollars, for people and JSON."""
    return round(micro_dollars / MICRO, 6)


def dearest(deployments: Iterable[Deployment], model: str, size: str, seconds: int) -> int | None:
    """The price at the dearest deployment of the model: an estimate may come out lower, never higher.

    None where it is not known of each of them; the list price where no deployment is given.
    """
    serving = [price(model, size, seconds, d.price_per_second_usd) for d in deployments if d.model == model]
    prices = serving or [price(model, size, seconds)]
    known = [p for p in prices if p is not None]
    return max(known) if len(known) == len(prices) else None


def price(model: str, size: str, seconds: int, override: Decimal | None = None) -> int | None:
    """The list price of one video in micro-dollars, or None where nobody knows it.

    A dated snapshot (`sora-2-2025-12-08`) costs what its model costs.
    """
    if override is not None:
        return micro(override) * seconds
    table = PER_SECOND_USD.get(model) or next(
        (t for name, t in sorted(PER_SECOND_USD.items(), reverse=True) if model.startswith(f"{name}-20")), {}
    )
    rate = table.get(size)
    return None if rate is None else micro(rate) * seconds
