"""Keeps accepted jobs in a SQLite file, so that a sandbox started again knows what it has accepted."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from sandbox.job import Failure, Job, Order


class Journal:
    """A row a job, written before the create is answered. Outlives a kill of the process, not power loss.

    ValueError where the file cannot be opened or is something else.
    """

    def __init__(self, path: Path) -> None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(path, isolation_level=None)
            self._db.execute("PRAGMA journal_mode=WAL")
        except (OSError, sqlite3.Error) as error:
            raise ValueError(f"state: {path} cannot be used: {error}") from error
        self._db.execute("PRAGMA synchronous=OFF")
        self._db.execute(
            "CREATE TABLE IF NOT EXISTS jobs (number INTEGER PRIMARY KEY, id TEXT UNIQUE, job TEXT, deleted INTEGER)"
        )

    def jobs(self) -> Iterator[Job]:
        """Every job ever accepted, deleted ones too, in the order of acceptance."""
        for text, deleted in self._db.execute("SELECT job, deleted FROM jobs ORDER BY number"):
            row = json.loads(text)
            failure = row.pop("failure")
            yield Job(
                **{**row, "order": Order(**row["order"])},
                failure=Failure(**failure) if failure else None,
                deleted=bool(deleted),
            )

    def add(self, job: Job) -> None:
        row = {
            "id": job.id,
            "api": job.api,
            "model": job.model,
            "order": asdict(job.order),
            "seq": job.seq,
            "created_at": job.created_at,
            "starts_at": job.starts_at,
            "finished_at": job.finished_at,
            "gone_at": job.gone_at,
            "failure": asdict(job.failure) if job.failure else None,
        }
        self._db.execute("INSERT INTO jobs (id, job, deleted) VALUES (?, ?, 0)", (job.id, json.dumps(row)))

    def delete(self, job_id: str) -> None:
        self._db.execute("UPDATE jobs SET deleted = 1 WHERE id = ?", (job_id,))

    def close(self) -> None:
        self._db.close()
