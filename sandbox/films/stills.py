"""Single pictures: thumbnails of films, and the measuring of pictures that callers send in."""

from __future__ import annotations

import io
from fractions import Fraction
from typing import Literal, cast

import av
import numpy as np
from numpy.typing import NDArray

from sandbox.films.encoder import FilmSpec, still

Codec = Literal["mjpeg", "libwebp"]
"""JPEG and WebP."""

_PIXELS: dict[Codec, str] = {"mjpeg": "yuvj420p", "libwebp": "yuv420p"}


def thumbnail(spec: FilmSpec, codec: Codec) -> bytes:
    """The film's middle picture."""
    return _compress(av.VideoFrame.from_ndarray(still(spec.width, spec.height, 0.5), format="yuv420p"), codec)


def spritesheet(spec: FilmSpec) -> bytes:
    """Four pictures of the film in a row, at a quarter of its size, as JPEG."""
    row: list[NDArray[np.uint8]] = []
    for number in range(4):
        frame = av.VideoFrame.from_ndarray(still(spec.width, spec.height, number / 4), format="yuv420p")
        small = frame.reformat(width=max(2, spec.width // 4), height=max(2, spec.height // 4), format="rgb24")
        row.append(small.to_ndarray().astype(np.uint8))
    return _compress(av.VideoFrame.from_ndarray(np.hstack(row), format="rgb24"), "mjpeg")


def measure(data: bytes) -> tuple[int, int] | None:
    """Width and height of the picture (JPEG, PNG or WebP) or film in `data`; None where it is neither."""
    try:
        with av.open(io.BytesIO(data)) as picture:
            if not picture.streams.video:
                return None
            stream = picture.streams.video[0]
            return (stream.width, stream.height) if stream.width and stream.height else None
    except (av.FFmpegError, ValueError):
        return None


def _compress(frame: av.VideoFrame, codec: Codec) -> bytes:
    encoder = cast("av.VideoCodecContext", av.VideoCodecContext.create(codec, "w"))
    encoder.width, encoder.height, encoder.pix_fmt = frame.width, frame.height, _PIXELS[codec]
    encoder.time_base = Fraction(1, 1)
    converted = frame.reformat(format=_PIXELS[codec])
    converted.pts = 0
    return b"".join(bytes(packet) for packet in [*encoder.encode(converted), *encoder.encode(None)])
