"""The most that may be spent in a day and in a month, by all batches together."""

from __future__ import annotations

from decimal import Decimal

from pydantic import Field

from orchestrator.settings.section import Section
from orchestrator.settings.window import Zone


class Budgets(Section):
    """US dollars; None is no such limit. Days and months are those of `timezone`."""

    day_usd: Decimal | None = Field(None, description="US dollars, more than 0", gt=0)
    month_usd: Decimal | None = Field(None, description="US dollars, more than 0", gt=0)
    timezone: Zone = Field("UTC", description="continent and city, for example Europe/Stockholm")

    def __bool__(self) -> bool:
        """Whether there is any limit."""
        return self.day_usd is not None or self.month_usd is not None


NO_BUDGETS = Budgets()
