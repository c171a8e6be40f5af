"""One remote job. Where it stands is computed from the clock: nothing ticks while it renders."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from sandbox.config import Api
from sandbox.films.scene import SKIES, FilmSpec


class Phase(Enum):
    QUEUED = "queued"
    RENDERING = "rendering"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    GONE = "gone"
    """Past its retention, or deleted: answers 404."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a job will end failed; known at its creation, told when it is finished."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Order:
    """What a create asked for, already found valid."""

    deployment: str
    prompt: str
    width: int
    height: int
    seconds: int
    variants: int = 1
    remixed_from: str | None = None
    input_reference_sha256: str | None = None
    inpaint_items: list[dict[str, Any]] | None = None


@dataclass(slots=True)
class Job:
    """An accepted order. Instants are Unix seconds; `seq` is its place in the list of its API."""

    id: str
    api: Api
    model: str
    order: Order
    seq: int
    created_at: float
    starts_at: float
    finished_at: float
    gone_at: float
    failure: Failure | None
    deleted: bool = False
    gets: int = 0
    first_get_after_finish_at: float | None = None
    downloads: int = 0
    sha256: dict[str, str] = field(default_factory=dict)
    """Of the exact bytes behind each content id that somebody has asked for."""

    def phase(self, now: float) -> Phase:
        if self.deleted or now >= self.gone_at:
            return Phase.GONE
        if now < self.starts_at:
            return Phase.QUEUED
        if now < self.finished_at:
            return Phase.RENDERING
        return Phase.FAILED if self.failure else Phase.SUCCEEDED

    def share_done(self, now: float) -> float:
        """How much of the rendering is done, 0 to 1."""
        if now >= self.finished_at:
            return 1.0
        return (now - self.starts_at) / (self.finished_at - self.starts_at) if now > self.starts_at else 0.0

    @property
    def content_ids(self) -> tuple[str, ...]:
        """Sora 2: the job's own id. Sora 1: one generation id a variant."""
        if self.api == "videos":
            return (self.id,)
        stem = self.id.removeprefix("task_")
        return tuple(f"gen_{stem}_{number}" for number in range(self.order.variants))

    @property
    def film(self) -> FilmSpec:
        order = self.order
        tint = zlib.crc32(order.prompt.encode()) % len(SKIES)
        return FilmSpec(order.width, order.height, order.seconds, audio=self.api == "videos", tint=tint)
