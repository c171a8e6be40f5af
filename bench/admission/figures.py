"""What a night comes to: from what the sandbox saw, and when each video lay in the folder. No clock, no network."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bench.admission.bounds import Limits, lower_bound
from bench.admission.scenarios import FIRST_SHARE


@dataclass(frozen=True)
class Seen:
    """jobs       the sandbox's, of the night's own prompts, as accepted
    others        when jobs of somebody else were accepted
    archived      prompt → when its video was whole in the folder (Unix seconds)
    refused       429s of the night's own creates, in all
    counts        (accepted, refused) of everybody, now and then, in the order of time
    """

    videos: int
    jobs: Sequence[Mapping[str, Any]]
    others: Sequence[float]
    archived: Mapping[str, float]
    refused: int
    counts: Sequence[tuple[int, int]]


@dataclass(frozen=True)
class Figures:
    """One line of the table. Lags are shares of the mean render; `ratio` is infinite where not all was archived."""

    archived: int
    videos: int
    extra: int
    ratio: float
    refused: float
    refused_late: float
    polls: float
    lag: float
    worst_lag: float


def late_refusals(counts: Sequence[tuple[int, int]], videos: int) -> float:
    """429s after a third of the videos was accepted, a video accepted since then."""
    later = [(accepted, refused) for accepted, refused in counts if accepted >= videos * FIRST_SHARE]
    if not later or later[-1][0] == later[0][0]:
        return 0.0
    return (later[-1][1] - later[0][1]) / (later[-1][0] - later[0][0])


def figures(seen: Seen, limits: Sequence[Limits]) -> Figures:
    """`limits` without what others took: that is in `seen`. Where a video is missing, its render counts as the mean."""
    jobs = sorted(seen.jobs, key=lambda job: float(job["created_at"]))
    if not any(job["finished_at"] for job in jobs):
        return Figures(0, seen.videos, 0, math.inf, seen.refused / seen.videos, math.inf, 0.0, math.inf, math.inf)
    first: dict[str, Mapping[str, Any]] = {}
    for job in jobs:
        first.setdefault(str(job["prompt"]), job)
    began = float(jobs[0]["created_at"])
    drawn = [job["finished_at"] - job["created_at"] for job in first.values() if job["finished_at"]]
    mean_s = statistics.mean(drawn)
    renders = [(job["finished_at"] or job["created_at"] + mean_s) - job["created_at"] for job in first.values()]
    renders += [mean_s] * (seen.videos - len(renders))
    taken = tuple(at - began for at in seen.others)
    bound_s = lower_bound(renders, [Limits(each.per_minute, each.concurrent, each.window_s, taken) for each in limits])
    whole = len(seen.archived) == seen.videos
    lags = [at - first[prompt]["finished_at"] for prompt, at in seen.archived.items()]
    return Figures(
        archived=len(seen.archived),
        videos=seen.videos,
        extra=len(jobs) - len(first),
        ratio=(max(seen.archived.values()) - began) / bound_s if whole else math.inf,
        refused=seen.refused / seen.videos,
        refused_late=late_refusals(seen.counts, seen.videos),
        polls=sum(int(job["gets"]) for job in jobs) / seen.videos,
        lag=statistics.median(lags) / mean_s if lags else math.inf,
        worst_lag=max(lags) / mean_s if lags else math.inf,
    )
