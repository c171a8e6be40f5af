"""Connections to the monitor: whoever holds them open, there is always one for the next probe.

uvicorn alone waits for a first request for ever, and refuses all others with 503 while as many as it allows do so; by a
probe that is answered so, a cluster kills a worker that is well.
"""

from __future__ import annotations

import asyncio

from uvicorn.protocols.http.h11_impl import H11Protocol

#: Connections at once: probes, one or two who scrape, and nobody who holds thousands open.
MOST = 64
#: For how long one may stay without a whole request (seconds).
IDLE_S = 10.0


class Connection(H11Protocol):
    """One caller. It is closed when it has asked nothing for IDLE_S; and before that where there are MOST, and another
    one comes: the one that asks nothing for the longest gives way, or else whose answer takes longest."""

    _since = 0.0
    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self._make_room()
        super().connection_made(transport)
        self._await_request()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        super().connection_lost(exc)

    def on_response_complete(self) -> None:
        self._await_request()
        super().on_response_complete()

    @property
    def _answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _make_room(self) -> None:
        others = [each for each in self.connections if isinstance(each, Connection)]
        if len(others) >= MOST:
            min(others, key=lambda each: (each._answering, each._since))._cut()

    def _await_request(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._since = self.loop.time()
        self._timer = self.loop.call_later(IDLE_S, self._end)

    def _end(self) -> None:
        """A request that came in time is answered however long that takes."""
        if self._answering:
            self._timer = self.loop.call_later(IDLE_S, self._end)
        else:
            self._cut()

    def _cut(self) -> None:
        self.connections.discard(self)
        self.transport.abort()
