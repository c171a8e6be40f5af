"""A minute of chaos: whatever dies, every promise holds. `make chaos` goes on for as long as one likes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.chaos.driver import run
from tests.chaos.mischief import plan
from tests.servers import Container

#: In the first, Redis is rolled back and emptied. Nights that never were are for `make chaos` alone.
SEEDS = (20, 1962)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", SEEDS)
async def test_every_promise_holds_whatever_dies(seed: int, tmp_path: Path) -> None:
    """Repeat it with `make chaos ARGS="--seed N --faults 14 --items 24"`."""
    done = await run(tmp_path, seed, faults=14, items=24, tell=print)
    assert done.kept, done.text()


async def test_every_promise_holds_with_blobs_for_an_archive(tmp_path: Path, azurite_container: Container) -> None:
    done = await run(tmp_path, 3, faults=10, items=12, container=azurite_container, tell=print)
    assert done.kept, done.text()


def test_a_seed_repeats_the_dice() -> None:
    first, again, other = ([(f.name, f.pause_s) for f in plan(seed, 50)] for seed in (5, 5, 6))
    assert first == again
    assert first != other
