"""One job's film: the shared pictures with the job's own stamp, read in pieces and never copied whole."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from sandbox.films.encoder import STAMP

CHUNK = 64 * 1024
_ZEROS = bytes(CHUNK)


class Film:
    """The exact bytes served for one content id, as ranges of (start, stop).

    Laid out as ftyp, moov, mdat, and with `pad_bytes` (8 at least) a last `free` box of zeros. `name` stands
    in the film's comment and makes the bytes unlike any other job's.
    """

    def __init__(self, pictures: bytes, name: str, pad_bytes: int = 0) -> None:
        stamp = name.encode().ljust(len(STAMP))
        if len(stamp) != len(STAMP):
            raise ValueError(f"the id {name!r} is longer than the {len(STAMP)} bytes a film's comment has room for")
        at = pictures.index(STAMP)
        view = memoryview(pictures)
        self._parts: list[memoryview] = [view[:at], memoryview(stamp), view[at + len(stamp) :]]
        self._zeros = 0
        if pad_bytes >= 8:
            self._zeros = pad_bytes - 8
            self._parts.append(memoryview(_box_header(pad_bytes)))
        self.length = sum(len(part) for part in self._parts) + self._zeros

    def chunks(self, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
        """The bytes from `start` up to `stop` (default: the end), at most `CHUNK` at a time."""
        stop = self.length if stop is None else min(stop, self.length)
        offset = 0
        for part in self._parts:
            low, high = max(start - offset, 0), min(stop - offset, len(part))
            for at in range(low, high, CHUNK):
                yield bytes(part[at : min(at + CHUNK, high)])
            offset += len(part)
        for at in range(max(start, offset), stop, CHUNK):
            yield _ZEROS[: min(CHUNK, stop - at)]

    def sha256(self) -> str:
        """Hex digest of the whole film."""
        digest = hashlib.sha256()
        for chunk in self.chunks():
            digest.update(chunk)
        return digest.hexdigest()


def _box_header(size: int) -> bytes:
    if size < 1 << 32:
        return size.to_bytes(4, "big") + b"free"
    raise ValueError("pad_bytes must stay below 4 GiB")
