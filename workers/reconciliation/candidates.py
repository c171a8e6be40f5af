"""The remote jobs that an item which is held may have made, as its record names them: ids and times."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from orchestrator.ledger.records import Fields
from workers.video_api import RemoteJob

#: More of them help nobody.
MOST = 20


def shown(jobs: Sequence[RemoteJob]) -> str:
    """As the item's field `candidates` has them, JSON: [{id, created_at (Unix seconds), status, size, seconds}, …]."""
    newest = sorted(jobs, key=lambda job: job.created_at or 0.0, reverse=True)[:MOST]
    return json.dumps(
        [
            {
                "id": job.remote_id,
                "created_at": None if job.created_at is None else int(job.created_at),
                "status": job.raw_status,
                "size": job.size,
                "seconds": job.seconds,
            }
            for job in newest
        ]
    )


def named(fields: Fields) -> list[dict[str, Any]]:
    """Those that an item's record names."""
    found: list[dict[str, Any]] = json.loads(fields.get("candidates") or "[]")
    return found
