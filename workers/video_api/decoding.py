"""A body as it was meant, from the bytes on the wire: whatever it unfolds to, only one piece of it is held at a time.

`identity` is asked for always. A server that compresses all the same is understood in the one form that they all know;
httpx would unfold a whole chunk before anybody could look at its size, and any number of encodings upon each other.
"""

from __future__ import annotations

import zlib
from collections.abc import AsyncGenerator

import httpx

#: The most that is unfolded at once (bytes).
PIECE = 64 * 1024
_GZIP_OR_ZLIB = 32 + zlib.MAX_WBITS  # told apart by their first bytes
_KNOWN = ("gzip", "x-gzip", "deflate")


class UndecodableBody(Exception):
    """The body is compressed in a way that was not asked for, or its compression is broken or cut off."""


def is_encoded(response: httpx.Response) -> bool:
    """Whether the bytes on the wire are not those of the body: Content-Length is then that of the former."""
    return _encoding(response) != "identity"


async def decoded(response: httpx.Response) -> AsyncGenerator[bytes, None]:
    """The body's bytes as they arrive. Raises UndecodableBody, and what httpx raises for a broken connection."""
    encoding = _encoding(response)
    if encoding == "identity":
        async for chunk in response.aiter_raw():
            yield chunk
        return
    if encoding not in _KNOWN:
        raise UndecodableBody(f"the body is encoded as {encoding[:40]!r}, which was not asked for")
    unfold = zlib.decompressobj(_GZIP_OR_ZLIB)
    async for chunk in response.aiter_raw():
        try:
            piece = unfold.decompress(chunk, PIECE)
            while piece:
                yield piece
                piece = unfold.decompress(unfold.unconsumed_tail, PIECE)
        except zlib.error as error:
            raise UndecodableBody(f"the compression of the body is broken: {error}") from None
        if unfold.unused_data:
            raise UndecodableBody("the body goes on behind the end of its compression")
    if not unfold.eof:
        raise UndecodableBody("the compressed body is cut off")


def _encoding(response: httpx.Response) -> str:
    return str(response.headers.get("content-encoding", "")).strip().lower() or "identity"
