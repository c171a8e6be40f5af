"""The archive as a plain directory."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from dataclasses import replace as changed
from pathlib import Path
from typing import ParamSpec, TypeVar

from workers.sinks.errors import ArchiveError, ArchiveFull, ArchiveUnavailable, NotThere, TooLarge, WriteRefused
from workers.sinks.file_stat import stat_of
from workers.sinks.part_file import PartFile, remove_orphans
from workers.sinks.reading import file_chunks
from workers.sinks.sink import READ_LIMIT, Accept, NameTaken, Saved, Stat
from workers.sinks.stream import Digest, blocks_of, checked, in_thread

P = ParamSpec("P")
T = TypeVar("T")

_BLOCK = 1024 * 1024
_FULL = (errno.ENOSPC, errno.EDQUOT)
_THIS_NAME = (errno.ENAMETOOLONG, errno.EISDIR, errno.ENOTDIR, errno.EFBIG, errno.EILSEQ, errno.EINVAL, errno.EEXIST)


class DirectorySink:
    """Files below `root`, which is made when it is missing. Metadata and MD5 are kept as an extended attribute,

    where the file system has them (Linux: ext4, xfs, btrfs, tmpfs); elsewhere `stat` knows neither.
    """

    keeps = False

    def __init__(self, root: Path) -> None:
        self._root = root.absolute()
        self._noting = False  # whether notes were seen to be kept

    def __repr__(self) -> str:
        return f"DirectorySink({str(self._root)!r})"

    @property
    def url(self) -> str:
        return self._root.as_uri().rstrip("/") + "/"

    async def probe(self) -> None:
        """Writes a small file and removes it. ArchiveUnavailable says what to mend."""
        await self._do(self._probe)

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
        """Streams into a hidden file beside the name, syncs it, and links it to its name."""
        final = self._path(name)
        digest = Digest()
        part = PartFile(final)
        try:
            await self._do(part.open)
            async with contextlib.aclosing(blocks_of(chunks, _BLOCK)) as blocks:
                async for block in blocks:
                    await self._do(_write, part, digest, block)
            arrived = digest.arrived()
            if accept is not None:
                accept(arrived)
            note = {
                "bytes": arrived.bytes,
                "md5": arrived.md5.hex(),
                "content_type": content_type,
                "claim": claim,
                "metadata": dict(metadata),
            }
            if not await self._do(part.publish, note, replace=replace):
                there = await self._do(stat_of, final, exact=True)
                if there is None:
                    raise WriteRefused(f"{final} was taken by another file, which then vanished; try again.")
                return NameTaken(there.bytes, there.md5, there.metadata, arrived)
            return Saved(name, self._url_of(name), arrived.bytes, arrived.sha256, arrived.md5)
        finally:
            await in_thread(part.discard)

    async def stat(self, name: str) -> Stat | None:
        """None if there is no such file."""
        found = await self._do(stat_of, self._path(name))
        # What has no note where notes are kept is not of our writing, or no longer.
        return changed(found, ours=False) if found and found.ours is None and self._noting else found

    async def names(self, folder: str = "", *, folders: bool = False) -> AsyncIterator[str]:
        """The files of a folder, or its folders; none where there is no such folder."""
        for name in await self._do(_names, self._path(folder) if folder else self._root, folders):
            yield name

    async def read(self, name: str) -> bytes:
        """The whole of a small file. Raises NotThere, TooLarge."""
        path = self._path(name)
        data = await self._do(_read, path)
        if data is None:
            raise NotThere(f"There is no {path}.")
        if len(data) > READ_LIMIT:
            raise TooLarge(f"{path} is over {READ_LIMIT >> 20} MiB: it is not ours.")
        return data

    def chunks(self, name: str, start: int = 0, length: int | None = None) -> AsyncGenerator[bytes, None]:
        """The bytes of a file, or a part of them. Raises NotThere."""
        return file_chunks(self._do, self._path(name), start, length)

    async def write(self, name: str, data: bytes, content_type: str, *, replace: bool = True) -> str:
        """Writes a small file at once; its URL. Without `replace`, a name that is taken is WriteRefused."""
        if not await self._do(_write_whole, self._path(name), data, content_type, replace):
            raise WriteRefused(f"{self._path(name)} is there already.")
        return self._url_of(name)

    async def tidy(self, folder: str) -> None:
        """A try for the same name removes them too, but a video that another worker archived is not tried again."""
        await self._do(remove_orphans, self._path(folder))

    async def aclose(self) -> None:
        return None

    async def __aenter__(self) -> DirectorySink:
        return self

    async def __aexit__(self, *_: object) -> None:
        return None

    def _path(self, name: str) -> Path:
        return self._root / checked(name)

    def _url_of(self, name: str) -> str:
        return self._path(name).as_uri()

    def _probe(self) -> None:
        part = PartFile(self._root / "dailies-probe")
        try:
            part.open()
            part.write(b"dailies asks whether it may write here\n")
            part.note({})
            self._noting = part.noted
        finally:
            part.discard()

    async def _do(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        def run() -> T:
            try:
                return function(*args, **kwargs)
            except OSError as error:
                raise self._in_our_words(error) from error

        return await in_thread(run)

    def _in_our_words(self, error: OSError) -> ArchiveError:
        where = error.filename or self._root
        said = error.strerror or type(error).__name__
        if error.errno in _FULL:
            return ArchiveFull(f"No space is left in {self._root}.", "Free some, or raise the quota.")
        if error.errno in _THIS_NAME and self._root.is_dir():
            return WriteRefused(f"{where} cannot be written: {said}.")
        mend = f"Make {self._root} a folder that this user may write to."
        return ArchiveUnavailable(f"{where}: {said}.", mend)


def _write(part: PartFile, digest: Digest, block: memoryview) -> None:
    part.write(block)
    digest.add(block)


def _write_whole(final: Path, data: bytes, content_type: str, replace: bool) -> bool:
    part = PartFile(final)
    try:
        part.open()
        part.write(data)
        note = {"bytes": len(data), "md5": _md5(data), "content_type": content_type, "metadata": {}}
        return part.publish(note, replace=replace)
    finally:
        part.discard()


def _read(path: Path) -> bytes | None:
    try:
        with path.open("rb") as file:
            return file.read(READ_LIMIT + 1)
    except FileNotFoundError:
        return None


def _names(folder: Path, folders: bool) -> list[str]:
    if not folder.is_dir():
        return []
    with os.scandir(folder) as entries:
        found = [entry for entry in entries if not entry.name.startswith(".")]
        return [entry.name for entry in found if (entry.is_dir() if folders else entry.is_file())]


def _md5(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()
