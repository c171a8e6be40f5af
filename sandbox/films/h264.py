"""H.264 (ITU-T H.264, constrained baseline) of a scene, in as few bits and as little work as its pictures allow.

An encoder for any picture is a library larger than the rest of the program. These pictures need no search and no
transform: the first one is the sky, a colour a band; the second adds the disc as raw samples; in each further one the
bands that the disc crosses are moved by a vector. Numbers in comments are sections of the standard.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from PIL import Image

from sandbox.films.scene import BLOCK, Scene, YCbCr

_SEQUENCE, _PICTURE, _FIRST, _FURTHER = 0x67, 0x68, 0x65, 0x61  # 7.3.1: the first byte of each kind of unit
#: What one step of a block's only coefficient adds to each of its pixels, in 64ths, at QP 26 (8.5.10, 8.5.11).
_LUMA_STEP, _CHROMA_STEP = 52, 104
_HORIZONTAL = "011" + "010" + "1" + "1"  # 16x16 and chroma as at the left, QP and coefficients as nothing (7.3.5)
#: Level numbers with the most macroblocks of a picture (table A-1).
_LEVELS = ((30, 1_620), (40, 8_192), (51, 36_864), (62, 139_264))


def headers(scene: Scene) -> tuple[bytes, bytes]:
    """The sequence's and the picture's parameter sets (7.3.2.1, 7.3.2.2), without start codes."""
    columns, rows = _blocks(scene)
    level = next((level for level, most in _LEVELS if columns * rows <= most), _LEVELS[-1][0])
    right, bottom = columns * BLOCK - scene.spec.width, rows * BLOCK - scene.spec.height
    cropping = f"1{_ue(0)}{_ue(right // 2)}{_ue(0)}{_ue(bottom // 2)}" if right or bottom else "0"
    sequence = f"{66:08b}{0b11000000:08b}{level:08b}{_ue(0)}"
    # 8 bits of frame number; order as decoded; one reference; no gaps; frames, not fields; no usability information
    sequence += f"{_ue(4)}{_ue(2)}{_ue(1)}0{_ue(columns - 1)}{_ue(rows - 1)}1" + "1" + cropping + "0"
    # CAVLC; one slice group; one reference; no weights; QP 26; the deblocking filter is a slice's to switch off
    picture = f"{_ue(0)}{_ue(0)}00{_ue(0)}{_ue(0)}{_ue(0)}000{_se(0)}{_se(0)}{_se(0)}100"
    return _unit(_SEQUENCE, sequence), _unit(_PICTURE, picture)


def frames(scene: Scene) -> Iterator[bytes]:
    """Each frame's unit, without start code."""
    bands, sky = _sky(scene)
    yield _unit(_FIRST, _slice_header(0) + sky)
    if scene.spec.frames > 1:
        yield _unit(_FURTHER, _slice_header(1) + _disc(scene, bands))
    for number in range(2, scene.spec.frames):
        yield _unit(_FURTHER, _slice_header(number) + _moved(scene, scene.left(number) - scene.left(number - 1)))


def _sky(scene: Scene) -> tuple[list[YCbCr], str]:
    """The colours that a decoder will show, and the first picture's macroblocks."""
    columns, _ = _blocks(scene)
    shown, bits = [(128, 128, 128)], []
    for number, (luma, blue, red) in enumerate(scene.bands):
        above = shown[-1]
        levels = [
            round((luma - above[0]) * 64 / _LUMA_STEP),
            round((blue - above[1]) * 64 / _CHROMA_STEP),
            round((red - above[2]) * 64 / _CHROMA_STEP),
        ]
        # As above, where there is something above; then one coefficient a channel.
        bits.append((_ue(5) + _ue(2) if number else _ue(7) + _ue(0)) + "1")
        bits.append(_luma_level(levels[0]) + _chroma_level(levels[1]) + _chroma_level(levels[2]))
        bits.append(_HORIZONTAL * (columns - 1))
        shown.append(
            (
                above[0] + (levels[0] * _LUMA_STEP + 32 >> 6),
                above[1] + (levels[1] * _CHROMA_STEP + 32 >> 6),
                above[2] + (levels[2] * _CHROMA_STEP + 32 >> 6),
            )
        )
    return shown[1:], "".join(bits)


