"""Every knob of the sandbox, with its default. `sandbox.cli` turns command line options into these."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Api = Literal["videos", "jobs"]

PRICE_PER_SECOND_MICRO_USD: dict[Api, int] = {"videos": 100_000, "jobs": 200_000}
"""What `bill_usd` adds per second of an accepted video of any size: 0.10 and 0.20 dollars."""

_USUAL_MODEL: dict[Api, str] = {"videos": "sora-2", "jobs": "sora"}


@dataclass(frozen=True, slots=True)
class SandboxDeployment:
    """One model deployment and its quota.

    `name` is what callers send as `model`; `model` is what is behind it and decides sizes and lengths
    (default: sora-2 or sora, by `api`; a model that the sandbox does not know takes any size and length).
    `per_minute` and `concurrent` are the quota; None is no limit.
    """

    name: str
    api: Api = "videos"
    model: str = ""
    per_minute: float | None = None
    concurrent: int | None = None

    def __post_init__(self) -> None:
        if not self.name:
            raise ValueError("deployment: name is missing")
        if self.api not in _USUAL_MODEL:
            raise ValueError(f"deployment {self.name}: api is {self.api!r}, but must be videos or jobs")
        if self.per_minute is not None and self.per_minute <= 0:
            raise ValueError(f"deployment {self.name}: per_minute must be above 0 (leave it out for no limit)")
        if self.concurrent is not None and self.concurrent < 1:
            raise ValueError(f"deployment {self.name}: concurrent must be at least 1 (leave it out for no limit)")
        if not self.model:
            object.__setattr__(self, "model", _USUAL_MODEL[self.api])


@dataclass(frozen=True, slots=True)
class SandboxConfig:
    """What the pretend service is like. Durations are in seconds."""

    deployments: tuple[SandboxDeployment, ...] = (
        SandboxDeployment("sora-2", api="videos"),
        SandboxDeployment("sora", api="jobs"),
    )
    rate_window_s: float = 60.0
    """A strict rolling window: none holds more than per_minute * rate_window_s / 60 creates (at least 1)."""
    count_refused: bool = False
    """True: refused creates fill the rate window too. Which of the two Azure does is not documented."""
    queue_s: float = 0.2
    render_s: tuple[float, float] = (1.0, 3.0)
    """A job is `queue_s` in the queue, then renders for a time drawn evenly between these two."""
    retention_s: float = 86_400.0
    """That long after its creation a finished job and its video answer 404. Azure's sample: 24 h."""
    api_key: str | None = None
    """The key to ask for as `api-key` or bearer token. None: everybody may come in."""
    block_words: tuple[str, ...] = ("forbidden",)
    """A prompt with one of these words, in any case, ends failed by moderation."""
    hide_prompts: bool = False
    """True: the videos API answers `prompt: null`, as Azure was seen to do."""
    poll_after_ms: int | None = None
    """Sent as `openai-poll-after-ms` while a video is not finished; the official client waits that long."""
    pad_bytes: int = 0
    """That many bytes are added to each video, for downloads as big as real ones."""
    state: Path | None = None
    """A file (SQLite) that keeps the jobs, so that they outlive a restart of the sandbox."""
    seed: int | None = None
    """Makes the drawn render times and the faults that come by chance repeatable."""

    def __post_init__(self) -> None:
        names = [deployment.name for deployment in self.deployments]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"deployments: the name {twice[0]!r} is given twice")
        low, high = self.render_s
        if not 0 <= low <= high:
            raise ValueError(f"render_s: {low}:{high} is no range; write LOW:HIGH with 0 <= LOW <= HIGH")
        for knob in ("rate_window_s", "retention_s"):
            if getattr(self, knob) <= 0:
                raise ValueError(f"{knob}: must be above 0")
        for knob in ("queue_s", "pad_bytes"):
            if getattr(self, knob) < 0:
                raise ValueError(f"{knob}: must not be below 0")
