"""Streams for the sinks' tests."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator

MIB = 1024 * 1024


async def stream(*chunks: bytes, then: BaseException | None = None) -> AsyncIterator[bytes]:
    """These chunks, and then perhaps trouble."""
    for chunk in chunks:
        yield chunk
    if then is not None:
        raise then


def md5(data: bytes) -> bytes:
    return hashlib.md5(data, usedforsecurity=False).digest()


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
