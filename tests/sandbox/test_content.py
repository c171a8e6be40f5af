"""Films are real, unlike each other, and can be had whole, in ranges, or by their length alone."""

from __future__ import annotations

import hashlib
import io
from typing import Any

import av
import numpy as np
import pytest

from sandbox.content import parse_range
from sandbox.films.encoder import encode
from sandbox.films.film import Film
from sandbox.films.scene import FilmSpec, Scene

VIDEOS = "/openai/v1/videos"
GENERATIONS = "/openai/v1/video/generations"


def boxes(data: bytes) -> list[str]:
    """The kinds of the top-level boxes; fails where they do not end exactly at the end."""
    found, at = [], 0
    while at < len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        assert size >= 8
        found.append(data[at + 4 : at + 8].decode())
        at += size
    assert at == len(data)
    return found


async def test_a_video_plays_with_sound_in_the_ordered_size_and_length(caller: Any, clock: Any) -> None:
    video_id = await caller.video(model="my-sora-2", size="1280x720", seconds="4")
    clock.advance(11)
    answer = await caller.get(f"{VIDEOS}/{video_id}/content")
    assert answer.headers["content-type"] == "video/mp4"
    with av.open(io.BytesIO(answer.content)) as film:
        [video], [audio] = film.streams.video, film.streams.audio
        assert (video.codec.canonical_name, video.width, video.height) == ("h264", 1280, 720)
        assert audio.codec.canonical_name == "aac"
        assert film.duration == 4_000_000
        assert film.metadata["comment"].strip() == video_id
        assert sum(1 for _ in film.decode(video=0)) == 48
    with av.open(io.BytesIO(answer.content)) as film:
        assert sum(frame.samples for frame in film.decode(audio=0)) >= 4 * 24_000
    kinds = boxes(answer.content)
    assert kinds.index("ftyp") < kinds.index("moov") < kinds.index("mdat")


