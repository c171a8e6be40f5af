"""Whose turn it is where several deployments have room: the rules of `lua/shared/turns.lua`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from orchestrator.planning.desk import Desk
from orchestrator.planning.lanes import PASS_STEP


class Turns:
    """Models take turns; of a model's deployments the smallest order is first, equal ones in turn, by weight."""

    def __init__(self) -> None:
        self._pass: defaultdict[str, float] = defaultdict(float)

    def next(self, room: Sequence[Desk]) -> Desk:
        """The desk to ask, of those that have room, in the order in which they are configured."""
        front: dict[str, Desk] = {}
        for desk in room:
            other = front.get(desk.model)
            if other is None or self._rank(desk) < self._rank(other):
                front[desk.model] = desk
        return front[min(front, key=lambda model: self._pass[f"model:{model}"])]

    def take(self, desk: Desk) -> None:
        """It was given something that another one might have been given."""
        self._move("models", f"model:{desk.model}", 1)
        self._move(f"of:{desk.model}", f"deployment:{desk.name}", desk.weight)

    def _rank(self, desk: Desk) -> tuple[int, float]:
        return desk.order, self._pass[f"deployment:{desk.name}"]

    def _move(self, group: str, name: str, weight: int) -> None:
        """Whoever comes (back) cannot claim the past."""
        self._pass[group] = max(self._pass[group], self._pass[name])
        self._pass[name] = self._pass[group] + PASS_STEP / weight
