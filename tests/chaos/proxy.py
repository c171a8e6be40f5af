"""A TCP proxy that is told how bad the line is: slow, throttled, refusing, cut, reset, or half-open."""

from __future__ import annotations

import asyncio
import socket
import struct
from contextlib import suppress
from types import TracebackType

#: The most that is passed on at once (bytes).
CHUNK = 64 * 1024


class Proxy:
    """Passes connections on to a port of the loopback. The fields may be changed at any time.

    delay_s     before each piece is passed on, either way
    bytes_per_s None: as fast as it goes
    refusing    new connections are reset at once
    half_open   nothing passes any more, and nobody is told: what was sent on the way is lost, and connections that
                saw it stay silent until they are closed
    """

    def __init__(self, target: int) -> None:
        self._target = target
        self._links: set[_Link] = set()
        #: Bytes that went into half-open connections, and nowhere.
        self.swallowed = 0
        self.port = 0
        self.calm()

    def calm(self) -> None:
        """As good as no proxy. Connections that were half-open stay silent: `reset` ends them."""
        self.delay_s = 0.0
        self.bytes_per_s: float | None = None
        self.refusing = self.half_open = False

    def cut(self) -> None:
        """End every connection in good order, with whatever was not passed on yet."""
        for link in self._links:
            link.close()

    def reset(self) -> None:
        """End every connection with a TCP reset."""
        for link in self._links:
            link.abort()

    @property
    def connections(self) -> int:
        return len(self._links)

    async def __aenter__(self) -> Proxy:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        self.reset()
        await asyncio.gather(*(link.ended.wait() for link in tuple(self._links)))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        link = _Link(self, writer)
        self._links.add(link)
        try:
            if self.refusing:
                link.abort()
            else:
                with suppress(OSError):
                    await link.run(reader, self._target)
        finally:
            self._links.discard(link)
            link.ended.set()


class _Link:
    """One connection through the proxy: two pumps, one each way."""

    def __init__(self, proxy: Proxy, writer: asyncio.StreamWriter) -> None:
        self._proxy, self._writers = proxy, [writer]
        self._dead = False
        self._over, self.ended = asyncio.Event(), asyncio.Event()

    def close(self) -> None:
        self._over.set()
        for writer in self._writers:
            writer.close()

    def abort(self) -> None:
        self._over.set()
        for writer in self._writers:
            plug = writer.get_extra_info("socket")
            with suppress(OSError):  # closed already
                plug.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()

    async def run(self, reader: asyncio.StreamReader, port: int) -> None:
        try:
            far_reader, far = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            self.abort()
            return
        self._writers.append(far)
        pumps = [
            asyncio.create_task(self._pump(reader, far)),
            asyncio.create_task(self._pump(far_reader, self._writers[0])),
        ]
        try:
            # Whichever side ends, the other hears of it: nobody here speaks into a line that is half closed.
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)
            self.close()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        proxy = self._proxy
        while data := await reader.read(1024 if proxy.bytes_per_s else CHUNK):
            wait_s = proxy.delay_s + (len(data) / proxy.bytes_per_s if proxy.bytes_per_s else 0)
            if wait_s:
                await asyncio.sleep(wait_s)
            self._dead = self._dead or proxy.half_open
            if self._dead:
                proxy.swallowed += len(data)
            else:
                writer.write(data)
                await writer.drain()
        if self._dead:  # nor is the end of the connection heard of
            await self._over.wait()