def _disc(scene: Scene, bands: list[YCbCr]) -> str:
    """The second picture's macroblocks: raw samples where the disc is, the rest as before."""
    columns, rows = _blocks(scene)
    picture, left = scene.picture(1, bands), scene.left(1)
    bits, reached = [_slice_so_far(1)], 0
    for row in range(scene.top // BLOCK, (scene.top + scene.side - 1) // BLOCK + 1):
        for column in range(left // BLOCK, (left + scene.side - 1) // BLOCK + 1):
            at = row * columns + column
            bits.append(_ue(at - reached) + _ue(30))  # so many skipped, then I_PCM in a P slice
            bits.append("0" * (-sum(map(len, bits)) % 8))
            bits.append(_samples(picture.crop((column * 16, row * 16, column * 16 + 16, row * 16 + 16))))
            reached = at + 1
    if reached < columns * rows:
        bits.append(_ue(columns * rows - reached))
    return "".join(bits[1:])


def _moved(scene: Scene, by: int) -> str:
    """A further picture's macroblocks: the bands with the disc so many pixels to the right, the rest as before."""
    columns, rows = _blocks(scene)
    first, last = scene.top // BLOCK, (scene.top + scene.side - 1) // BLOCK
    if by == 0:
        return _ue(columns * rows)
    # A vector is told as what differs from its neighbours' median (8.4.1.3): nothing, below the first of those bands,
    # or behind the first block where there is nothing above.
    vector, same = f"1{_se(-4 * by)}{_se(0)}1", f"1{_se(0)}{_se(0)}1"
    bits = _ue(first * columns) + vector + ("1" + (vector if first else same)) * (columns - 1)
    bits += ("1" + same) * (columns * (last - first))
    left_over = columns * (rows - 1 - last)
    return bits + (_ue(left_over) if left_over else "")


def _samples(block: Image.Image) -> str:
    luma, blue, red = block.split()
    small = [channel.resize((8, 8), Image.Resampling.BOX).tobytes() for channel in (blue, red)]
    return "".join(f"{sample:08b}" for sample in luma.tobytes() + small[0] + small[1])


def _slice_header(number: int) -> str:
    """7.3.3 of a frame: QP as it is, no deblocking."""
    if number == 0:
        return f"{_ue(0)}{_ue(7)}{_ue(0)}{0:08b}{_ue(0)}00{_se(0)}{_ue(1)}"
    return f"{_ue(0)}{_ue(5)}{_ue(0)}{number % 256:08b}000{_se(0)}{_ue(1)}"


def _slice_so_far(number: int) -> str:
    """What stands before a slice's macroblocks in its unit, whose raw samples begin on whole bytes."""
    return f"{_FURTHER:08b}" + _slice_header(number)


def _luma_level(level: int) -> str:
    """The only coefficient of 16 (9.2.1 with nothing around, 9.2.2, 9.2.3)."""
    if level == 0:
        return "1"
    return ("01" + _sign(level) if abs(level) == 1 else "000101" + _level(level)) + "1"


def _chroma_level(level: int) -> str:
    """The only coefficient of 4."""
    if level == 0:
        return "01"
    return ("1" + _sign(level) if abs(level) == 1 else "000111" + _level(level)) + "1"


def _sign(level: int) -> str:
    return "1" if level < 0 else "0"


def _level(level: int) -> str:
    """A coefficient of two or more either way (9.2.2.1)."""
    code = 2 * abs(level) - (3 if level < 0 else 4)
    if code < 14:
        return "0" * code + "1"
    return "0" * 14 + f"1{code - 14:04b}" if code < 30 else "0" * 15 + f"1{code - 30:012b}"


def _ue(number: int) -> str:
    """An unsigned number (9.1)."""
    digits = f"{number + 1:b}"
    return "0" * (len(digits) - 1) + digits


def _se(number: int) -> str:
    """A signed number (9.1.1)."""
    return _ue(2 * number - 1 if number > 0 else -2 * number)


def _unit(kind: int, bits: str) -> bytes:
    """7.3.1: bits ended by a 1, and no three bytes that could be taken for a start code."""
    bits += "1"
    bits += "0" * (-len(bits) % 8)
    body = bytes([kind]) + int(bits, 2).to_bytes(len(bits) // 8, "big")
    return re.sub(rb"\x00\x00(?=[\x00-\x03])", b"\x00\x00\x03", body)


def _blocks(scene: Scene) -> tuple[int, int]:
    """Columns and rows of macroblocks."""
    return -(-scene.spec.width // BLOCK), -(-scene.spec.height // BLOCK)
