"""Is this MP4 whole? Told from its boxes while the bytes stream by, without keeping them.

A faststart file cut in half still opens in most players, so a player's opinion proves nothing. The boxes do: each
says how long it is, and only a file that ends exactly where its last box ends, and that has both the index (`moov`)
and the media (`mdat`), is whole. Box layouts: ISO/IEC 14496-12.
"""

from __future__ import annotations

from dataclasses import dataclass

from workers.archiving import c2pa
from workers.archiving.mp4_index import Index, Track, fragment_durations, read_index

MOOV_LIMIT = 16 * 1024 * 1024  # an index for hours of video is a few MiB; more is not an index
MOOF_LIMIT = 8 * 1024 * 1024
_HEADER = 8
_LONG_HEADER = 16


@dataclass(frozen=True, slots=True)
class Mp4:
    """What the boxes say. Seconds and pixels are None where they could not be read.

    `complete` is the proof that nothing was cut off; `problem` says in a sentence why it is missing. `container` is
    "mp4", or what the bytes look like instead: "avi", "webm", "json", "html"; "" for anything else. `c2pa`: whether it
    carries content credentials; None where nobody looked, in what is no MP4.
    """

    duration_s: float | None
    width: int | None
    height: int | None
    has_audio: bool
    complete: bool
    problem: str | None
    container: str = "mp4"
    c2pa: bool | None = None


