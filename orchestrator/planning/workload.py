"""The work of one batch, compact: a few bytes an item, however many there are."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import NamedTuple

from manifests import Item
from manifests.key import is_remote_id
from manifests.window import Window


class Kind(NamedTuple):
    """What decides how long a video takes and what it costs."""

    model: str
    size: str
    seconds: int


class Workload:
    """The items of a batch that are still to be rendered, in the manifest's order."""

    def __init__(
        self,
        batch: str,
        *,
        budget_usd: Decimal | None = None,
        spent_usd: Decimal = Decimal(0),
        window: Window | None = None,
        priority: int = 0,
        weight: float = 1,
    ) -> None:
        """`spent_usd`: what of the budget is spent or on its way already."""
        self.batch, self.budget_usd, self.spent_usd = batch, budget_usd, spent_usd
        self.window, self.priority, self.weight = window, priority, weight
        self.kinds: list[Kind] = []
        #: For each of the kinds, the only deployment that may make it; None for any. One kind may have several.
        self.pins: list[str | None] = []
        self._number: dict[tuple[Kind, str | None], int] = {}
        self._kind_of = array("I")
        self._priority_of = array("i")
        self._keys = array("q")
        self._remixes: dict[int, str] = {}

    def __len__(self) -> int:
        return len(self._kind_of)

    def add(self, item: Item) -> None:
        """One more item to render."""
        kind = Kind(item.model, item.size, item.seconds)
        number = self._number.get((kind, item.deployment))
        if number is None:
            number = self._number[kind, item.deployment] = len(self.kinds)
            self.kinds.append(kind)
            self.pins.append(item.deployment)
        if item.remix_of and not is_remote_id(item.remix_of):
            self._remixes[len(self)] = item.remix_of
        self._kind_of.append(number)
        self._priority_of.append(item.priority)
        self._keys.append(hash(item.key))

    def kind_of(self, place: int) -> int:
        """The number of the kind of the item at a place."""
        return self._kind_of[place]

    def lane_of(self, kind: int) -> str:
        """Where the items of a kind, by its number, wait that are made from nothing else."""
        pin = self.pins[kind]
        return self.kinds[kind].model if pin is None else f"@{pin}"

    def priority_of(self, place: int) -> int:
        """The priority of the item at a place."""
        return self._priority_of[place]

    def counts(self) -> Mapping[Kind, int]:
        """How many items there are of each kind."""
        found: Counter[Kind] = Counter()
        for number, count in sorted(Counter(self._kind_of).items()):
            found[self.kinds[number]] += count
        return found

    def sources(self) -> Mapping[int, int]:
        """Place of a remix → place of the item that it is made from, where that is still to be rendered too."""
        if not self._remixes:
            return {}
        wanted = {hash(key) for key in self._remixes.values()}
        places = {key: place for place, key in enumerate(self._keys) if key in wanted}
        return {place: places[hash(key)] for place, key in self._remixes.items() if hash(key) in places}

    def __iter__(self) -> Iterator[int]:
        """The places."""
        return iter(range(len(self)))
