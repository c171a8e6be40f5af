"""Typing commands, as a person would, against a sandbox and an embedded Redis."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.main_job.night import Witness, config, running

Place = tuple[Witness, Path]


async def dailies(*arguments: str, **environ: str) -> tuple[int, str, str]:
    """Exit code, stdout and what was said on stderr (log lines left out)."""
    async with running("-m", "dailies", *arguments, **environ) as process:
        code = await process.end()
        return code, await process.output(), "".join(process.text)


def here(tmp_path: Path, *deployments: dict[str, Any]) -> Path:
    """A configuration with an embedded Redis and a directory as archive."""
    archive = {"url": str(tmp_path / "archive")}
    path = tmp_path / "dailies.yaml"
    return config(path, redis_url=None, namespace="cli", archive=archive, deployments=list(deployments))
