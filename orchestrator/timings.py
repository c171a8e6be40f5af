"""How long things take: as this installation has seen it, else as it is assumed.

The ledger keeps a decaying mean for each deployment, made in the scripts that record an outcome anyway (`learn` in
`lua/_ledger.lua`); it survives restarts, and all workers learn into it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from orchestrator import model_table
from orchestrator.settings import Deployment
from orchestrator.store import Store

#: Fewer of a kind may all have been exceptions.
LEAST = 3
#: Assumed, until seen: from the intent to the answer, and from finished to archived (seconds). The one create and the
#: downloads that Microsoft's and OpenAI's pages show take about so long; nothing better is published.
CREATE_S, ARCHIVE_S = 2.0, 5.0
#: Assumed of a model that `models.yaml` does not know: the middle of the 1 to 5 minutes that it gives for the others.
RENDER_S = 180.0


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds that a kind of video takes at a deployment: its create call, its render, and its way into the archive.

    `learned`: the render was seen here, so often that it is no accident; else it is assumed.
    """

    render_s: float
    create_s: float
    archive_s: float
    learned: bool


async def timings(
    store: Store | None, deployments: Iterable[Deployment], kinds: Iterable[tuple[str, str, int]]
) -> dict[tuple[str, str, int], Timing]:
    """For each (deployment's name, size, seconds): of the kinds (model, size, seconds) that the deployment serves.

    `store` None: nothing was ever seen.
    """
    serving, wanted = list(deployments), set(kinds)
    seen = [await _learned(store, d.name) for d in serving]
    return {
        (d.name, size, seconds): Timing(
            known.get(render_field(size, seconds), _assumed_render_s(d)),
            known.get("create", CREATE_S),
            known.get("archive", ARCHIVE_S),
            render_field(size, seconds) in known,
        )
        for d, known in zip(serving, seen, strict=True)
        for model, size, seconds in wanted
        if model == d.model
    }


def render_field(size: str, seconds: int) -> str:
    """Where the ledger keeps the render times of a kind."""
    return f"render {size} {seconds}"


async def _learned(store: Store | None, deployment: str) -> Mapping[str, float]:
    """Seconds of each thing that was seen often enough."""
    if store is None:
        return {}
    fields = await store.read(store.keys.timings(deployment))
    pairs = {what: value.split() for what, value in fields.items()}
    return {what: float(mean) / 1000 for what, (mean, count) in pairs.items() if int(count) >= LEAST}


def _assumed_render_s(deployment: Deployment) -> float:
    if deployment.render_s is not None:
        return deployment.render_s
    known = model_table.known(deployment.model)
    return known.render.typical_s if known else RENDER_S