@pytest.mark.parametrize(
    ("width", "height", "seconds"),
    [(1280, 720, 1), (480, 854, 2), (16, 16, 1), (64, 16, 1), (16, 128, 1), (18, 22, 1), (1080, 1920, 1)],
)
def test_another_decoder_shows_the_scene_to_the_pixel(width: int, height: int, seconds: int) -> None:
    """Brightness as drawn, from the second frame on: the first has no disc yet. Colours to within a rounding."""
    spec = FilmSpec(width, height, seconds, audio=False, tint=width)
    with av.open(io.BytesIO(encode(spec))) as film:
        shown = [frame.to_ndarray(format="yuv420p") for frame in film.decode(video=0)]
    assert len(shown) == spec.frames
    for number, frame in enumerate(shown[1:], start=1):
        drawn = np.asarray(Scene(spec).picture(number)).astype(int)
        brightness, colours = frame[:height].astype(int), frame[height:].reshape(2, height // 2, width // 2)
        assert (brightness == drawn[:, :, 0]).all(), number
        if min(width, height) > 20:
            corner = drawn[-2, -2, 1:] - colours[:, -1, -1].astype(int)
            assert abs(corner).max() <= 1, number


async def test_a_generation_is_silent(caller: Any, clock: Any) -> None:
    job_id = await caller.job(width=96, height=64, n_seconds=3)
    clock.advance(11)
    job = (await caller.get(f"{GENERATIONS}/jobs/{job_id}")).json()
    answer = await caller.get(f"{GENERATIONS}/{job['generations'][0]['id']}/content/video", quality="high")
    with av.open(io.BytesIO(answer.content)) as film:
        assert (film.streams.video[0].width, film.streams.video[0].height) == (96, 64)
        assert (film.duration, len(film.streams.audio)) == (3_000_000, 0)


async def test_two_jobs_of_one_kind_differ_and_are_known_by_their_hashes(caller: Any, clock: Any) -> None:
    ids = [await caller.video() for _ in range(2)]
    clock.advance(11)
    films = [(await caller.get(f"{VIDEOS}/{video_id}/content")).content for video_id in ids]
    assert films[0] != films[1]
    seen = await caller.seen()
    assert [job["sha256"] for job in seen] == [hashlib.sha256(film).hexdigest() for film in films]
    assert [job["downloads"] for job in seen] == [1, 1]
    assert (await caller.get(f"{VIDEOS}/{ids[0]}/content")).content == films[0], "the same again"


async def test_other_variants_are_pictures(caller: Any, clock: Any) -> None:
    video_id = await caller.video()
    clock.advance(11)
    path = f"{VIDEOS}/{video_id}/content"
    thumbnail = await caller.get(path, variant="thumbnail")
    assert (thumbnail.headers["content-type"], thumbnail.content[8:12]) == ("image/webp", b"WEBP")
    sheet = await caller.get(path, variant="spritesheet")
    assert (sheet.headers["content-type"], sheet.content[:2]) == ("image/jpeg", b"\xff\xd8")
    assert (await caller.get(path, variant="gif")).status_code == 400
    assert [job["downloads"] for job in await caller.seen()] == [0]


async def test_ranges_head_and_conditions_let_a_download_resume(caller: Any, clock: Any) -> None:
    job_id = await caller.job()
    clock.advance(11)
    job = (await caller.get(f"{GENERATIONS}/jobs/{job_id}")).json()
    path = f"{GENERATIONS}/{job['generations'][0]['id']}/content/video"
    head = await caller.http.head(path)
    whole = await caller.get(path)
    assert (head.status_code, head.content) == (200, b"")
    for name in ("content-length", "last-modified", "accept-ranges", "content-type"):
        assert head.headers[name] == whole.headers[name]
    assert int(head.headers["content-length"]) == len(whole.content)

    async def ranged(value: str) -> Any:
        return await caller.http.get(path, headers={"range": value})

    size = len(whole.content)
    first, rest, last = await ranged("bytes=0-99"), await ranged("bytes=100-"), await ranged("bytes=-10")
    assert [part.status_code for part in (first, rest, last)] == [206, 206, 206]
    assert first.content + rest.content == whole.content
    assert last.content == whole.content[-10:]
    assert rest.headers["content-range"] == f"bytes 100-{size - 1}/{size}"
    beyond = await ranged(f"bytes={size}-")
    assert (beyond.status_code, beyond.headers["content-range"]) == (416, f"bytes */{size}")
    known = await caller.http.get(path, headers={"if-modified-since": whole.headers["last-modified"]})
    assert (known.status_code, known.content) == (304, b"")


@pytest.mark.parametrize(
    ("header", "part"),
    [
        (None, None),
        ("bytes=-", None),
        ("bytes=0-1,4-5", None),
        ("lines=0-1", None),
        ("bytes=2-3", (2, 4)),
        ("bytes=2-99", (2, 10)),
        ("bytes=-99", (0, 10)),
    ],
)
def test_a_range_is_read_as_http_says(header: str | None, part: tuple[int, int] | None) -> None:
    assert parse_range(header, 10) == part


@pytest.mark.parametrize("header", ["bytes=10-", "bytes=4-3", "bytes=-0"])
def test_a_range_with_nothing_in_it_is_an_error(header: str) -> None:
    with pytest.raises(ValueError, match="bytes"):
        parse_range(header, 10)


async def test_padding_makes_films_big_and_keeps_them_whole(open_sandbox: Any, clock: Any) -> None:
    caller = await open_sandbox(pad_bytes=300_000)
    video_id = await caller.video()
    clock.advance(11)
    film = (await caller.get(f"{VIDEOS}/{video_id}/content")).content
    assert boxes(film)[-1] == "free"
    assert film.endswith(bytes(299_992))
    with av.open(io.BytesIO(film)) as opened:
        assert opened.duration == 1_000_000


def test_any_range_of_a_film_is_a_slice_of_the_whole() -> None:
    film = Film(encode(FilmSpec(64, 64, 1, audio=False)), "video_1", pad_bytes=200_000)
    whole = b"".join(film.chunks())
    assert len(whole) == film.length
    assert film.sha256() == hashlib.sha256(whole).hexdigest()
    for start in (0, 1, 500, film.length - 150_000, film.length - 1):
        for stop in (start + 1, start + 70_000, film.length):
            assert b"".join(film.chunks(start, stop)) == whole[start:stop]
