"""A sample: some items of a manifest, spread over all of it, and the same ones each time."""

from __future__ import annotations

import heapq
from hashlib import blake2b

from manifests.checking.order import Order
from manifests.key import is_remote_id


class Sample:
    """The items whose keys have the smallest hashes, at most `size` of them; a larger sample has all of a smaller one.

    A remix of another item is none of them: what it is made of might be left out.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._found: list[tuple[int, str, tuple[str, str, int] | tuple[str, str, int, str], str]] = []

    def offer(self, key: str, order: Order) -> None:
        if order.remix_of is not None and not is_remote_id(order.remix_of):
            return
        number = -int.from_bytes(blake2b(key.encode(), digest_size=8).digest(), "big")
        found = (number, key, order.kind.priced, order.image[0] or "")
        if len(self._found) < self._size:
            heapq.heappush(self._found, found)
        else:
            heapq.heappushpop(self._found, found)

    @property
    def keys(self) -> frozenset[str]:
        return frozenset(key for _, key, _, _ in self._found)

    @property
    def kinds(self) -> set[tuple[str, str, int] | tuple[str, str, int, str]]:
        """Model, size and seconds of its items, and the deployment where only one may make it."""
        return {kind for _, _, kind, _ in self._found}

    @property
    def images(self) -> set[str]:
        return {image for _, _, _, image in self._found if image}
