"""Archives: `open_sink` gives a `Sink`, a directory or a container of Azure Blob Storage."""

from __future__ import annotations

from workers.sinks.errors import (
    ArchiveError,
    ArchiveFull,
    ArchiveUnavailable,
    Immutable,
    NotThere,
    TooLarge,
    WriteRefused,
)
from workers.sinks.opening import open_sink
from workers.sinks.sink import Accept, Arrived, NameTaken, Saved, Sink, Stat

__all__ = [
    "Accept",
    "ArchiveError",
    "ArchiveFull",
    "ArchiveUnavailable",
    "Arrived",
    "Immutable",
    "NameTaken",
    "NotThere",
    "Saved",
    "Sink",
    "Stat",
    "TooLarge",
    "WriteRefused",
    "open_sink",
]
