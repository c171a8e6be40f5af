"""What an archive can do, and the values it answers with."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from typing import Protocol, Self

#: The most that is read whole (bytes): receipts and input images are far smaller.
READ_LIMIT = 32 * 1024 * 1024

Raw = bytes  # the values below have a field that is called `bytes`


@dataclass(frozen=True, slots=True)
class Arrived:
    """What the stream held: its length, SHA-256 in hex, and MD5 as 16 bytes (as Azure wants it)."""

    bytes: int
    sha256: str
    md5: Raw


@dataclass(frozen=True, slots=True)
class Saved:
    """The object stands under its name, whole. `url` never holds a signature."""

    name: str
    url: str
    bytes: int
    sha256: str
    md5: Raw


@dataclass(frozen=True, slots=True)
class NameTaken:
    """Another object has the name, and nothing was changed. Its length, MD5 (None: not known) and metadata, beside

    what had `arrived`, so that the caller can tell our own bytes from somebody else's.
    """

    bytes: int
    md5: Raw | None
    metadata: Mapping[str, str]
    arrived: Arrived

    @property
    def same_bytes(self) -> bool:
        """The object there has exactly the bytes that arrived."""
        return self.bytes == self.arrived.bytes and self.md5 == self.arrived.md5


@dataclass(frozen=True, slots=True)
class Stat:
    """An object's length, its MD5 and media type as recorded when it was written (None: none recorded), and its
    metadata. `ours`: whether Dailies wrote it, by what was recorded with it; None where nothing recorded tells."""

    bytes: int
    md5: Raw | None
    metadata: Mapping[str, str]
    content_type: str | None = None
    ours: bool | None = None


Accept = Callable[[Arrived], None]
"""Judges what arrived before it gets its name; to refuse it, it raises."""


class Sink(Protocol):
    """An archive. Names are relative, with `/` between folders: "spring/hero.mp4".

    Everything raises ArchiveError. Nothing half-written ever stands under its final name, whatever happens.
    """

    @property
    def url(self) -> str:
        """Of the archive's root; ends with `/`."""
        ...

    @property
    def keeps(self) -> bool:
        """Whether what was written once cannot be written again, as far as is known yet: a policy, a legal hold, a SAS
        that may only create. What would be rewritten every minute is then better written once."""
        ...

    async def probe(self) -> None:
        """Writes a small object and removes it. ArchiveUnavailable says what to mend."""
        ...

    async def save(
        self,
        name: str,
        chunks: AsyncIterator[bytes],
        *,
        content_type: str,
        metadata: Mapping[str, str],
        claim: str,
        replace: bool = False,
        accept: Accept | None = None,
    ) -> Saved | NameTaken:
        """Streams bytes of any length through a few MiB of memory, hashing on the way.

        `claim` names this try: what two tries upload never mixes. What `chunks` or `accept` raise goes through, and
        leaves nothing behind. Without `replace` an object that has the name already stays as it is; with it, what an
        archive that `keeps` cannot rewrite gets the next free name ("index.2.html"), which the answer tells.
        """
        ...

    async def stat(self, name: str) -> Stat | None:
        """None if there is no such object."""
        ...

    def names(self, folder: str = "", *, folders: bool = False) -> AsyncIterator[str]:
        """The names, without the folder's, of what lies directly in a folder (or in the archive itself), or of the
        folders there; none where there is no such folder."""
        ...

    async def read(self, name: str) -> bytes:
        """The whole of a small object. Raises NotThere, and TooLarge beyond READ_LIMIT."""
        ...

    def chunks(self, name: str, start: int = 0, length: int | None = None) -> AsyncGenerator[bytes, None]:
        """The bytes of an object of any length, or `length` of them from `start` on, a few MiB at a time. Raises
        NotThere."""
        ...

    async def write(self, name: str, data: bytes, content_type: str, *, replace: bool = True) -> str:
        """Writes a small object at once; its URL. Without `replace`, a name that is taken is WriteRefused; where it
        cannot be rewritten, Immutable."""
        ...

    async def tidy(self, folder: str) -> None:
        """Removes what writers that died left unfinished directly in a folder."""
        ...

    async def aclose(self) -> None: ...

    async def __aenter__(self) -> Self: ...

    async def __aexit__(self, *_: object) -> None: ...
