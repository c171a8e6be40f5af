"""The work of a run: two batches of both models. What is peculiar about it, the seed decides."""

from __future__ import annotations

import random
from dataclasses import dataclass

from manifests import Item
from orchestrator.store import Store
from tests.ledger import deployment, item, submit

BATCHES = ("spring", "summer")


@dataclass(frozen=True)
class Night:
    """
    count   items in all
    hidden  the provider shows no prompts of Sora 2, ever
    takes   some rows have one prompt
    remixes some rows are made from another row's video
    shared  the deployments are said to be used by other programs too
    """

    count: int
    hidden: bool = False
    takes: bool = False
    remixes: bool = False
    shared: bool = False

    @classmethod
    def drawn(cls, seed: int, count: int) -> Night:
        """As the seed has it; most nights are plain."""
        dice = random.Random(f"the night of {seed}")
        hidden, takes, remixes, shared = (dice.random() < chance for chance in (0.2, 0.3, 0.3, 0.15))
        return cls(count, hidden, takes, remixes, shared)

    def __str__(self) -> str:
        told = [name for name in ("hidden", "takes", "remixes", "shared") if getattr(self, name)]
        return f"{self.count} items{', ' if told else ''}{', '.join(told)}"

    def items(self, batch: str) -> list[Item]:
        """The rows of a batch. But for takes no prompt stands twice."""
        return [self._item(batch, n) for n in range(self.count // len(BATCHES))]

    def _item(self, batch: str, n: int) -> Item:
        if n % 3 == 0:
            return item(f"k{n}", prompt=f"{batch} take {n}", model="sora", size="480x480", seconds=5)
        if self.takes and n % 3 == 2:
            return item(f"k{n}", prompt=f"{batch} take {n - 1}")
        if self.remixes and n % 6 == 4:
            return item(f"k{n}", prompt=f"{batch} take {n}", remix_of=f"k{n - 3}")
        return item(f"k{n}", prompt=f"{batch} take {n}")


async def order(store: Store, night: Night, batch: str) -> None:
    """Submit a batch, or submit it again."""
    served = (deployment("two"), deployment("one", api="jobs", model="sora"))
    await submit(store, night.items(batch), batch=batch, deployments=served)