class BoxWalker:
    """Walks the top-level boxes of one file as its chunks arrive; only `moov` and `moof` are ever held in memory."""

    def __init__(self) -> None:
        self._position = 0  # bytes fed so far
        self._header = bytearray()  # of the box that begins at the position
        self._left: int | None = 0  # bytes of the current box still to come; None: it runs to the end of the file
        self._kind = b""
        self._kept: bytearray | None = None
        self._kept_limit = 0
        self._seen: list[bytes] = []  # kinds of boxes, runs of one kind collapsed
        self._media = 0  # payload bytes of mdat boxes
        self._open_media = False  # an mdat said "to the end of the file"
        self._index: Index | None = None
        self._fragment_ticks: dict[int, int] = {}
        self._uuid = bytearray()  # the head of the current box's body, where that is a uuid
        self._has_manifest = False
        self.container = ""  # as in Mp4, once it is known
        self.problem: str | None = None  # what no further bytes can mend

    def feed(self, chunk: bytes) -> None:
        """Takes the next bytes, any number of them."""
        view = memoryview(chunk)
        self._position += len(view)
        while len(view) and self.problem is None:
            view = self._take_header(view) if self._left == 0 else self._take_body(view)

    def finish(self) -> Mp4:
        """The verdict, once everything was fed."""
        if self.problem is None:
            if self._left is None:
                self._close_box()
            self.problem = self.problem or self._what_is_missing()
        index = self._index or Index()
        video = next((track for track in index.tracks if track.handler == b"vide"), Track())
        return Mp4(
            duration_s=self._duration(index),
            width=video.width,
            height=video.height,
            has_audio=any(track.handler == b"soun" for track in index.tracks),
            complete=self.problem is None,
            problem=self.problem,
            container=self.container,
            c2pa=self._has_manifest if self.container == "mp4" else None,
        )

    def _take_header(self, view: memoryview) -> memoryview:
        want = _HEADER
        if len(self._header) >= _HEADER and self._header[:4] == b"\0\0\0\1":
            want = _LONG_HEADER
        take = min(want - len(self._header), len(view))
        self._header += view[:take]
        if len(self._header) == _HEADER and want == _HEADER and not self.container:
            self.container = _container_of(bytes(self._header))
            if self.container != "mp4":
                self.problem = _not_an_mp4(self.container)
                return view[take:]
        if len(self._header) == want and not (want == _HEADER and self._header[:4] == b"\0\0\0\1"):
            self._open_box()
        return view[take:]

    def _open_box(self) -> None:
        header, length = bytes(self._header), len(self._header)
        size = int.from_bytes(header[:4], "big")
        self._kind = header[4:8]
        start = f"the box '{self._kind.decode('latin-1')}'"
        if not all(0x20 <= byte < 0x7F or byte == 0xA9 for byte in self._kind):
            self.problem = "The boxes do not line up: what should be a box has no readable name."
            return
        if size == 1:
            size = int.from_bytes(header[8:16], "big")
        if size == 0:
            self._left = None
        elif size < length:
            self.problem = f"The boxes do not line up: {start} says that it is {size} bytes long."
            return
        else:
            self._left = size - length
        if self._kind in (b"moov", b"moof"):
            self._kept, self._kept_limit = bytearray(), MOOV_LIMIT if self._kind == b"moov" else MOOF_LIMIT
            if self._left is not None and self._left > self._kept_limit:
                self.problem = f"{start} claims {self._left} bytes; no video's index is that large."
                return
        if self._kind == b"mdat":
            self._media += self._left or 0
            self._open_media = self._open_media or self._left is None
        if not self._seen or self._seen[-1] != self._kind:
            # moof and mdat alternate for ever in a fragmented file: which came last is all that counts.
            self._seen = [kind for kind in self._seen if kind != self._kind] + [self._kind]
        self._header.clear()
        if self._left == 0:
            self._close_box()

    def _take_body(self, view: memoryview) -> memoryview:
        take = len(view) if self._left is None else min(self._left, len(view))
        if self._kept is not None:
            if len(self._kept) + take > self._kept_limit:
                self.problem = "The index of the video is larger than any video's index."
                return view[take:]
            self._kept += view[:take]
        if self._kind == b"uuid":
            self._uuid += view[: min(take, c2pa.HEAD - len(self._uuid))]
        if self._left is None:
            self._media += take if self._kind == b"mdat" else 0
            return view[take:]
        self._left -= take
        if self._left == 0:
            self._close_box()
        return view[take:]

    def _close_box(self) -> None:
        kept, self._kept, self._left = self._kept, None, 0
        self._has_manifest |= c2pa.holds_manifest(bytes(self._uuid))
        self._uuid.clear()
        if kept is None:
            return
        try:
            if self._kind == b"moov":
                self._index = read_index(bytes(kept))
            else:
                for track, ticks in fragment_durations(bytes(kept), self._index or Index()).items():
                    self._fragment_ticks[track] = self._fragment_ticks.get(track, 0) + ticks
        except ValueError as error:
            self.problem = f"The index of the video cannot be read: {error}."

    def _what_is_missing(self) -> str | None:
        if self._position == 0:
            return "The file is empty."
        if not self.container:
            return f"The file has only {self._position} bytes."
        if self._left or self._header:
            short = (
                f"{self._left} bytes of the box '{self._kind.decode('latin-1')}'" if self._left else "a box's header"
            )
            return f"The file is cut off after {self._position} bytes: {short} are missing."
        if self._index is None:
            return "The file has no index (moov): it is cut off, or was never finished."
        if b"mdat" not in self._seen:
            return "The file has an index but no media (mdat): it is cut off."
        if b"moof" in self._seen and self._seen.index(b"moof") > self._seen.index(b"mdat"):
            return "The file ends with a fragment's index, without the fragment's media: it is cut off."
        if self._index.last_chunk_at >= self._position:
            return "The index points behind the end of the file: it is cut off."
        if self._open_media and self._index.media_bytes > self._media:
            return f"The index promises {self._index.media_bytes} bytes of media, the file holds {self._media}."
        return None

    def _duration(self, index: Index) -> float | None:
        scales = {track.number: track.timescale for track in index.tracks}
        fragments = [ticks / scales[number] for number, ticks in self._fragment_ticks.items() if scales.get(number)]
        return max([*fragments, index.duration_s or 0.0]) or None


def _container_of(head: bytes) -> str:
    if head[4:8] == b"ftyp":
        return "mp4"
    if head.startswith(b"RIFF"):
        return "avi"
    if head.startswith(b"\x1a\x45\xdf\xa3"):
        return "webm"
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if text[:1] in (b"{", b"["):
        return "json"
    return "html" if text[:1] == b"<" else "unknown"


def _not_an_mp4(container: str) -> str:
    looks = {
        "avi": "It looks like an AVI (or another RIFF file)",
        "webm": "It looks like WebM or Matroska",
        "json": "It looks like JSON, perhaps an error message",
        "html": "It looks like HTML or XML, perhaps an error page",
    }
    return f"The file does not begin with an MP4's 'ftyp' box. {looks.get(container, 'It is of no kind known here')}."
