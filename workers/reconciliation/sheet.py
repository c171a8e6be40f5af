"""A provider's list of jobs as recovery reads it: what nobody here knows is kept, of all else only what it proves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from workers.station import Line
from workers.video_api import Missing, RemoteJob


class Sheet:
    """What is kept of a list, however long it is."""

    def __init__(self, newest_known: str, late_since: float) -> None:
        """`late_since`: a job that was created later (Unix seconds, the provider's clock) was made of late."""
        self._newest_known, self._late_since = newest_known, late_since
        self._seen: set[str] = set()
        self.unknown: list[RemoteJob] = []
        self.shows_newest = self.late_known = self.late_unknown = False

    @property
    def listed(self) -> int:
        """How many jobs there are."""
        return len(self._seen)

    def add(self, jobs: Sequence[RemoteJob], owners: Mapping[str, str]) -> None:
        """Some more of it, and whose they are."""
        for job in jobs:
            if job.remote_id in self._seen:
                continue
            self._seen.add(job.remote_id)
            self.shows_newest |= job.remote_id == self._newest_known
            late = job.created_at is None or job.created_at > self._late_since
            if job.remote_id in owners:
                self.late_known |= late
            else:
                self.late_unknown |= late
                self.unknown.append(job)


def one_for_each_key(lines: Sequence[Line]) -> list[Line]:
    """One line for each key: another may list other jobs."""
    found: list[Line] = []
    for line in lines:
        if all(line.deployment.auth != other.deployment.auth for other in found):
            found.append(line)
    return found


async def is_deleted(lines: Sequence[Line], remote_id: str) -> bool:
    """Whether no key finds a job any more. Raises ApiError."""
    for line in one_for_each_key(lines):
        try:
            await line.api.get(remote_id)
        except Missing:
            continue
        return False
    return True
