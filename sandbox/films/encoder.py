"""A film of the ordered size and length: H.264, silence as AAC if asked for, as an MP4 that plays while it arrives."""

from __future__ import annotations

import functools

from sandbox.films.h264 import frames, headers
from sandbox.films.mp4 import movie
from sandbox.films.scene import FPS, FilmSpec, Scene

STAMP = b"#" * 64
"""Stands in the film's comment; a job's own stamp of the same length takes its place, so no box moves."""


@functools.lru_cache(maxsize=128)
def encode(spec: FilmSpec) -> bytes:
    """The film's bytes, `STAMP` in its comment; kept for the process's life."""
    scene = Scene(spec)
    size = spec.width, spec.height
    film = movie(headers(scene), list(frames(scene)), size, FPS, audio=spec.audio, comment=STAMP)
    if film.count(STAMP) != 1:
        raise RuntimeError("there is no single place for a job's stamp")
    return film
