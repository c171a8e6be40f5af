"""The work of a run: two batches of both models. What is peculiar about it, the seed decides."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass, fields

BATCHES = ("spring", "summer")


@dataclass(frozen=True)
class Night:
    """
    count   items in all
    hidden  the provider shows no prompts of Sora 2, ever
    takes   some rows have one prompt
    remixes some rows are made from another row's video
    shared  the deployments are said to be used by other programs too
    cleared archived videos are deleted at the provider
    older   Redis comes back once as it was some seconds before
    emptied Redis loses everything once; like the one before only where the provider tells all that was ordered there,
            and by us, since that is made good with nobody's help but a second submit
    parted  one worker archives and does nothing else, which the others do not
    large   videos are as large as real ones: a container takes them block by block
    """

    count: int
    hidden: bool = False
    takes: bool = False
    remixes: bool = False
    shared: bool = False
    cleared: bool = False
    older: bool = False
    emptied: bool = False
    parted: bool = False
    large: bool = False

    @classmethod
    def drawn(cls, seed: int, count: int) -> Night:
        """As the seed has it; most nights are plain."""
        dice = random.Random(f"the night of {seed}")
        hidden, takes, remixes, shared, cleared, older, emptied, parted, large = (
            dice.random() < chance for chance in (0.2, 0.3, 0.3, 0.15, 0.2, 0.4, 0.4, 0.4, 0.15)
        )
        told = not (hidden or shared)
        return cls(count, hidden, takes, remixes, shared, cleared, older and told, emptied and told, parted, large)

    def __str__(self) -> str:
        told = [field.name for field in fields(self) if getattr(self, field.name) is True]
        return ", ".join([f"{self.count} items", *told])

    def manifest(self, batch: str) -> str:
        """The rows of a batch as JSONL. But for takes no prompt stands twice."""
        return "".join(json.dumps(self._row(batch, n)) + "\n" for n in range(self.count // len(BATCHES)))

    def _row(self, batch: str, n: int) -> dict[str, object]:
        row: dict[str, object] = {"key": f"k{n}", "prompt": f"{batch} take {n}", "size": "1280x720", "seconds": 4}
        if n % 3 == 0:
            row |= {"model": "sora", "size": "480x480", "seconds": 5}
        elif self.takes and n % 3 == 2:
            row["prompt"] = f"{batch} take {n - 1}"
        elif self.remixes and n % 6 == 4:
            row["remix_of"] = f"k{n - 3}"
        return row
