"""The instant at which an order leaves this machine: the last one at which it can still be held back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any


class SendByPassedError(Exception):
    """The instant after which an order must not leave any more had passed, and it did not leave."""


class Departure:
    """Watches one request leave. Past `send_by` (monotonic seconds) it stays; `left` tells if any byte may be gone.

    httpcore calls the `trace` extension right before it writes a request's head, after DNS, connection and TLS: there
    is no later moment at which nothing has been sent. A CONNECT to a proxy comes first and is not the order itself.
    """

    def __init__(self, send_by: float, monotonic: Callable[[], float]) -> None:
        self.left = False
        self._send_by = send_by
        self._monotonic = monotonic

    async def trace(self, event: str, info: Mapping[str, Any]) -> None:
        if event.endswith(".send_request_headers.started") and info["request"].method != b"CONNECT":
            if self._monotonic() > self._send_by:
                raise SendByPassedError
            self.left = True
