"""The box walker against real files: whole ones are known as whole, cut ones never are."""

from __future__ import annotations

import io
import random
import struct
from fractions import Fraction
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import av
import numpy as np
import pytest

from workers.archiving import mp4
from workers.archiving.mp4 import BoxWalker, Mp4

FASTSTART = "faststart"
FRAGMENTED = "frag_keyframe+empty_moov+default_base_moof"


@cache
def film(*, audio: bool = True, flags: str = "", seconds: int = 1, width: int = 96, height: int = 64) -> bytes:
    """A real film of noise: H.264, perhaps with AAC."""
    # A real path: to put the index first, the writer opens the file a second time.
    with TemporaryDirectory() as folder:
        path = Path(folder, "film.mp4")
        _record(path, audio=audio, flags=flags, seconds=seconds, width=width, height=height)
        return path.read_bytes()


def _record(path: Path, *, audio: bool, flags: str, seconds: int, width: int, height: int) -> None:
    noise = np.random.default_rng(7)
    with av.open(str(path), "w", format="mp4", options={"movflags": flags} if flags else {}) as container:
        video = container.add_stream("libx264", rate=10, options={"g": "5", "preset": "ultrafast"})
        video.width, video.height, video.pix_fmt = width, height, "yuv420p"
        sound = container.add_stream("aac", rate=8000) if audio else None
        for _ in range(seconds * 10):
            picture = noise.integers(0, 255, (height, width, 3), dtype=np.uint8)
            container.mux(video.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(video.encode())
        if sound is not None:
            for index in range(seconds * 8):
                frame = av.AudioFrame.from_ndarray(np.zeros((1, 1000), dtype=np.float32), format="fltp", layout="mono")
                frame.sample_rate, frame.pts, frame.time_base = 8000, index * 1000, Fraction(1, 8000)
                container.mux(sound.encode(frame))
            container.mux(sound.encode())


def walk(data: bytes, step: int = 4096) -> Mp4:
    walker = BoxWalker()
    for at in range(0, len(data), step):
        walker.feed(data[at : at + step])
    return walker.finish()


def top_level(data: bytes) -> list[tuple[bytes, int, int]]:
    """(kind, start, end) of each top-level box."""
    found, at = [], 0
    while at < len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        found.append((data[at + 4 : at + 8], at, at + size))
        at += size
    return found


def box(kind: bytes, body: bytes = b"") -> bytes:
    return struct.pack(">I", 8 + len(body)) + kind + body


@pytest.mark.parametrize("flags", ["", FASTSTART, FRAGMENTED], ids=["index-last", "faststart", "fragmented"])
@pytest.mark.parametrize("audio", [True, False], ids=["sound", "silent"])
def test_a_whole_file_is_complete_and_tells_its_length_size_and_sound(flags: str, audio: bool) -> None:
    found = walk(film(audio=audio, flags=flags, seconds=2))
    assert (found.complete, found.problem, found.container) == (True, None, "mp4")
    assert (found.width, found.height, found.has_audio) == (96, 64, audio)
    assert found.duration_s == pytest.approx(2.0, abs=0.2)


@pytest.mark.parametrize("step", [1, 3, 7, 8, 9, 65536])
def test_the_verdict_does_not_depend_on_how_the_bytes_are_cut_into_chunks(step: int) -> None:
    data = film(flags=FASTSTART)
    assert walk(data, step) == walk(data, len(data))


@pytest.mark.parametrize("flags", ["", FASTSTART], ids=["index-last", "faststart"])
def test_a_file_cut_anywhere_is_never_complete(flags: str) -> None:
    data = film(flags=flags)
    edges = [end + shift for _, _, end in top_level(data) for shift in (-1, 0, 1)]
    cuts = {*range(64), *edges, *random.Random(1).sample(range(len(data)), 400)}
    for cut in sorted(each for each in cuts if each < len(data)):
        found = walk(data[:cut], len(data))
        assert not found.complete, cut
        assert found.problem, cut


def test_a_fragmented_file_cut_inside_a_fragment_or_before_its_media_is_never_complete() -> None:
    data = film(flags=FRAGMENTED, seconds=2)
    boxes = top_level(data)
    assert [kind for kind, _, _ in boxes].count(b"moof") > 1
    between_fragments = {end for kind, _, end in boxes if kind == b"mdat"}
    edges = {end + shift for _, _, end in boxes for shift in (-1, 0, 1)}
    cuts = {*range(64), *edges, *random.Random(1).sample(range(len(data)), 400)} - between_fragments
    for cut in sorted(each for each in cuts if each < len(data)):
        assert not walk(data[:cut], len(data)).complete, cut


def test_a_file_cut_off_still_tells_what_its_index_said() -> None:
    data = film(flags=FASTSTART)
    found = walk(data[:-10])
    assert not found.complete
    assert "10 bytes of the box 'mdat'" in (found.problem or "")
    assert (found.width, found.height, found.has_audio) == (96, 64, True)


@pytest.mark.parametrize(
    ("data", "container"),
    [
        (b'{"error": {"message": "expired"}}', "json"),
        (b"[1, 2, 3, 4, 5]", "json"),
        (b"<!doctype html><title>502</title>", "html"),
        (b"RIFF\x10\x00\x00\x00AVI LIST", "avi"),
        (b"\x1a\x45\xdf\xa3\x9fB\x86\x81\x01", "webm"),
        (b"\x00" * 64, "unknown"),
        (random.Random(3).randbytes(4096), "unknown"),
    ],
)
def test_what_is_no_mp4_is_named(data: bytes, container: str) -> None:
    found = walk(data)
    assert not found.complete
    assert "ftyp" in (found.problem or "")
    assert found.container == container


@pytest.mark.parametrize("length", [0, 1, 7])
def test_a_file_too_short_for_a_box_is_not_complete(length: int) -> None:
    assert not walk(b"\x00\x00\x00\x18fty"[:length]).complete


def test_a_real_avi_is_a_problem_and_no_crash() -> None:
    out = io.BytesIO()
    with av.open(out, "w", format="avi") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = 32, 32, "yuv420p"
        picture = np.zeros((32, 32, 3), dtype=np.uint8)
        container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    found = walk(out.getvalue())
    assert (found.complete, found.container) == (False, "avi")


def test_boxes_after_the_film_such_as_provenance_do_not_disturb() -> None:
    assert walk(film() + box(b"uuid", bytes(40))).complete


def test_a_box_with_a_64_bit_length_is_walked() -> None:
    data = film()
    start, end = next((start, end) for kind, start, end in top_level(data) if kind == b"mdat")
    payload = data[start + 8 : end]
    long_box = struct.pack(">I4sQ", 1, b"mdat", 16 + len(payload)) + payload
    for step in (1, 5, 4096):
        assert walk(data[:start] + long_box + data[end:], step).complete


def test_media_that_runs_to_the_end_of_the_file_is_counted_against_the_index() -> None:
    data = film(flags=FASTSTART)
    start = next(start for kind, start, _ in top_level(data) if kind == b"mdat")
    endless = data[:start] + b"\0\0\0\0" + data[start + 4 :]
    assert walk(endless).complete
    for cut in (1, 100, len(data) - start - 20):
        assert not walk(endless[:-cut]).complete


def test_an_index_that_points_behind_the_end_is_a_cut() -> None:
    """Two media boxes, and the file ends exactly between them."""
    data = film(flags=FASTSTART)
    start = next(start for kind, start, _ in top_level(data) if kind == b"mdat")
    assert not walk(data[:start] + box(b"mdat")).complete


def test_a_box_shorter_than_its_header_or_without_a_name_is_a_problem() -> None:
    head = film(flags=FASTSTART)[:32]
    assert "line up" in (walk(box(b"ftyp", head[8:32]) + struct.pack(">I", 4) + b"free").problem or "")
    assert "line up" in (walk(box(b"ftyp") + struct.pack(">I", 16) + b"\x01\x02\x03\x04").problem or "")


def inside(data: bytes, kind: bytes, at: int, number: int) -> bytes:
    """The file with a 32-bit number written over what stands `at` bytes after the name of its first such box."""
    start = data.index(kind) + 4 + at
    return data[:start] + struct.pack(">I", number) + data[start + 4 :]


@pytest.mark.parametrize(
    ("kind", "at", "number", "words"),
    [
        (b"mvhd", -8, 0x7FFFFFFF, "the box 'mvhd' does not fit"),
        (b"tkhd", -8, 7, "the box 'tkhd' does not fit"),
        (b"trak", -8, 0x7FFFFFFF, "the box 'trak' does not fit"),
        (b"mvhd", -8, 12, "a box in it is too short"),
        (b"stsz", 8, 0x00FFFFFF, "a table is shorter than it says"),
        (b"stco", 4, 0x00FFFFFF, "a table is shorter than it says"),
        (b"stco", 8, 0x7FFFFFFF, "points behind the end of the file"),
    ],
)
def test_an_index_that_contradicts_itself_or_the_file_is_a_problem(
    kind: bytes, at: int, number: int, words: str
) -> None:
    found = walk(inside(film(flags=FASTSTART), kind, at, number))
    assert not found.complete
    assert words in (found.problem or "")


def test_an_index_of_broken_bytes_gets_one_verdict_and_is_no_crash() -> None:
    """Some bytes mean nothing (a name, a time of creation), so not each broken index is a problem."""
    data = film(flags=FASTSTART)
    start, end = next((start, end) for kind, start, end in top_level(data) if kind == b"moov")
    dice = random.Random(5)
    problems = 0
    for _ in range(100):
        broken = bytearray(data)
        for _ in range(4):
            broken[dice.randrange(start + 8, end)] = dice.randrange(256)
        found = walk(bytes(broken))
        assert found.complete == (found.problem is None)
        assert found == walk(bytes(broken), len(broken))
        problems += not found.complete
    assert problems > 10


def test_an_index_of_absurd_size_is_refused_before_it_is_read() -> None:
    claim = box(b"ftyp") + struct.pack(">I4s", mp4.MOOV_LIMIT + 9, b"moov")
    assert "no video's index" in (walk(claim).problem or "")


def test_an_index_without_an_announced_end_is_held_to_the_same_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mp4, "MOOV_LIMIT", 1000)
    walker = BoxWalker()
    walker.feed(box(b"ftyp") + struct.pack(">I4s", 0, b"moov"))
    for _ in range(20):
        walker.feed(bytes(100))
    assert "larger" in (walker.finish().problem or "")


