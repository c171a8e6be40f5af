"""Paging through a server's list of jobs, newest first, without believing that every server pages well."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from typing import Any

from workers.video_api.answer import PAGE_LIMIT
from workers.video_api.errors import BadAnswer
from workers.video_api.outcomes import RemoteJob
from workers.video_api.wire import Wire

#: More pages than any provider keeps jobs for.
MOST_PAGES = 20_000
#: And longer than any list takes to be read (seconds): one of so many pages, each as slow as it may be, takes a week.
MOST_S = 3600.0
#: The ids and prompts of one list, all together (characters): whoever reads it keeps them.
MOST_HELD = 64 * 1024 * 1024


class Repeats(BadAnswer):
    """The server has more jobs than it shows: what is not listed may be there all the same."""


async def server_time(wire: Wire, path: str, params: dict[str, str]) -> float | None:
    """The server's clock (Unix seconds, cut to whole ones) as the Date header of a short list tells it.

    None where it has none. Raises ApiError.
    """
    answer = await wire.ask("GET", path, {**params, "limit": "1"})
    if not answer.ok:
        raise wire.error_of(answer)
    return answer.server_time


async def jobs_since(
    wire: Wire,
    path: str,
    params: dict[str, str],
    *,
    since: float,
    read_job: Callable[[Any], RemoteJob | None],
) -> AsyncIterator[RemoteJob]:
    """Jobs created at `since` (Unix seconds, the server's clock) or later, and those without a time of creation.

    Stops at the first page whose end is older, unless the page runs from old to new: a server that ignores the order
    asked for must not look like one that has no new jobs. Raises ApiError; a listing that broke off has proven nothing.
    One that ignores `after` and repeats itself is such a one too (`Repeats`, behind the last job that it shows).
    """
    seen: set[str] = set()
    held, begun = 0, time.monotonic()
    for _ in range(MOST_PAGES):
        if time.monotonic() - begun > MOST_S:
            raise BadAnswer(f"The list does not end within {MOST_S:.0f} s.")
        answer = await wire.ask("GET", path, params, limit=PAGE_LIMIT)
        if not answer.ok:
            raise wire.error_of(answer)
        page = answer.document.get("data") if isinstance(answer.document, dict) else None
        if not isinstance(page, list):
            raise BadAnswer("The answer is not a list of jobs.", status=answer.status, request_id=answer.request_id)
        jobs = [job for job in map(read_job, page) if job is not None]
        fresh = [job for job in jobs if job.remote_id not in seen]
        for job in fresh:
            seen.add(job.remote_id)
            held += len(job.remote_id) + len(job.prompt or "")
            if job.created_at is None or job.created_at >= since:
                yield job
        if held > MOST_HELD:
            raise BadAnswer(f"The list holds more than {MOST_HELD:,} characters.", status=answer.status)
        if not answer.document.get("has_more", len(page) >= int(params["limit"])) or not jobs:
            return
        if not fresh:
            raise Repeats("The list gives a page again instead of the next.", status=answer.status)
        times = [job.created_at for job in jobs if job.created_at is not None]
        if times and times[-1] < since and times[0] >= times[-1]:
            return
        cursor = answer.document.get("last_id")
        params = {**params, "after": cursor if isinstance(cursor, str) and cursor else jobs[-1].remote_id}
    raise BadAnswer(f"The list does not end within {MOST_PAGES:,} pages.")
