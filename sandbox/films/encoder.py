"""Draws and encodes a film: H.264 of the ordered size and length, AAC if asked for, as a faststart MP4."""

from __future__ import annotations

import functools
import tempfile
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.audio.stream import AudioStream
from av.video.stream import VideoStream
from numpy.typing import NDArray

FPS = 12
STAMP = b"#" * 64
"""Stands in the film's comment; a job's own stamp of the same length takes its place, so no box moves."""

_SAMPLE_RATE = 24_000
_TONE_HZ = 220


@dataclass(frozen=True, slots=True)
class FilmSpec:
    """What decides the pictures: pixels, seconds and whether there is sound."""

    width: int
    height: int
    seconds: int
    audio: bool


@functools.lru_cache(maxsize=128)
def encode(spec: FilmSpec) -> bytes:
    """The film's bytes, `STAMP` in its comment. Blocks for 0.02 to 1 s; kept for the process's life."""
    with tempfile.TemporaryDirectory(prefix="sandbox-film-") as folder:
        path = Path(folder) / "film.mp4"  # faststart rewrites the file, so it must be a real one
        with av.open(str(path), "w", format="mp4", options={"movflags": "+faststart"}) as movie:
            movie.metadata["comment"] = STAMP.decode()
            video: VideoStream = movie.add_stream("libx264", rate=FPS)
            video.width, video.height, video.pix_fmt = spec.width, spec.height, "yuv420p"
            video.options = {"preset": "ultrafast", "tune": "zerolatency", "crf": "30", "threads": "1"}
            audio = movie.add_stream("aac", rate=_SAMPLE_RATE, layout="mono") if spec.audio else None
            _film(movie, video, spec)
            if audio is not None:
                _dub(movie, audio, spec.seconds)
        film = path.read_bytes()
    if film.count(STAMP) != 1:
        raise RuntimeError("the encoder left no single place for a job's stamp: the comment was not written")
    return film


def still(width: int, height: int, at: float) -> NDArray[np.uint8]:
    """The picture at `at` (0 to 1 of the film), planar YUV 4:2:0: a bright square crossing a dark ground."""
    picture = np.full((height * 3 // 2, width), 128, np.uint8)
    picture[:height] = 40
    side = max(2, min(width, height) // 8)
    left, top = int(at * (width - side)), (height - side) // 2
    picture[top : top + side, left : left + side] = 220
    return picture


def _film(movie: av.container.OutputContainer, video: VideoStream, spec: FilmSpec) -> None:
    frames = FPS * spec.seconds
    for number in range(frames):
        frame = av.VideoFrame.from_ndarray(still(spec.width, spec.height, number / frames), format="yuv420p")
        frame.pts, frame.time_base = number, Fraction(1, FPS)
        movie.mux(video.encode(frame))
    movie.mux(video.encode())


def _dub(movie: av.container.OutputContainer, audio: AudioStream, seconds: int) -> None:
    total = _SAMPLE_RATE * seconds
    wave = (np.sin(np.arange(total) * (2 * np.pi * _TONE_HZ / _SAMPLE_RATE)) * 2_000).astype(np.int16)
    for start in range(0, total, 1024):
        samples = wave[None, start : start + 1024].copy()
        frame = av.AudioFrame.from_ndarray(samples, format="s16", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = _SAMPLE_RATE, start, Fraction(1, _SAMPLE_RATE)
        movie.mux(audio.encode(frame))
    movie.mux(audio.encode())
