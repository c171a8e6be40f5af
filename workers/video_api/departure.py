"""The instant at which an order leaves this machine: the last one at which it can still be held back."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

# time.monotonic stands still while Linux or macOS sleeps; the ledger's clock does not, and an order that slept must
# not leave late. Linux calls the clock that goes on CLOCK_BOOTTIME; on macOS it is CLOCK_MONOTONIC [man clock_gettime].
_CLOCK: int | None = getattr(time, "CLOCK_BOOTTIME", getattr(time, "CLOCK_MONOTONIC", None))


def boot_clock() -> float:
    """Seconds since some fixed instant, on a clock that is never set and goes on while the machine sleeps."""
    return time.monotonic() if _CLOCK is None else time.clock_gettime(_CLOCK)


class SendByPassedError(Exception):
    """The instant after which an order must not leave any more had passed, and it did not leave."""


class Departure:
    """Watches one request leave. Past `send_by` (on `clock`) it stays; `left` tells if any byte may be gone.

    httpcore calls the `trace` extension right before it writes a request's head, after DNS, connection and TLS: there
    is no later moment at which nothing has been sent. A CONNECT to a proxy comes first and is not the order itself.
    """

    def __init__(self, send_by: float, clock: Callable[[], float] = boot_clock) -> None:
        self.left = False
        self._send_by = send_by
        self._clock = clock

    async def trace(self, event: str, info: Mapping[str, Any]) -> None:
        if event.endswith(".send_request_headers.started") and info["request"].method != b"CONNECT":
            if self._clock() > self._send_by:
                raise SendByPassedError
            self.left = True
