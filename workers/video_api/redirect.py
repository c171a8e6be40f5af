"""Redirects of a download: what may be followed, with what, and what of it may be logged."""

from __future__ import annotations

import logging

import httpx

from workers.video_api.answer import Answer
from workers.video_api.errors import BadAnswer


def target_of(url: httpx.URL, response: httpx.Response, head: Answer) -> httpx.URL:
    """Where a redirect leads; `head` is the answer without a body.

    Raises BadAnswer for anything but http(s), and for a step down from https to http.
    """
    target = url.join(response.headers["location"])
    if target.scheme in ("http", "https") and (url.scheme, target.scheme) != ("https", "http"):
        return target
    raise BadAnswer(
        f"The download is redirected to {target.scheme}://{target.host}, which is not safe to follow.",
        status=head.status,
        request_id=head.request_id,
    )


def origin_of(url: httpx.URL) -> tuple[str, str, int | None]:
    """What has to be the same for a key to go along."""
    port = url.port or {"http": 80, "https": 443}.get(url.scheme)
    return url.scheme, url.host, port


def _without_query(record: logging.LogRecord) -> bool:
    """httpx logs each URL; the query of a redirect may be a signature that opens the video to anybody."""
    if isinstance(record.args, tuple):
        record.args = tuple(
            str(part.copy_with(query=None)) if isinstance(part, httpx.URL) else part for part in record.args
        )
    return True


logging.getLogger("httpx").addFilter(_without_query)
