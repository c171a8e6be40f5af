"""Keys seen so far, eight bytes each: which may have come twice is told at the end."""

from __future__ import annotations

from array import array

_PARTS = 256


class KeyHashes:
    """The hashes of all keys, parted so that equal ones are found part by part, in little memory.

    A hash that came twice is a suspicion: two keys may share one, and only the keys themselves can tell.
    """

    def __init__(self) -> None:
        self._parts = [array("q") for _ in range(_PARTS)]

    @property
    def count(self) -> int:
        return sum(map(len, self._parts))

    def add(self, key: str) -> None:
        number = hash(key)
        self._parts[number % _PARTS].append(number)

    def repeated(self) -> frozenset[int]:
        """The hashes, as `hash` gives them, that came more than once."""
        found: set[int] = set()
        for part in self._parts:
            seen = set(part)
            if len(seen) < len(part):
                for number in part:
                    if number in seen:
                        seen.remove(number)
                    else:
                        found.add(number)
        return frozenset(found)
