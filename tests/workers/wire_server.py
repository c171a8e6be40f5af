"""A server that answers exactly what a test wrote, byte by byte, and remembers exactly what it was asked."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from email.message import Message
from email.parser import BytesParser
from email.policy import HTTP
from typing import Any


@dataclass(frozen=True)
class Received:
    """One request: its target as it stood on the wire, headers in lower case, and body."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]

    def json(self) -> Any:
        return json.loads(self.body)

    def form(self) -> dict[str, Message]:
        """The parts of a multipart body by field name, read by the standard library's own parser."""
        head = f"Content-Type: {self.headers['content-type']}\r\n\r\n".encode()
        message = BytesParser(policy=HTTP).parsebytes(head + self.body)
        return {str(part.get_param("name", header="content-disposition")): part for part in message.iter_parts()}


Script = Callable[[asyncio.StreamWriter], Awaitable[None]]


def answer(
    status: int, body: object = b"", headers: dict[str, str] | None = None, *, length: int | None = None
) -> Script:
    """A whole answer; `body` is JSON unless it is bytes. `length` is what Content-Length claims instead. An empty

    Content-Length leaves it out; the end of the connection is then the end of the body.
    """
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = {"Content-Type": "application/json", "Content-Length": str(len(raw) if length is None else length)}
    lines |= headers or {}
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items() if value)

    async def write(writer: asyncio.StreamWriter) -> None:
        writer.write(f"HTTP/1.1 {status} Said\r\n{head}\r\n".encode() + raw)
        await writer.drain()
        if "Content-Length" in lines and not lines["Content-Length"]:
            writer.close()

    return write


async def drop(writer: asyncio.StreamWriter) -> None:
    """Hangs up without a word."""


async def hang(writer: asyncio.StreamWriter) -> None:
    """Says nothing, and keeps the connection, until the test is over."""
    await asyncio.Event().wait()


def then_hang(script: Script) -> Script:
    async def write(writer: asyncio.StreamWriter) -> None:
        await script(writer)
        await hang(writer)

    return write


@dataclass
class WireServer:
    """`async with WireServer([script, …]) as server:` plays one script a request; the last one again and again."""

    scripts: list[Script]
    requests: list[Received] = field(default_factory=list)
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def __aenter__(self) -> WireServer:
        self._open: set[asyncio.Task[None]] = set()
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in list(self._open):
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)
        await self._server.wait_closed()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(self._serve(reader, writer))
        self._open.add(task)
        task.add_done_callback(self._open.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
                headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:])}
                body = await reader.readexactly(int(headers.get("content-length", 0)))
                method, target, _ = head[0].split(" ")
                self.requests.append(Received(method, target, headers, body))
                script = self.scripts.pop(0) if len(self.scripts) > 1 else self.scripts[0]
                await script(writer)
                if headers.get("connection") == "close" or script is drop:
                    return
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            writer.close()
