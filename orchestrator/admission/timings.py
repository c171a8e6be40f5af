"""How long things take: as this installation has seen it, else as it is assumed.

The ledger keeps a decaying mean for each deployment and the last twenty times, made in the scripts that record an
outcome anyway (`learn` in `lua/shared/timings.lua`); they survive restarts, and all workers learn into them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from orchestrator.ledger.store import Store
from orchestrator.settings import Deployment
from orchestrator.video_models import model_table

#: Fewer of a kind may all have been exceptions.
LEAST = 3
#: Assumed, until seen: from the intent to the answer, and from finished to archived (seconds). The one create and the
#: downloads that Microsoft's and OpenAI's pages show take about so long; nothing better is published.
CREATE_S, ARCHIVE_S = 2.0, 5.0
#: Assumed of a model that `models.yaml` does not know: the middle of the 1 to 5 minutes that it gives for the others.
RENDER_S = 180.0
#: For so long a worker believes what it has read (seconds).
FRESH_S = 2.0


@dataclass(frozen=True, slots=True)
class Took:
    """What a thing took at a deployment, in seconds: the mean, of how many, and the last ones, ascending."""

    mean_s: float
    count: int
    last: tuple[float, ...] = ()

    @classmethod
    def parse(cls, text: str) -> Took:
        """From the ledger's `MEAN COUNT MS,MS,…`; one that was written before the last ones were kept has none."""
        mean, count, last = (*text.split(), "")[:3]
        return cls(float(mean) / 1000, int(count), tuple(sorted(float(ms) / 1000 for ms in last.split(",") if ms)))


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds that a kind of video takes at a deployment: its create call, its render, and its way into the archive.

    `learned`: the render was seen here, so often that it is no accident; else it is assumed. `renders`: the last ones,
    ascending, where they are known.
    """

    render_s: float
    create_s: float
    archive_s: float
    learned: bool
    renders: tuple[float, ...] = ()


async def timings(
    store: Store | None, deployments: Iterable[Deployment], kinds: Iterable[tuple[str, str, int]]
) -> dict[tuple[str, str, int], Timing]:
    """For each (deployment's name, size, seconds): of the kinds (model, size, seconds) that the deployment serves.

    `store` None: nothing was ever seen.
    """
    serving, wanted = list(deployments), set(kinds)
    seen = [await _learned(store, d.name) for d in serving]
    found = {}
    for deployment, known in zip(serving, seen, strict=True):
        for model, size, seconds in wanted:
            if model == deployment.model:
                render = known.get(render_field(size, seconds))
                found[deployment.name, size, seconds] = Timing(
                    render.mean_s if render else _assumed_render_s(deployment),
                    known["create"].mean_s if "create" in known else CREATE_S,
                    known["archive"].mean_s if "archive" in known else ARCHIVE_S,
                    render is not None,
                    _enough(render),
                )
    return found


class RenderTimes:
    """A worker's view of what was learned: read again now and then, by whoever asks."""

    def __init__(self, store: Store, clock: Callable[[], float] = time.monotonic) -> None:
        self._store, self._clock = store, clock
        self._seen: dict[str, Mapping[str, Took]] = {}
        self._read_at: dict[str, float] = {}

    async def of(self, deployment: str, size: str, seconds: int) -> tuple[float, ...]:
        """The last renders of a kind, ascending, in seconds; none until they were seen often enough."""
        if self._clock() >= self._read_at.get(deployment, float("-inf")) + FRESH_S:
            self._read_at[deployment] = self._clock()  # first: others that ask meanwhile take what there is
            self._seen[deployment] = await _learned(self._store, deployment)
        return _enough(self._seen.get(deployment, {}).get(render_field(size, seconds)))


def render_field(size: str, seconds: int) -> str:
    """Where the ledger keeps the render times of a kind."""
    return f"render {size} {seconds}"


def _enough(render: Took | None) -> tuple[float, ...]:
    return render.last if render and len(render.last) >= LEAST else ()


async def _learned(store: Store | None, deployment: str) -> Mapping[str, Took]:
    """Each thing that was seen often enough."""
    if store is None:
        return {}
    fields = await store.read(store.keys.timings(deployment))
    found = {what: Took.parse(text) for what, text in fields.items()}
    return {what: took for what, took in found.items() if took.count >= LEAST}


def _assumed_render_s(deployment: Deployment) -> float:
    if deployment.render_s is not None:
        return deployment.render_s
    known = model_table.known(deployment.model)
    return known.render.typical_s if known else RENDER_S
