"""The screening room: one batch of the archive as web pages on the loopback, read with the archive's own identity.

Who has no part in it sees nothing: the address holds a secret word, made anew each time, since other people and other
pages on this machine reach the loopback too; a page elsewhere whose name points here is refused by its Host.
"""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from workers.archiving.editions import SHEET, newest
from workers.sinks import ArchiveError, NotThere, Sink, Stat

#: What of a batch's folder is served, by how its name ends. Nothing else is.
TYPES = {
    ".mp4": "video/mp4",
    ".jpg": "image/jpeg",
    ".webp": "image/webp",
    ".png": "image/png",
    ".json": "application/json",
    ".jsonl": "application/jsonl; charset=utf-8",
    ".csv": "text/csv; charset=utf-8",
    ".html": "text/html; charset=utf-8",
}
#: The page brings a stricter policy of its own, with the hashes of the script that its release had; this one says where
#: all else may come from: here.
_POLICY = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src 'self'; media-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "private, no-cache",
}
#: For how long the list of videos that the page shows from other batches is believed (seconds).
_BORROWED_S = 60.0
_BORROWED = re.compile(rb'"[fi]":"\.\./([^"/\\]{1,300})/([^"/\\]{1,300})"')
_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")


class Screening:
    """Serves one batch. `path` is where its page is, `app` what a server runs."""

    def __init__(self, sink: Sink, batch: str) -> None:
        self._sink, self._batch, self._word = sink, batch, secrets.token_urlsafe(16)
        self._borrowed: frozenset[tuple[str, str]] = frozenset()
        self._believed_until = 0.0
        routes = [
            Route("/{word}/{folder}/{name:path}", self._answer, methods=["GET"]),  # HEAD comes with it
            Route("/favicon.ico", _no_icon, methods=["GET"]),  # browsers ask for it by themselves
        ]
        hosts = Middleware(TrustedHostMiddleware, allowed_hosts=["127.0.0.1", "localhost"], www_redirect=False)
        self.app = Starlette(routes=routes, middleware=[hosts])

    @property
    def path(self) -> str:
        """Of the page: `/WORD/BATCH/`."""
        return self.app.url_path_for("_answer", word=self._word, folder=self._batch, name="")

    async def _answer(self, request: Request) -> Response:
        word, folder, name = (request.path_params[each] for each in ("word", "folder", "name"))
        if not secrets.compare_digest(word.encode(), self._word.encode()):
            return _refused(404, "There is nothing here: open the address that dailies view has printed.")
        name = name or SHEET
        ending = re.search(r"\.[a-z0-9]+$", name)
        kind = TYPES.get(ending[0]) if ending else None
        if kind is None or "/" in name or name.startswith("."):
            return _refused(404, "No such file belongs to the batch.")
        try:
            if folder != self._batch and (folder, name) not in await self._borrowings():
                return _refused(404, "Only the batch that is viewed is shown here.")
            if name == SHEET:
                return await self._page(kind)
            there = await self._sink.stat(f"{folder}/{name}")
            if there is None:
                return _refused(404, "It is not in the archive.")
            return self._part(request, f"{folder}/{name}", kind, there)
        except NotThere:
            return _refused(404, "It is not in the archive.")
        except ArchiveError as error:
            return _refused(502, str(error))

    async def _page(self, kind: str) -> Response:
        """The page as it is now. It may be written anew at any moment, so its length is not promised."""
        sheet = await newest(self._sink, self._batch, SHEET)
        if sheet is None:
            return _refused(404, "The batch has no contact sheet.")
        pieces = self._pieces(f"{self._batch}/{sheet}", 0, None)
        first = await anext(pieces, b"")

        async def body() -> AsyncIterator[bytes]:
            async with aclosing(pieces):
                yield first
                async for piece in pieces:
                    yield piece

        return StreamingResponse(body(), headers={**_HEADERS, "Content-Type": kind})

    def _part(self, request: Request, name: str, kind: str, there: Stat) -> Response:
        """A file, whole or as much of it as was asked for: players ask for parts."""
        tag = f'"{there.md5.hex() if there.md5 else there.bytes}"'
        headers = {**_HEADERS, "Content-Type": kind, "Accept-Ranges": "bytes", "ETag": tag}
        asked = request.headers.get("range")
        if asked is None and request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers=headers)
        if request.headers.get("if-range", tag) != tag:
            asked = None
        try:
            part = range_of(asked, there.bytes)
        except ValueError:
            return Response(status_code=416, headers={**headers, "Content-Range": f"bytes */{there.bytes}"})
        start, stop = part or (0, there.bytes)
        headers["Content-Length"] = str(stop - start)
        if part:
            headers["Content-Range"] = f"bytes {start}-{stop - 1}/{there.bytes}"
        status = 206 if part else 200
        if request.method == "HEAD" or start == stop:
            return Response(status_code=status, headers=headers)
        return StreamingResponse(self._pieces(name, start, stop - start), status, headers)

    async def _pieces(self, name: str, start: int, length: int | None) -> AsyncGenerator[bytes, None]:
        """The bytes, closed behind whoever has enough of them."""
        async with aclosing(self._sink.chunks(name, start, length)) as chunks:
            async for chunk in chunks:
                yield chunk

    async def _borrowings(self) -> frozenset[tuple[str, str]]:
        """The files of other batches that the page shows: videos that were used again, and their posters."""
        if time.monotonic() > self._believed_until:
            found: set[tuple[str, str]] = set()
            tail = b""
            sheet = await newest(self._sink, self._batch, SHEET) or SHEET
            async with aclosing(self._pieces(f"{self._batch}/{sheet}", 0, None)) as pieces:
                async for piece in pieces:
                    text = tail + piece
                    found |= {(m[1].decode(), m[2].decode()) for m in _BORROWED.finditer(text)}
                    tail = text[-700:]
            self._borrowed, self._believed_until = frozenset(found), time.monotonic() + _BORROWED_S
        return self._borrowed


def range_of(header: str | None, length: int) -> tuple[int, int] | None:
    """(start, stop) of one range of bytes; None for the whole: none is asked for, or several are. ValueError: it is
    empty."""
    found = _RANGE.fullmatch(header.strip()) if header else None
    if found is None or not (found[1] or found[2]):
        return None
    if found[1]:
        start, stop = int(found[1]), min(length, int(found[2]) + 1 if found[2] else length)
    else:
        start, stop = max(0, length - int(found[2])), length
    if start >= stop:
        raise ValueError(header)
    return start, stop


async def _no_icon(_: Request) -> Response:
    return Response(status_code=204, headers=_HEADERS)


def _refused(status: int, words: str) -> Response:
    return PlainTextResponse(words + "\n", status, headers=_HEADERS)
