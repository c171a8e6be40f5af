"""What the benchmarks order."""

from __future__ import annotations

from collections.abc import Iterator

from manifests import Item


def items(count: int) -> Iterator[Item]:
    """Small, quick videos, each with a prompt of its own."""
    for n in range(count):
        yield Item(
            key=f"k{n:06}",
            prompt=f"A paper boat crossing a rain-soaked neon street at night, slow dolly-in, take {n}",
            model="sora-2",
            size="1280x720",
            seconds=4,
            input_reference=None,
            image_sha256=None,
            remix_of=None,
            priority=0,
            labels={},
            line=n + 1,
        )
