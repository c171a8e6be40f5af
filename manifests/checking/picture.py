"""A picture on disk: whether it is a whole jpeg, png or webp, its size, and the hash of its bytes."""

from __future__ import annotations

import hashlib
import io
import warnings
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO, NamedTuple

from PIL import Image

MOST_PIXELS = 16_000_000  # decoded at most: eight times a 1080p frame, and 64 MB of memory
_FORMATS = ("JPEG", "PNG", "WEBP")
_CHUNK = 1 << 20
_ORIENTATION = 0x0112  # the EXIF tag: 1 as stored, 5 to 8 turned by a quarter, the others mirrored or upside down
# What people take for a usable image: where its mark stands, the mark, and what it is called.
_OTHERS = (
    (4, b"ftyphei", "HEIC"),
    (4, b"ftyphev", "HEIC"),
    (4, b"ftypmif1", "HEIC"),
    (4, b"ftypavi", "AVIF"),
    (0, b"GIF8", "GIF"),
    (0, b"BM", "BMP"),
    (0, b"II*\x00", "TIFF"),
    (0, b"MM\x00*", "TIFF"),
    (0, b"8BPS", "Photoshop"),
    (0, b"%PDF", "PDF"),
)


class Picture(NamedTuple):
    """What one file holds. `wrong`: (message, hint) where it cannot be sent at all.

    `size` is that of the stored pixels, (0, 0) where it is not known. `turned`: the file asks programs to show it
    turned or mirrored, by this EXIF orientation (2 to 8); 1 for an image that is shown as it is stored.
    """

    sha256: str = ""
    size: tuple[int, int] = (0, 0)
    turned: int = 1
    wrong: tuple[str, str] | None = None


@lru_cache(maxsize=16_384)
def read_picture(path: Path, _changed_at: int, _size: int, _inode: int) -> Picture:
    """Read once for all the items that use it, anew when the file changed (so its stamp is part of the question).

    The header's size is looked at before anything is decoded, so a small file of very many pixels costs nothing.
    """
    try:
        with path.open("rb") as stream:
            start = stream.read(16)
            if not _is_picture(start):
                return Picture(wrong=_no_picture(start))
            stream.seek(0)
            digest = hashlib.sha256()
            while chunk := stream.read(_CHUNK):
                digest.update(chunk)
            stream.seek(0)
            return _looked_into(stream, digest.hexdigest())
    except OSError as error:
        return Picture(wrong=(f"cannot be read: {error.strerror}", "check its permissions"))


def what_is_wrong(data: bytes) -> str | None:
    """Why an image that is not on disk cannot be sent; None where it can."""
    if not _is_picture(data[:16]):
        return _no_picture(data[:16])[0]
    found = _looked_into(io.BytesIO(data), "")
    if found.wrong is not None:
        return found.wrong[0]
    return None if found.size[0] * found.size[1] <= MOST_PIXELS else "has far more pixels than any video"


def _looked_into(stream: BinaryIO, sha256: str) -> Picture:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of many pixels and odd metadata: neither is for the user's eyes
            size, turned = _decoded(stream)
    except Image.DecompressionBombError:
        return Picture(wrong=("has far more pixels than any video", "save it as small as the video shall be"))
    except OSError as error:
        if error.errno is not None:
            raise
        return Picture(wrong=_damaged(error))
    except Exception as error:  # Pillow's readers raise whatever a damaged file makes them stumble over
        return Picture(wrong=_damaged(error))
    return Picture(sha256, size, turned)


def _decoded(stream: BinaryIO) -> tuple[tuple[int, int], int]:
    """Size and orientation. Raises whatever Pillow does on a cut or damaged file; a very large one is not tried."""
    with Image.open(stream, formats=_FORMATS) as image:
        size, kind = image.size, image.format
        small = size[0] * size[1] <= MOST_PIXELS
        if small and kind == "PNG":
            image.verify()  # up to the last piece with its sums, which decoding alone does not read
    turned = 1
    stream.seek(0)
    with Image.open(stream, formats=_FORMATS) as image:
        if small:
            image.draft(None, (size[0] // 8 or 1, size[1] // 8 or 1))  # a jpeg is read whole, and kept small
            image.load()
        if small or kind != "PNG":  # of a png this would decode it
            with suppress(Exception):  # damaged notes about an image are no damage to the image
                turned = int(image.getexif().get(_ORIENTATION, 1))
    return size, turned if 1 <= turned <= 8 else 1


def _is_picture(start: bytes) -> bool:
    webp = start[:4] == b"RIFF" and start[8:12] == b"WEBP"
    return webp or start.startswith((b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n"))


def _no_picture(start: bytes) -> tuple[str, str]:
    known = next((name for at, mark, name in _OTHERS if start[at:].startswith(mark)), None)
    if not start:
        return "is empty", "save or download the image anew"
    what = f"is a {known} file, and the API takes jpeg, png and webp" if known else "is not a jpeg, png or webp image"
    return what, "save the image in one of these formats"


def _damaged(error: Exception) -> tuple[str, str]:
    cut = "truncated" in str(error).casefold() or isinstance(error, EOFError)
    what = "the end of the image is missing" if cut else "is damaged: the image in it cannot be read"
    return what, "open it in an image program and save it anew, or copy it once more"
