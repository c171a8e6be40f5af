"""A gate before an Azurite: it answers in its place, or changes what passes, as a test says."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from urllib.parse import urlsplit

from tests.servers import Container


@dataclass(frozen=True)
class Request:
    """One that wants to pass. `target` with its query, as it stood on the wire."""

    method: str
    target: str
    body: bytes

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]

    @property
    def stages(self) -> bool:
        return self.method == "PUT" and "comp=block&" in f"{self.target}&"

    @property
    def names(self) -> bool:
        """Whether a blob gets its name and its bytes by it."""
        return self.method == "PUT" and not self.stages


@dataclass(frozen=True)
class Refusal:
    """What Azure would say."""

    status: int
    code: str
    headers: tuple[str, ...] = ()

    def wire(self) -> bytes:
        body = f"<?xml version='1.0'?><Error><Code>{self.code}</Code><Message>no</Message></Error>".encode()
        head = ["Content-Type: application/xml", f"x-ms-error-code: {self.code}", f"Content-Length: {len(body)}"]
        lines = [f"HTTP/1.1 {self.status} No", *head, "Connection: close", *self.headers, "", ""]
        return "\r\n".join(lines).encode() + body


class Cut(Enum):
    """The connection ends without an answer: before the request has passed, or after."""

    BEFORE = "before"
    AFTER = "after"


#: None: it passes as it is; bytes: with this body.
Rule = Callable[[Request], Refusal | Cut | bytes | None]


class Gate:
    """`async with Gate(container, rule) as gate:` and then `gate.container`, which leads through it."""

    def __init__(self, container: Container, rule: Rule) -> None:
        self._real, self._rule = container, rule
        self._host = urlsplit(container.url).netloc
        self.requests: list[Request] = []

    async def __aenter__(self) -> Gate:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        here = f"127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        self.container = Container(
            self._real.connection_string.replace(self._host, here),
            self._real.name,
            self._real.url.replace(self._host, here),
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            lines = head.decode("latin-1").split("\r\n")
            lengths = [line.partition(":")[2] for line in lines if line.lower().startswith("content-length:")]
            body = await reader.readexactly(int(lengths[0]) if lengths else 0)
            method, target, _ = lines[0].split(" ")
            request = Request(method, target, body)
            self.requests.append(request)
            said = self._rule(request)
            if isinstance(said, Refusal):
                writer.write(said.wire())
            elif said is not Cut.BEFORE:
                kept = [line for line in lines if line and not line.lower().startswith("connection:")]
                asked = "\r\n".join([*kept, "Connection: close", "", ""]).encode("latin-1")
                answer = await self._answer(asked + (said if isinstance(said, bytes) else body))
                if said is not Cut.AFTER:
                    writer.write(answer)
            await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            writer.close()

    async def _answer(self, asked: bytes) -> bytes:
        host, _, port = self._host.partition(":")
        far_reader, far = await asyncio.open_connection(host, int(port))
        try:
            far.write(asked)
            await far.drain()
            return await far_reader.read(-1)
        finally:
            far.close()
