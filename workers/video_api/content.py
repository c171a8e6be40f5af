"""The bytes of a finished video, as a stream."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from workers.video_api.answer import answer_of, brief, head_of
from workers.video_api.decoding import is_encoded
from workers.video_api.errors import BadAnswer
from workers.video_api.wire import Wire

_PEEK = 2000


@dataclass(frozen=True, slots=True)
class Content:
    """A download that has begun. `length` is in bytes as the server announced it, None if it did not.

    `chunks` can be read once; it goes on where the connection breaks and the server allows, else raises ApiError.
    """

    length: int | None
    content_type: str
    request_id: str | None
    chunks: AsyncIterator[bytes] = field(repr=False)


@asynccontextmanager
async def open_content(wire: Wire, path: str, params: Mapping[str, str]) -> AsyncIterator[Content]:
    """Begins a download. Raises ApiError; text or JSON with status 200 is a BadAnswer, not a video.

    (A JSON error was once saved as .mp4 that way: BerriAI/litellm#16672.)
    """
    async with wire.downloads.open(wire.base + path, params) as download:
        response = download.response
        head = head_of(response, wire.credential.hide)
        content_type = _media_type(response.headers.get("content-type", ""))
        chunks = wire.downloads.chunks(download)
        if content_type.startswith("text/") or content_type.endswith("json"):
            peek = b""
            async for chunk in chunks:
                peek += chunk
                if len(peek) >= _PEEK:
                    break
            hide = wire.credential.hide
            said = answer_of(200, response.headers, peek[:_PEEK], hide).error()[1]
            raise BadAnswer(
                brief(hide(f"The download is {content_type}, not a video: {said}")),
                status=200,
                request_id=head.request_id,
            )
        declared = "" if is_encoded(response) else response.headers.get("content-length", "")
        length = int(declared) if declared.isdecimal() else None
        if length is not None and length > wire.downloads.most:
            raise BadAnswer(
                f"The download claims {length} bytes, which no video has.", status=200, request_id=head.request_id
            )
        yield Content(
            length=length,
            content_type=content_type,
            request_id=head.request_id,
            chunks=chunks,
        )


def _media_type(header: str) -> str:
    """`video/mp4` of `Video/MP4; codecs=…`; empty where the header is none, so that it can stand in ours."""
    found = header.partition(";")[0].strip().lower()
    return found if re.fullmatch(r"[a-z0-9!#$&^_.+-]{1,60}/[a-z0-9!#$&^_.+-]{1,60}", found) else ""
