"""Answers that tell less than the truth: prompts left out, the newest jobs not listed yet."""

from __future__ import annotations

import json
from typing import Any

from starlette.responses import JSONResponse, Response


def without_prompts(response: Response) -> Response:
    """The same answer with null for every prompt, as Azure was seen to do."""
    return _answer(response, _hidden(json.loads(bytes(response.body))))


def without_newest(response: Response, since: float) -> Response:
    """A page of a list without the jobs created at `since` (Unix seconds) or later: a list that lags behind."""
    page = json.loads(bytes(response.body))
    page["data"] = [job for job in page["data"] if job["created_at"] < int(since)]
    ids = [job["id"] for job in page["data"]]
    return _answer(response, page | {"first_id": ids[0] if ids else None, "last_id": ids[-1] if ids else None})


def _hidden(found: Any) -> Any:
    if isinstance(found, dict):
        return {name: None if name == "prompt" else _hidden(value) for name, value in found.items()}
    return [_hidden(each) for each in found] if isinstance(found, list) else found


def _answer(response: Response, body: Any) -> Response:
    kept = {name: value for name, value in response.headers.items() if name != "content-length"}
    return JSONResponse(body, response.status_code, kept)
