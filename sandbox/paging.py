"""The query parameters of lists."""

from __future__ import annotations

import re

from starlette.datastructures import QueryParams

from sandbox.config import Api
from sandbox.ledger import Ledger
from sandbox.refusals import invalid_value

_MOST = 100
_WHOLE = re.compile(r"[0-9]{1,9}")


def read_limit(query: QueryParams, default: int, lowest: int) -> int:
    """`limit`, from `lowest` to 100."""
    text = query.get("limit")
    if text is None:
        return default
    if not _WHOLE.fullmatch(text) or not lowest <= int(text) <= _MOST:
        raise invalid_value("limit", f"Invalid value: '{text}'. Expected an integer from {lowest} to {_MOST}.")
    return int(text)


def read_place(query: QueryParams, name: str, api: Api, ledger: Ledger) -> str | None:
    """The job id in `name` (`after` or `before`); it may be expired or deleted by now, but not unknown."""
    job_id = query.get(name)
    if job_id and not ledger.knows(api, job_id):
        raise invalid_value(name, f"Invalid value: '{job_id}'. No such job is in the list.")
    return job_id or None
