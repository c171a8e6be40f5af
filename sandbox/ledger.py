"""Every job that was accepted: found by id, listed in pages, newest or oldest first."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from sandbox.config import Api
from sandbox.job import Job, Phase
from sandbox.journal import Journal


class Ledger:
    """Jobs in memory, and in the journal if there is one, which other sandboxes may share. Deleted and expired ones
    stay, for the counters."""

    def __init__(self, journal: Journal | None = None) -> None:
        self._journal = journal
        self._by_id: dict[str, Job] = {}
        self._by_content: dict[str, Job] = {}
        self._rows: dict[Api, list[Job]] = {"videos": [], "jobs": []}
        self._catch_up()

    def __iter__(self) -> Iterator[Job]:
        """All jobs of both APIs, in the order of acceptance."""
        self._catch_up()
        return iter(self._by_id.values())

    def next_seq(self, api: Api) -> int:
        self._catch_up()
        return len(self._rows[api])

    def add(self, job: Job) -> None:
        if self._journal:
            self._journal.add(job)
        self._index(job)

    def delete(self, job: Job) -> None:
        job.deleted = True
        if self._journal:
            self._journal.delete(job.id)

    def job(self, api: Api, job_id: str, now: float) -> Job | None:
        """None where no such job was ever accepted by this API, or where it is gone by `now`."""
        return self._alive(self._known(self._by_id, job_id), api, now)

    def by_content(self, api: Api, content_id: str, now: float) -> Job | None:
        """The job that one of its content ids belongs to."""
        return self._alive(self._known(self._by_content, content_id), api, now)

    def knows(self, api: Api, job_id: str) -> bool:
        """Whether the id may serve as a place in the list, be its job gone or not."""
        found = self._known(self._by_id, job_id)
        return found is not None and found.api == api

    def page(
        self,
        api: Api,
        now: float,
        *,
        limit: int,
        after: str | None = None,
        before: str | None = None,
        newest_first: bool = True,
        wanted: Callable[[Job], bool] = lambda job: True,
    ) -> tuple[list[Job], bool]:
        """At most `limit` jobs next to a job in the list's order, and whether there are more beyond them.

        `after` takes those that follow that job, `before` those that come just ahead of it; with neither the
        page starts where the list starts.
        """
        self._catch_up()
        rows = self._rows[api]
        forwards = newest_first == (before is not None)
        anchor = before or after
        if anchor is not None:
            at = self._by_id[anchor].seq
            places = range(at + 1, len(rows)) if forwards else range(at - 1, -1, -1)
        else:
            places = range(len(rows)) if forwards else range(len(rows) - 1, -1, -1)
        found: list[Job] = []
        more = False
        for place in places:
            job = rows[place]
            if job.phase(now) is Phase.GONE or not wanted(job):
                continue
            if len(found) == limit:
                more = True
                break
            found.append(job)
        return (found[::-1] if before is not None else found), more

    def close(self) -> None:
        if self._journal:
            self._journal.close()

    def _alive(self, job: Job | None, api: Api, now: float) -> Job | None:
        return job if job and job.api == api and job.phase(now) is not Phase.GONE else None

    def _known(self, jobs: Mapping[str, Job], name: str) -> Job | None:
        if name not in jobs:
            self._catch_up()
        return jobs.get(name)

    def _catch_up(self) -> None:
        """Take up what other sandboxes with this journal have accepted."""
        for job in self._journal.jobs(self._by_id) if self._journal else ():
            job.seq = len(self._rows[job.api])
            self._index(job)

    def _index(self, job: Job) -> None:
        self._by_id[job.id] = job
        self._rows[job.api].append(job)
        for content_id in job.content_ids:
            self._by_content[content_id] = job
