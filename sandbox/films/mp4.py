"""Puts frames and silence into an MP4 (ISO/IEC 14496-12, -14, -15) that can be played while it arrives."""

from __future__ import annotations

from struct import pack

_SCALE = 1_000  # ticks of the movie a second
_RATE, _FRAME = 24_000, 1_024  # samples a second, and of a frame of AAC
_SILENCE = b"\x00\x00\x00\x07"
"""A frame of AAC-LC without a spectrum (ISO/IEC 14496-3, 4.4.2): one channel element that has no band, and the end."""
_UNITY = pack(">9I", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)
_BRANDS = b"isom" + pack(">I", 512) + b"isomiso2avc1mp41"


def movie(
    parameters: tuple[bytes, bytes],
    frames: list[bytes],
    size: tuple[int, int],
    fps: int,
    *,
    audio: bool,
    comment: bytes,
) -> bytes:
    """The file: `ftyp`, `moov` with the comment, `mdat`. `parameters` and `frames` are H.264 without start codes."""
    pictures = [pack(">I", len(frame)) + frame for frame in frames]
    seconds = len(frames) / fps
    quiet = [_SILENCE] * -(-int(seconds * _RATE) // _FRAME) if audio else []
    data = b"".join(pictures + quiet)

    def head(start: int) -> bytes:
        film = _picture_table(parameters, size)
        tracks = _track(1, seconds, fps, [(len(frames), 1)], pictures, start, film, size)
        if quiet:
            last = int(seconds * _RATE) - (len(quiet) - 1) * _FRAME
            lasts = [(len(quiet) - 1, _FRAME), (1, last)]
            tracks += _track(2, seconds, _RATE, lasts, quiet, start + sum(map(len, pictures)), _sound_table(), None)
        whole = pack(">5I", 0, 0, 0, _SCALE, int(seconds * _SCALE)) + pack(">IH10x", 0x10000, 0x100)
        return _box(b"moov", _box(b"mvhd", whole + _UNITY + pack(">24xI", 3)) + tracks + _remark(comment))

    begins = _box(b"ftyp", _BRANDS)
    return begins + head(len(begins) + len(head(0)) + 8) + _box(b"mdat", data)


def _track(
    number: int,
    seconds: float,
    scale: int,
    lasting: list[tuple[int, int]],
    samples: list[bytes],
    start: int,
    table: bytes,
    size: tuple[int, int] | None,
) -> bytes:
    """All samples in one chunk at `start`. `lasting`: (how many, ticks each); `size`: of the picture, if it is one."""
    width, height = size or (0, 0)
    head = pack(">6I8x", 7, 0, 0, number, 0, int(seconds * _SCALE)) + pack(">2hH2x", 0, 0, 0 if size else 0x100)
    media = pack(">5I2H", 0, 0, 0, scale, sum(count * ticks for count, ticks in lasting), 0x55C4, 0)
    handler = pack(">2I", 0, 0) + (b"vide" if size else b"soun") + bytes(12) + b"Sandbox\0"
    about = _box(b"vmhd", pack(">I8x", 1)) if size else _box(b"smhd", bytes(8))
    where = _box(b"dinf", _box(b"dref", pack(">2I", 0, 1) + _box(b"url ", pack(">I", 1))))
    times = pack(">2I", 0, len(lasting)) + b"".join(pack(">2I", *each) for each in lasting)
    sizes = pack(">3I", 0, 0, len(samples)) + b"".join(pack(">I", len(sample)) for sample in samples)
    listing = _box(b"stsd", pack(">2I", 0, 1) + table) + _box(b"stts", times)
    if size:
        listing += _box(b"stss", pack(">3I", 0, 1, 1))
    listing += _box(b"stsc", pack(">5I", 0, 1, 1, len(samples), 1)) + _box(b"stsz", sizes)
    listing += _box(b"stco", pack(">3I", 0, 1, start))
    inside = _box(b"mdhd", media) + _box(b"hdlr", handler) + _box(b"minf", about + where + _box(b"stbl", listing))
    shown = _box(b"tkhd", head + _UNITY + pack(">2I", width << 16, height << 16))
    return _box(b"trak", shown + _box(b"mdia", inside))


def _picture_table(parameters: tuple[bytes, bytes], size: tuple[int, int]) -> bytes:
    """How the frames are to be decoded (ISO/IEC 14496-15, 5.3)."""
    sequence, picture = parameters
    rules = b"\x01" + sequence[1:4] + b"\xff\xe1" + pack(">H", len(sequence)) + sequence
    rules += b"\x01" + pack(">H", len(picture)) + picture
    head = pack(">6xH16x2H2I4xH32xHh", 1, *size, 0x480000, 0x480000, 1, 24, -1)
    return _box(b"avc1", head + _box(b"avcC", rules))


def _sound_table() -> bytes:
    """AAC-LC, one channel (ISO/IEC 14496-14, 5.6; 14496-1, 7.2.6)."""
    known = b"\x05\x02\x13\x08"
    decoder = b"\x04" + bytes([13 + len(known)]) + b"\x40\x15" + bytes(11) + known
    stream = b"\x03" + bytes([3 + len(decoder) + 3]) + bytes(3) + decoder + b"\x06\x01\x02"
    return _box(b"mp4a", pack(">6xH8x2H4xI", 1, 1, 16, _RATE << 16) + _box(b"esds", pack(">I", 0) + stream))


def _remark(comment: bytes) -> bytes:
    """The comment, where players look for one."""
    text = _box(b"\xa9cmt", _box(b"data", pack(">2I", 1, 0) + comment))
    handler = _box(b"hdlr", pack(">2I", 0, 0) + b"mdirappl" + bytes(9))
    return _box(b"udta", _box(b"meta", pack(">I", 0) + handler + _box(b"ilst", text)))


def _box(kind: bytes, content: bytes) -> bytes:
    return pack(">I", 8 + len(content)) + kind + content
