"""Keeps accepted jobs in a SQLite file, so that a sandbox started again knows what it has accepted."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Container, Iterator
from dataclasses import asdict
from pathlib import Path

from sandbox.job import Failure, Job, Order

#: How long another sandbox that opens or writes the same file is waited for (seconds).
BUSY_S = 30.0
_COLUMNS = "number INTEGER PRIMARY KEY, id TEXT UNIQUE, job TEXT, deleted INTEGER"


class Journal:
    """A row a job, written before the create is answered. Outlives a kill of the process, not power loss. Any number of
    sandboxes may share a file: each reads what the others have accepted.

    ValueError where the file cannot be opened or is something else.
    """

    def __init__(self, path: Path) -> None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._db = _opened(path)
        except (OSError, sqlite3.Error) as error:
            raise ValueError(f"state: {path} cannot be used: {error}") from error
        self._seen, self._read = -1, 0

    def jobs(self, known: Container[str] = ()) -> Iterator[Job]:
        """Every job that was accepted since this was last asked, but those that are known by their ids; at first every
        one ever, deleted ones too, in the order of acceptance."""
        (version,) = self._db.execute("PRAGMA data_version").fetchone()
        if version == self._seen:  # no other has written since
            return
        rows = self._db.execute(
            "SELECT number, id, job, deleted FROM jobs WHERE number > ? ORDER BY number", (self._read,)
        )
        for number, job_id, text, deleted in rows.fetchall():
            self._read = number
            if job_id not in known:
                yield _job(text, deleted=bool(deleted))
        self._seen = version

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


def _opened(path: Path) -> sqlite3.Connection:
    """Two that switch one file to WAL at once are told that it is locked, however long they would wait."""
    deadline = time.monotonic() + BUSY_S
    while True:
        db = sqlite3.connect(path, timeout=BUSY_S, isolation_level=None)
        try:
            db.execute("PRAGMA journal_mode=WAL")
            db.execute("PRAGMA synchronous=OFF")
            db.execute(f"CREATE TABLE IF NOT EXISTS jobs ({_COLUMNS})")
        except sqlite3.Error as error:
            db.close()
            if getattr(error, "sqlite_errorcode", None) != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        else:
            return db


def _job(text: str, *, deleted: bool) -> Job:
    row = json.loads(text)
    failure = row.pop("failure")
    return Job(
        **{**row, "order": Order(**row["order"])}, failure=Failure(**failure) if failure else None, deleted=deleted
    )
