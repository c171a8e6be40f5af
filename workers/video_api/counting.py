"""An HTTP client that says of each request what became of it: for metrics, and of no other consequence."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx

#: Told of each request: its method, and the status of its answer, None where none came.
Seen = Callable[[str, int | None], None]


def unseen(_method: str, _status: int | None) -> None:
    """Nobody counts."""


class CountedClient(httpx.AsyncClient):
    """httpx's own, that tells `seen`. A redirect is an answer; what follows it is another request."""

    def __init__(self, seen: Seen, **options: Any) -> None:
        super().__init__(**options)
        self._seen = seen

    async def send(self, request: httpx.Request, **options: Any) -> httpx.Response:
        """As httpx does."""
        status: int | None = None
        try:
            response = await super().send(request, **options)
            status = response.status_code
            return response
        finally:  # also where it was cancelled, as what takes too long is
            self._seen(request.method, status)