def test_a_picture_turned_by_a_quarter_has_its_sides_swapped() -> None:
    data = bytearray(film(flags=FASTSTART, audio=False))
    at = data.index(b"tkhd") + 4 + 40
    data[at : at + 36] = struct.pack(">9i", 0, 65536, 0, -65536, 0, 0, 0, 0, 1 << 30)
    found = walk(bytes(data))
    assert (found.width, found.height) == (64, 96)


def test_asking_twice_gives_the_same_verdict() -> None:
    walker = BoxWalker()
    walker.feed(film())
    assert walker.finish() == walker.finish()


C2PA = bytes.fromhex("d8fec3d61b0e483c92975828877ec481")


def credentials(
    purpose: bytes = b"manifest", *, kind: bytes = C2PA, data: bytes = bytes(8) + box(b"jumb", b"x")
) -> bytes:
    """A `uuid` box as C2PA lays it out."""
    return box(b"uuid", kind + bytes(4) + purpose + b"\0" + data)


@pytest.mark.parametrize("step", [1, 7, 4096])
@pytest.mark.parametrize("flags", ["", FASTSTART, FRAGMENTED], ids=["index-last", "faststart", "fragmented"])
def test_content_credentials_are_seen_wherever_they_stand(flags: str, step: int) -> None:
    whole = film(flags=flags)
    head = int.from_bytes(whole[:4], "big")
    for data in (whole[:head] + credentials() + whole[head:], whole + credentials(b"update")):
        found = walk(data, step)
        assert (found.complete, found.c2pa) == (True, True)
    assert walk(whole, step).c2pa is False


@pytest.mark.parametrize(
    "other",
    [
        credentials(b"merkle", data=b"\xa1"),
        credentials(kind=bytes(16)),
        credentials(data=bytes(8) + box(b"free")),
        box(b"uuid", C2PA),
        box(b"uuid"),
        box(b"free", C2PA + bytes(4) + b"manifest\0" + bytes(8) + box(b"jumb")),
    ],
    ids=["hashes", "another program's", "no store", "cut", "empty", "not a uuid"],
)
def test_what_only_looks_like_content_credentials_is_not_taken_for_them(other: bytes) -> None:
    assert walk(film() + other).c2pa is False


def test_nobody_looks_for_content_credentials_in_what_is_no_mp4() -> None:
    assert walk(b"RIFF" + bytes(100)).c2pa is None
