"""Sends a film: whole or a range of it, with the headers that let a caller resume; or cut by a fault."""

from __future__ import annotations

import re
from email.utils import formatdate, parsedate_to_datetime

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from sandbox.films.film import Film
from sandbox.mischief.faults import Fault
from sandbox.mischief.wreck import Hang, hang_up

_RANGE = re.compile(r"bytes=([0-9]{0,18})-([0-9]{0,18})")


def parse_range(header: str | None, length: int) -> tuple[int, int] | None:
    """(start, stop) of one byte range; None for the whole: no range, or several. ValueError: it is empty."""
    match = _RANGE.fullmatch(header.strip()) if header else None
    if match is None or match[1] == match[2] == "":
        return None
    if match[1] == "":
        start, stop = max(0, length - int(match[2])), length
    else:
        start, stop = int(match[1]), min(length, int(match[2]) + 1 if match[2] else length)
    if start >= stop:
        raise ValueError(header)
    return start, stop


class FilmResponse(Response):
    """200, 206, 304 or 416 with `accept-ranges`, `last-modified` and `content-length`; bytes in pieces."""

    def __init__(self, film: Film, modified_at: float, fault: Fault | None = None) -> None:
        super().__init__(media_type="video/mp4")
        self._film = film
        self._modified_at = modified_at
        self._fault = fault

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        length = self._film.length
        head = {
            "content-type": "video/mp4",
            "accept-ranges": "bytes",
            "last-modified": formatdate(self._modified_at, usegmt=True),
        }
        if self._unchanged_since(headers.get("if-modified-since")):
            await Response(status_code=304, headers=head)(scope, receive, send)
            return
        try:
            part = parse_range(headers.get("range"), length)
        except ValueError:
            await Response(status_code=416, headers={"content-range": f"bytes */{length}"})(scope, receive, send)
            return
        start, stop = part or (0, length)
        if part:
            head["content-range"] = f"bytes {start}-{stop - 1}/{length}"
        head["content-length"] = str(stop - start)
        status = 206 if part else 200
        if scope["method"] == "HEAD":
            await send(_start(status, head))
            await send({"type": "http.response.body"})
        elif self._fault and self._fault.do in ("truncate", "stall"):
            await self._cut_short(self._fault, status, head, start, stop, scope, receive, send)
        else:
            await send(_start(status, head))
            await self._pour(start, stop, send)
            await send({"type": "http.response.body"})

    async def _cut_short(
        self,
        fault: Fault,
        status: int,
        head: dict[str, str],
        start: int,
        stop: int,
        scope: Scope,
        receive: Receive,
        send: Send,
    ) -> None:
        share = (stop - start) // 2 if fault.bytes is None else fault.bytes
        if not fault.length:
            del head["content-length"]
        await send(_start(status, head))
        await self._pour(start, min(stop, start + share), send)
        if fault.do == "stall":
            await Hang(fault.seconds)(scope, receive, send)
        elif fault.length:
            await hang_up(scope, receive)
        else:
            await send({"type": "http.response.body"})

    async def _pour(self, start: int, stop: int, send: Send) -> None:
        for chunk in self._film.chunks(start, stop):
            await send({"type": "http.response.body", "body": chunk, "more_body": True})

    def _unchanged_since(self, header: str | None) -> bool:
        try:
            return header is not None and parsedate_to_datetime(header).timestamp() >= int(self._modified_at)
        except ValueError:
            return False


def _start(status: int, head: dict[str, str]) -> dict[str, object]:
    headers = [(name.encode(), value.encode()) for name, value in head.items()]
    return {"type": "http.response.start", "status": status, "headers": headers}
