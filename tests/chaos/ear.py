"""The ear: a webhook of the project's own, to which a night's notices are told; it may fail, hang and hang up."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

#: What it answers when nothing is wrong with it, and in other moods; None: nothing at all.
_GOOD = b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n"
MOODS: dict[str, bytes | None] = {
    "failing": b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 4\r\n\r\nno\r\n",
    "busy": b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n",
    "elsewhere": b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n",
    "hanging": None,
    "hanging up": b"",
}


@dataclass(frozen=True)
class Heard:
    """One notice as it came; `taken`: whether it was told so."""

    document: dict[str, Any]
    taken: bool


class Ear:
    """`async with Ear() as ear:` listens on `ear.port` of the loopback."""

    def __init__(self) -> None:
        self.heard: list[Heard] = []
        self.port = 0
        self._moods: list[str] = []

    async def __aenter__(self) -> Ear:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        self.calm()

    @property
    def taken(self) -> Sequence[dict[str, Any]]:
        """What was told and taken, in its order."""
        return [each.document for each in self.heard if each.taken]

    @contextmanager
    def feeling(self, mood: str) -> Iterator[None]:
        """In a mood (`MOODS`) until the block ends."""
        self._moods.append(mood)
        try:
            yield
        finally:
            with suppress(ValueError):
                self._moods.remove(mood)

    def calm(self) -> None:
        """All is well with it."""
        self._moods.clear()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError, ValueError):
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            size = int(head.partition(b"content-length:")[2].split(b"\r\n")[0])
            body = await reader.readexactly(size)
            mood = self._moods[-1] if self._moods else None
            self.heard.append(Heard(json.loads(body), taken=mood is None))
            answer = _GOOD if mood is None else MOODS[mood]
            if answer is None:
                await reader.read()  # until the other side has had enough
            else:
                writer.write(answer)
                await writer.drain()
        writer.close()
