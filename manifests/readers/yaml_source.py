"""The bytes of a YAML file on their way to libyaml, which would hold a text of any length."""

from __future__ import annotations

from typing import Any, BinaryIO

_LONGEST = 4 << 20  # bytes of one text; a line of the other formats has the same limit


class Unreadable(Exception):
    """The document cannot be read on. `.line` and `.column` count from 1; `.message` and `.hint` are for the user."""

    def __init__(self, mark: Any, message: str, hint: str) -> None:
        super().__init__(message)
        self.line: int | None = mark.line + 1 if mark is not None else None
        self.column: int | None = mark.column + 1 if mark is not None else None
        self.message, self.hint = message, hint


class YamlSource:
    """Hands the file to libyaml, unless one event of it has no end."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self.event: Any = None  # the one that was handed out last
        self._seen: Any = None
        self._since = 0  # bytes read after it

    def read(self, size: int = -1, /) -> bytes:
        if self.event is not self._seen:
            self._seen, self._since = self.event, 0
        chunk = self._stream.read(size)
        self._since += len(chunk)
        if self._since > _LONGEST:
            message = f"no text or comment may be longer than {_LONGEST >> 20} MiB, and one that begins here is"
            mark = self.event.end_mark if self.event is not None else None
            raise Unreadable(mark, message, "close its quote; or check that the file is what you think it is")
        return chunk
