"""What can go wrong at the archive.

ArchiveError
├── ArchiveUnavailable   nothing can be written now; `mend` says what to do, `retry_after_s` when the store names it
│   ├── ArchiveFull      no space left
│   └── NoContainer      the Azure container does not exist
├── WriteRefused         this one object cannot be written as it is; others can
│   └── Immutable        it stands there for good: a policy, a legal hold, a SAS that may only create
├── NotThere             what was to be read does not exist
└── TooLarge             what was to be read whole is far larger than anything that we write to be read so
"""

from __future__ import annotations


class ArchiveError(Exception):
    """The archive could not do what was asked. The text never holds a key or a signature."""


class ArchiveUnavailable(ArchiveError):
    """The archive as a whole: no video can be stored until what `mend` names is done, or the trouble passes."""

    def __init__(
        self, problem: str, mend: str, *, retry_after_s: float | None = None, status: int | None = None
    ) -> None:
        """`status`: of the HTTP answer that refused us, where it is 401 or 403."""
        super().__init__(f"{problem} {mend}")
        self.problem = problem
        self.mend = mend
        self.retry_after_s = retry_after_s
        self.status = status


class ArchiveFull(ArchiveUnavailable):
    """No space, or no quota, is left where the archive is."""


class NoContainer(ArchiveUnavailable):
    """The container that the archive should be in does not exist."""


class WriteRefused(ArchiveError):
    """This object: its name, its bytes, or a rule about it."""


class Immutable(WriteRefused):
    """What stands under this name stays as it is."""


class NotThere(ArchiveError):
    """There is no object of that name."""


class TooLarge(ArchiveError):
    """An object that should be small is not."""
