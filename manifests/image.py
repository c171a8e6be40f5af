"""Input images: a local one is looked at and hashed, a URL is only checked for its form."""

from __future__ import annotations

import hashlib
import stat
from functools import lru_cache
from pathlib import Path
from urllib.parse import urlsplit

LARGEST = 20 * 1024 * 1024  # bytes; the videos API takes no more
_CHUNK = 1 << 20


class UnusableImage(Exception):
    """An input image cannot be sent. `.message` says why, `.hint` what to do."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.message, self.hint = message, hint


def look_at(reference: str, folder: Path) -> tuple[str, str | None]:
    """(absolute path, SHA-256 of its bytes) of a local image, (URL, None) of another.

    A path is relative to `folder`. Raises UnusableImage.
    """
    scheme = reference.split(":", 1)[0].lower() if ":" in reference else ""
    if scheme in ("http", "https"):
        try:
            host = urlsplit(reference).hostname
        except ValueError:
            host = None
        if not host or any(character.isspace() for character in reference):
            raise UnusableImage("is not a URL that can be fetched", "write https://HOST/PATH, with spaces as %20")
        return reference, None
    if "://" in reference or scheme in ("data", "file"):
        raise UnusableImage("only http and https URLs are fetched", "write a URL, or the plain path of a file")
    try:
        path = (folder / reference).resolve()
        found = path.stat()
    except FileNotFoundError:
        hint = f"a path is relative to the manifest's folder, {folder.resolve()}"
        raise UnusableImage("there is no such file", hint) from None
    except (OSError, ValueError, RuntimeError) as error:
        raise UnusableImage(f"cannot be read: {_why(error)}", "check the path and its permissions") from None
    if not stat.S_ISREG(found.st_mode):
        raise UnusableImage("is not a file", "write the path of one jpeg, png or webp image")
    if found.st_size > LARGEST:
        size = f"{found.st_size / (1 << 20):.1f} MiB"
        raise UnusableImage(f"is {size}, and the API takes at most {LARGEST >> 20} MiB", "save it smaller")
    return str(path), _sha256(path, found.st_mtime_ns, found.st_size, found.st_ino)


@lru_cache(maxsize=256)
def _sha256(path: Path, _changed_at: int, _size: int, _inode: int) -> str:
    """Read once for all the items that use it, anew when the file changed."""
    try:
        with path.open("rb") as stream:
            chunk = stream.read(_CHUNK)
            if not _is_image(chunk):
                raise UnusableImage("is not a jpeg, png or webp image", "save the image in one of these formats")
            digest = hashlib.sha256()
            while chunk:
                digest.update(chunk)
                chunk = stream.read(_CHUNK)
    except OSError as error:
        raise UnusableImage(f"cannot be read: {_why(error)}", "check its permissions") from None
    return digest.hexdigest()


def _is_image(start: bytes) -> bool:
    webp = start[:4] == b"RIFF" and start[8:12] == b"WEBP"
    return webp or start.startswith((b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n"))


def _why(error: Exception) -> str:
    return error.strerror if isinstance(error, OSError) and error.strerror else str(error)
