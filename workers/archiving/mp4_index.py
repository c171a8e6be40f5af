"""The index of an MP4 (`moov`, `moof`): how long, how large, what tracks, and where its last bytes should be."""

from __future__ import annotations

import struct
import sys
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field


@dataclass(slots=True)
class Track:
    """One `trak` box. Pixels are of the picture as shown: a quarter turn in the matrix swaps them."""

    number: int = 0
    handler: bytes = b""
    timescale: int = 0
    width: int | None = None
    height: int | None = None


@dataclass(slots=True)
class Index:
    """What `moov` says. `media_bytes` sums the sample sizes; `last_chunk_at` is -1 where no chunk is listed."""

    duration_s: float | None = None
    tracks: list[Track] = field(default_factory=list)
    media_bytes: int = 0
    last_chunk_at: int = -1
    default_ticks: dict[int, int] = field(default_factory=dict)  # track number -> default sample duration


def read_index(moov: bytes) -> Index:
    """Reads the body of a `moov` box. Raises ValueError where it contradicts itself."""
    index = Index()
    try:
        for kind, body in boxes(memoryview(moov)):
            if kind == b"mvhd":
                index.duration_s = _seconds(body)
            elif kind == b"trak":
                index.tracks.append(_track(body, index))
            elif kind == b"mvex":
                _extends(body, index)
    except (struct.error, IndexError) as error:
        raise ValueError("a box in it is too short") from error
    return index


def fragment_durations(moof: bytes, index: Index) -> dict[int, int]:
    """Ticks of media that a `moof` adds, by track number. Raises ValueError where it contradicts itself."""
    ticks: dict[int, int] = {}
    try:
        for kind, traf in boxes(memoryview(moof)):
            if kind == b"traf":
                number, added = _fragment(traf, index)
                ticks[number] = ticks.get(number, 0) + added
    except (struct.error, IndexError) as error:
        raise ValueError("a fragment's box is too short") from error
    return ticks


def boxes(body: memoryview) -> Iterator[tuple[bytes, memoryview]]:
    """The boxes inside a box, as (kind, body)."""
    at = 0
    while len(body) - at >= 8:
        size, header = int.from_bytes(body[at : at + 4], "big"), 8
        kind = bytes(body[at + 4 : at + 8])
        if size == 1:
            size, header = int.from_bytes(body[at + 8 : at + 16], "big"), 16
        elif size == 0:
            size = len(body) - at
        if size < header or at + size > len(body):
            raise ValueError(f"the box '{kind.decode('latin-1')}' does not fit into the one around it")
        yield kind, body[at + header : at + size]
        at += size


def _seconds(mvhd: memoryview) -> float | None:
    if mvhd[0] == 1:
        scale, duration = struct.unpack_from(">IQ", mvhd, 20)
        unknown = duration == 0xFFFF_FFFF_FFFF_FFFF
    else:
        scale, duration = struct.unpack_from(">II", mvhd, 12)
        unknown = duration == 0xFFFF_FFFF
    return None if unknown or not scale or not duration else duration / scale


def _track(trak: memoryview, index: Index) -> Track:
    track = Track()
    for kind, body in boxes(trak):
        if kind == b"tkhd":
            at = 20 if body[0] == 1 else 12
            track.number = struct.unpack_from(">I", body, at)[0]
            matrix = struct.unpack_from(">9i", body, len(body) - 44)
            width, height = (size >> 16 for size in struct.unpack_from(">II", body, len(body) - 8))
            if matrix[0] == 0 and matrix[4] == 0 and (matrix[1] or matrix[3]):
                width, height = height, width
            track.width, track.height = width or None, height or None
        elif kind == b"mdia":
            _media(body, track, index)
    return track


def _media(mdia: memoryview, track: Track, index: Index) -> None:
    for kind, body in boxes(mdia):
        if kind == b"mdhd":
            track.timescale = struct.unpack_from(">I", body, 20 if body[0] == 1 else 12)[0]
        elif kind == b"hdlr":
            track.handler = bytes(body[8:12])
        elif kind == b"minf":
            for _, table in (pair for pair in boxes(body) if pair[0] == b"stbl"):
                _samples(table, index)


def _samples(stbl: memoryview, index: Index) -> None:
    for kind, body in boxes(stbl):
        if kind == b"stsz":
            size, count = struct.unpack_from(">II", body, 4)
            index.media_bytes += size * count if size else sum(_numbers("I", body[12:], count))
        elif kind in (b"stco", b"co64"):
            count = struct.unpack_from(">I", body, 4)[0]
            offsets = _numbers("I" if kind == b"stco" else "Q", body[8:], count)
            index.last_chunk_at = max(index.last_chunk_at, max(offsets, default=-1))


def _numbers(code: str, table: memoryview, count: int) -> array[int]:
    """`count` big-endian numbers: "I" for 32 bits, "Q" for 64."""
    width = 4 if code == "I" else 8
    if count * width > len(table):
        raise ValueError("a table is shorter than it says")
    numbers = array(code)
    numbers.frombytes(table[: count * width])
    if sys.byteorder == "little":
        numbers.byteswap()
    return numbers


def _extends(mvex: memoryview, index: Index) -> None:
    for kind, body in boxes(mvex):
        if kind == b"trex":
            number, _, ticks = struct.unpack_from(">III", body, 4)
            index.default_ticks[number] = ticks


def _fragment(traf: memoryview, index: Index) -> tuple[int, int]:
    number = default = total = 0
    for kind, body in boxes(traf):
        flags = int.from_bytes(body[1:4], "big")
        if kind == b"tfhd":
            number = struct.unpack_from(">I", body, 4)[0]
            default = index.default_ticks.get(number, 0)
            if flags & 0x08:  # default-sample-duration is present
                at = 8 + (8 if flags & 0x01 else 0) + (4 if flags & 0x02 else 0)
                default = struct.unpack_from(">I", body, at)[0]
        elif kind == b"trun":
            count = struct.unpack_from(">I", body, 4)[0]
            if not flags & 0x100:  # no sample has a duration of its own
                total += count * default
                continue
            at = 8 + (4 if flags & 0x01 else 0) + (4 if flags & 0x04 else 0)
            step = 4 * sum(1 for bit in (0x100, 0x200, 0x400, 0x800) if flags & bit)
            total += sum(struct.unpack_from(">I", body, at + sample * step)[0] for sample in range(count))
    return number, total
