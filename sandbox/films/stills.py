"""Single pictures: thumbnails of films, and the measuring of pictures that callers send in."""

from __future__ import annotations

import io
import struct
from typing import Literal

from PIL import Image

from sandbox.films.scene import FilmSpec, Scene

Format = Literal["JPEG", "WEBP"]

#: Boxes of an MP4 on the way to what each track shows.
_OPENED = (b"moov", b"trak")


def thumbnail(spec: FilmSpec, kind: Format) -> bytes:
    """The film's middle picture."""
    return _compress(Scene(spec).picture(spec.frames // 2), kind)


def spritesheet(spec: FilmSpec) -> bytes:
    """Four pictures of the film in a row, at a quarter of its size, as JPEG."""
    width, height = max(2, spec.width // 4), max(2, spec.height // 4)
    sheet = Image.new("YCbCr", (4 * width, height))
    for number in range(4):
        small = Scene(spec).picture(spec.frames * number // 4).resize((width, height))
        sheet.paste(small, (number * width, 0))
    return _compress(sheet, "JPEG")


def measure(data: bytes) -> tuple[int, int] | None:
    """Width and height of the picture (JPEG, PNG or WebP) or film in `data`; None where it is neither."""
    try:
        with Image.open(io.BytesIO(data), formats=("JPEG", "PNG", "WEBP")) as picture:
            picture.load()
            return picture.size
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return _measure_film(memoryview(data))


def _measure_film(data: memoryview) -> tuple[int, int] | None:
    """Of the first track that is shown (ISO/IEC 14496-12, 8.3.2: the last eight bytes of its header, in 65,536ths)."""
    at = 0
    while at + 8 <= len(data):
        size, kind = struct.unpack_from(">I4s", data, at)
        if size < 8 or at + size > len(data):
            return None
        content = data[at + 8 : at + size]
        if kind == b"tkhd" and len(content) >= 84:
            width, height = struct.unpack(">2I", content[-8:])
            if width and height:
                return width >> 16, height >> 16
        if kind in _OPENED and (found := _measure_film(content)):
            return found
        at += size
    return None


def _compress(picture: Image.Image, kind: Format) -> bytes:
    out = io.BytesIO()
    picture.convert("RGB").save(out, kind)
    return out.getvalue()
