"""A file on its way to its name: written beside it under a hidden temporary name, and linked when it is whole."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import re
from collections.abc import Mapping
from pathlib import Path

_ATTRIBUTE = "user.dailies"
_PART = re.compile(r"\..+\.\d+\.part")
_SHORT = 200
_OURS = "dailies_"
_NO_HARD_LINKS = (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EACCES)


class PartFile:
    """One temporary file, `.NAME.N.part`, in the folder of its final name (a rename must not cross a file system).

    Whoever writes it holds a lock on it, which the kernel drops when the process dies: the next try for the same name
    removes a file that nobody holds. Nothing is ever truncated: the leftover of a crash after the link *is* the video.
    """

    def __init__(self, final: Path) -> None:
        self._final = self._path = final
        self._fd = -1
        self.noted = False  # whether the file system took what was noted with the bytes

    def open(self) -> None:
        """Creates the file, and the folder where it is missing. Everything here raises OSError."""
        _make_folder(self._final.parent)
        self._path, self._fd = self._claimed()

    def write(self, block: bytes | memoryview) -> None:
        view = memoryview(block)
        while view:
            view = view[os.write(self._fd, view) :]

    def note(self, note: Mapping[str, object]) -> None:
        """Keeps what is to be known of the bytes with them, where the file system can."""
        self.noted = _annotate(self._fd, note)

    def publish(self, note: Mapping[str, object], *, replace: bool) -> bool:
        """Makes the bytes durable, and then visible under the final name. False if the name is taken."""
        self.note(note)
        os.fsync(self._fd)
        if replace:
            os.replace(self._path, self._final)
        elif not self._link():
            return False
        _sync_folder(self._final.parent)
        return True

    def discard(self) -> None:
        """Removes what is left of the temporary file; after `publish` there is nothing."""
        if self._fd >= 0:
            with contextlib.suppress(OSError):
                if os.fstat(self._fd).st_nlink and os.path.samestat(os.fstat(self._fd), os.stat(self._path)):
                    os.unlink(self._path)
            os.close(self._fd)
            self._fd = -1

    def _link(self) -> bool:
        try:
            os.link(self._path, self._final)
        except FileExistsError:
            return False
        except OSError as error:
            if error.errno not in _NO_HARD_LINKS:
                raise
            # A file system without hard links (many network shares): a rename, right after a look. Two writers of one
            # name at the same instant would be needed to overwrite, and both would hold the same video.
            if os.path.lexists(self._final):
                return False
            os.rename(self._path, self._final)
        else:
            os.unlink(self._path)
        return True

    def _claimed(self) -> tuple[Path, int]:
        for number in range(1, 100):
            path = self._final.with_name(f".{self._final.name}.{number}.part")
            for _ in range(3):
                try:
                    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
                except FileExistsError:
                    if not _removed_orphan(path):
                        break
                    continue
                if _hold(fd) and _still_at(fd, path):
                    return path, fd
                os.close(fd)
        raise OSError(errno.EBUSY, "too many unfinished files of that name", str(self._final))


def note_of(path: Path) -> dict[str, object]:
    """What was noted with a file when it was published; empty where the file system keeps no attributes."""
    try:
        found = json.loads(os.getxattr(path, _ATTRIBUTE))
    except (OSError, ValueError, AttributeError):
        return {}
    return found if isinstance(found, dict) else {}


def _annotate(fd: int, note: Mapping[str, object]) -> bool:
    """Best effort: not every file system has attributes, and some keep no more than 4 KiB of them. Whether it was
    kept."""
    found = note.get("metadata")
    metadata: dict[str, str] = found if isinstance(found, dict) else {}
    short = {key: value for key, value in metadata.items() if len(value) <= _SHORT}
    ours = {key: value for key, value in metadata.items() if key.startswith(_OURS)}
    for each in (note, {**note, "metadata": short}, {**note, "metadata": ours}):
        try:
            os.setxattr(fd, _ATTRIBUTE, json.dumps(each).encode())
        except (OSError, AttributeError):
            continue
        return True
    return False


def remove_orphans(folder: Path) -> None:
    """Removes the temporary files of a folder that nobody writes."""
    if folder.is_dir():
        with os.scandir(folder) as entries:
            for path in [Path(entry.path) for entry in entries if _PART.fullmatch(entry.name)]:
                _removed_orphan(path)


def _removed_orphan(path: Path) -> bool:
    """Removes a temporary file that nobody writes; False if somebody does."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return True
    try:
        if not _hold(fd, unsure=False):
            return False
        if _still_at(fd, path):
            os.unlink(path)
        return True
    finally:
        os.close(fd)


def _hold(fd: int, *, unsure: bool = True) -> bool:
    """Locks a file; False if another holds it. `unsure` is the answer where the file system has no locks."""
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return unsure
    return True


def _still_at(fd: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(fd), os.stat(path))
    except FileNotFoundError:
        return False


def _make_folder(folder: Path) -> None:
    if folder.is_dir():
        return
    _make_folder(folder.parent)
    with contextlib.suppress(FileExistsError):
        folder.mkdir()
    _sync_folder(folder.parent)


def _sync_folder(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        # Some network file systems refuse to sync a folder; they order its entries themselves.
        with contextlib.suppress(OSError):
            os.fsync(fd)
    finally:
        os.close(fd)
