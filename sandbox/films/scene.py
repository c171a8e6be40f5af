"""What a film shows: a sky that grows lighter downwards, and a disc that crosses it from left to right.

Colours are YCbCr of video range, 8 bits a channel. The sky is made of bands a macroblock high, each of one colour, so
that an encoder can say a whole band in a few bits.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from PIL import Image, ImageDraw

BLOCK = 16
"""Pixels of a macroblock's side, and of a band's height."""
FPS = 12

YCbCr = tuple[int, int, int]
DISC: YCbCr = (215, 104, 158)
#: Of the topmost band and of the lowest one: one pair is picked by a job's tint.
SKIES: tuple[tuple[YCbCr, YCbCr], ...] = (
    ((38, 150, 118), (118, 138, 134)),
    ((34, 140, 126), (126, 112, 160)),
    ((44, 136, 112), (132, 120, 116)),
    ((30, 146, 134), (106, 134, 150)),
    ((48, 122, 130), (140, 104, 146)),
    ((36, 134, 120), (112, 146, 112)),
)


@dataclass(frozen=True, slots=True)
class FilmSpec:
    """What decides the pictures and the sound: pixels, seconds, whether there is sound, and which sky (any number)."""

    width: int
    height: int
    seconds: int
    audio: bool
    tint: int = 0

    @property
    def frames(self) -> int:
        return FPS * self.seconds


@dataclass(frozen=True)
class Scene:
    """The pictures of a film."""

    spec: FilmSpec

    @cached_property
    def bands(self) -> list[YCbCr]:
        """The sky, from the top; the lowest may reach beyond the picture."""
        top, bottom = SKIES[self.spec.tint % len(SKIES)]
        count = -(-self.spec.height // BLOCK)

        def part(number: int, channel: int) -> int:
            return top[channel] + (bottom[channel] - top[channel]) * number // max(1, count - 1)

        return [(part(number, 0), part(number, 1), part(number, 2)) for number in range(count)]

    @property
    def side(self) -> int:
        """Of the square that the disc fills, in pixels: even."""
        return max(2, min(self.spec.width, self.spec.height) // 10 * 2)

    @property
    def top(self) -> int:
        """Of that square, in pixels: even."""
        return (self.spec.height - self.side) // 4 * 2

    def left(self, frame: int) -> int:
        """Of that square in a frame counted from 0, in pixels: even, and never the picture's edge, since a vector that
        points beyond the edge repeats what is there."""
        way = self.spec.width - self.side - 2
        return 2 + way * frame // max(1, self.spec.frames - 1) // 2 * 2

    def picture(self, frame: int, bands: list[YCbCr] | None = None) -> Image.Image:
        """One frame, as Pillow's YCbCr; `bands` of other colours make it as wide and high as whole macroblocks."""
        width, height = self.spec.width, self.spec.height
        if bands is not None:
            width, height = -(-width // BLOCK) * BLOCK, len(bands) * BLOCK
        image = Image.new("YCbCr", (width, height))
        draw = ImageDraw.Draw(image)
        for number, colour in enumerate(bands or self.bands):
            draw.rectangle((0, number * BLOCK, width, (number + 1) * BLOCK), fill=colour)
        left = self.left(frame)
        draw.ellipse((left, self.top, left + self.side - 1, self.top + self.side - 1), fill=DISC)
        return image
