"""Input images: a local one is looked at and must be of the ordered size, a URL is only checked for its form."""

from __future__ import annotations

import stat
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

from manifests.checking.picture import MOST_PIXELS, Picture, read_picture

LARGEST = 20 * 1024 * 1024  # bytes; the videos API takes no more


class UnusableImage(Exception):
    """An input image cannot be sent. `.message` says why, `.hint` what to do."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.message, self.hint = message, hint


def look_at(
    reference: str, folder: Path, ordered: str | None = None, sizes: Sequence[str] | None = None
) -> tuple[str, str | None]:
    """(absolute path, SHA-256 of its bytes) of a local image, (URL, None) of another.

    A path is relative to `folder`. `ordered` is the video's `WIDTHxHEIGHT`, which the image must have to the pixel
    (Microsoft's concept page of Sora 2); None where it cannot be told. `sizes`: what else could be ordered; None for
    any size. Raises UnusableImage.
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
    path, picture = _local(reference, folder)
    if picture.wrong is not None:
        raise UnusableImage(*picture.wrong)
    if ordered is not None:
        width, height = map(int, ordered.split("x"))
        _check_size(picture, (width, height), sizes)
    return str(path), picture.sha256


def _local(reference: str, folder: Path) -> tuple[Path, Picture]:
    try:
        path = (folder / reference).resolve()
        found = path.stat()
    except FileNotFoundError:
        hint = f"a path is relative to the manifest's folder, {folder.resolve()}"
        raise UnusableImage("there is no such file", hint) from None
    except (OSError, ValueError, RuntimeError) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise UnusableImage(f"cannot be read: {why}", "check the path and its permissions") from None
    if not stat.S_ISREG(found.st_mode):
        raise UnusableImage("is not a file", "write the path of one jpeg, png or webp image")
    if found.st_size > LARGEST:
        size = f"{found.st_size / (1 << 20):.1f} MiB"
        raise UnusableImage(f"is {size}, and the API takes at most {LARGEST >> 20} MiB", "save it smaller")
    return path, read_picture(path, found.st_mtime_ns, found.st_size, found.st_ino)


def _check_size(picture: Picture, ordered: tuple[int, int], sizes: Sequence[str] | None) -> None:
    """The API takes the pixels as they are stored, and so does this."""
    size, wanted = picture.size, _text(ordered)
    if picture.turned != 1 and ordered in (size, size[::-1]):
        seen = size[::-1] if picture.turned >= 5 else size
        message = (
            f"the image is stored as {_text(size)} with a note that programs shall show it turned or mirrored, "
            "and the API may not read the note"
        )
        hint = "open it in an image program and save it anew, turned as it shall be"
        hint += "" if seen == ordered else f"; it is {_text(seen)} then: resize or crop it to {wanted}"
        raise UnusableImage(message, hint)
    if size != ordered:
        raise UnusableImage(f"the image is {_text(size)}, and the video is to be {wanted}", _mend(size, ordered, sizes))
    if size[0] * size[1] > MOST_PIXELS:
        message = f"the image is {_text(size)}, and one of more than {MOST_PIXELS:,} pixels is not looked into"
        raise UnusableImage(message, "order a smaller size, and resize the image to it")


def _mend(size: tuple[int, int], ordered: tuple[int, int], sizes: Sequence[str] | None) -> str:
    """What to do with an image of the wrong size: make it fit, or order what is nearest to it."""
    wanted = _text(ordered)
    if size[0] * ordered[1] == size[1] * ordered[0]:
        return f"resize it to {wanted}"
    hint = f"resize or crop it to {wanted}"
    nearest = min(sizes or [_text(size)], key=lambda text: _distance(size, text))
    if nearest == _text(size):
        return f"{hint}, or order size: {nearest}"
    if nearest != wanted:
        return f"{hint}; or to {nearest}, which is nearer to its shape, and order size: {nearest}"
    return hint


def _distance(size: tuple[int, int], other: str) -> tuple[float, float]:
    """How far another size is from this: by its shape first, then by its width."""
    width, height = map(int, other.split("x"))
    shapes = size[0] * height / (size[1] * width)
    return round(max(shapes, 1 / shapes), 2), abs(width - size[0])


def _text(size: tuple[int, int]) -> str:
    return f"{size[0]}x{size[1]}"
