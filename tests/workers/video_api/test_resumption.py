"""A download that breaks off goes on where it stopped, if the server proves it to be the same video; or fails."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from tests.workers.wire_server import Script, WireServer, answer, drop, hang, then_hang
from workers.video_api import ApiError, Denied, Missing, Throttled, Unreachable, download

BYTES = bytes(range(256)) * 999
HALF = len(BYTES) // 2
MP4 = {"Content-Type": "video/mp4", "ETag": '"v1"'}
DATE = {"Last-Modified": "Thu, 16 Oct 2025 15:16:36 GMT", "Date": "Thu, 16 Oct 2025 16:16:36 GMT"}


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "PAUSES_S", (0.0, 0.0, 0.0))


def cut(script: Script) -> Script:
    async def write(writer: Any) -> None:
        await script(writer)
        writer.close()

    return write


def begin(headers: dict[str, str] | None = None, *, to: int = HALF) -> Script:
    """A whole video is announced, and breaks off."""
    return cut(answer(200, BYTES[:to], headers or MP4, length=len(BYTES)))


def rest(
    at: int = HALF, to: int = len(BYTES), *, said: str = "", headers: dict[str, str] | None = None, length: int = 0
) -> Script:
    """The rest of it; `said` is what Content-Range says instead."""
    head = {"Content-Range": said or f"bytes {at}-{len(BYTES) - 1}/{len(BYTES)}", **(headers or MP4)}
    return answer(206, BYTES[at:to], head, length=length or to - at)


async def fetch(api: Any) -> bytes:
    async with api.content("video_1") as content:
        return b"".join([chunk async for chunk in content.chunks])


async def test_it_goes_on_from_the_first_byte_that_is_missing(bench: Any) -> None:
    server, api = await bench(begin(), rest())
    assert await fetch(api) == BYTES
    assert [request.headers.get("range") for request in server.requests] == [None, f"bytes={HALF}-"]
    assert server.requests[1].headers["if-range"] == '"v1"'
    assert server.requests[1].headers["api-key"]


async def test_a_stalled_one_goes_on_too(bench: Any) -> None:
    stalled = then_hang(answer(200, BYTES[:HALF], MP4, length=len(BYTES)))
    _, api = await bench(stalled, rest(), read_timeout_s=0.3)
    assert await fetch(api) == BYTES


async def test_it_may_break_again_and_again_as_long_as_bytes_come(bench: Any) -> None:
    steps = [len(BYTES) * part // 10 for part in range(1, 11)]
    parts = [cut(rest(at, to, length=len(BYTES) - at)) for at, to in pairwise(steps)]
    server, api = await bench(begin(to=steps[0]), *parts[:-1], rest(steps[-2]))
    assert await fetch(api) == BYTES
    assert len(server.requests) == 10


async def test_a_server_that_is_away_for_a_moment_is_asked_again(bench: Any) -> None:
    _, api = await bench(begin(), drop, answer(503, {"error": {"message": "busy"}}), rest())
    assert await fetch(api) == BYTES


@pytest.mark.parametrize("silence", [drop, answer(503, {}), cut(rest(HALF, HALF, length=len(BYTES) - HALF))])
async def test_it_is_given_up_after_three_tries_without_a_byte(bench: Any, silence: Script) -> None:
    server, api = await bench(begin(), silence)
    with pytest.raises(Unreachable):
        await fetch(api)
    assert len(server.requests) == 4


async def test_a_date_names_the_video_where_there_is_no_tag(bench: Any) -> None:
    head = {"Content-Type": "video/mp4", **DATE}
    server, api = await bench(begin(head), rest(headers=head))
    assert await fetch(api) == BYTES
    assert server.requests[1].headers["if-range"] == DATE["Last-Modified"]


@pytest.mark.parametrize(
    "head",
    [
        {"ETag": ""},
        {"ETag": 'W/"v1"'},
        {"ETag": '"v\u00e9"'},
        {"Accept-Ranges": "none"},
        {"ETag": "", "Last-Modified": DATE["Date"], "Date": DATE["Date"]},
        {"ETag": "", "Last-Modified": DATE["Last-Modified"]},
        {"ETag": "", "Last-Modified": "yesterday", "Date": DATE["Date"]},
    ],
    ids=["none", "weak tag", "odd tag", "no ranges", "changed just now", "no clock", "no date"],
)
async def test_without_proof_that_it_is_the_same_video_nothing_is_joined(bench: Any, head: dict[str, str]) -> None:
    server, api = await bench(begin({**MP4, **head}), rest())
    with pytest.raises(Unreachable):
        await fetch(api)
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "other",
    [
        answer(200, BYTES, MP4),
        rest(said=f"bytes {HALF - 1}-{len(BYTES) - 1}/{len(BYTES)}"),
        rest(said=f"bytes {HALF}-{len(BYTES)}/{len(BYTES) + 1}"),
        rest(said=f"bytes {HALF}-{HALF + 9}/{len(BYTES)}"),
        rest(said="bytes everything"),
        rest(headers={"Content-Type": "video/mp4", "ETag": '"v2"'}),
        rest(headers={"Content-Type": "video/mp4"}),
        rest(headers={**MP4, "Content-Encoding": "gzip"}),
        answer(416, b"", {"Content-Range": f"bytes */{HALF}"}),
    ],
    ids=["whole", "other place", "other length", "a part", "no range", "other tag", "no tag", "compressed", "past end"],
)
async def test_an_answer_that_is_not_the_rest_of_it_is_never_joined(bench: Any, other: Script) -> None:
    server, api = await bench(begin(), other)
    with pytest.raises(Unreachable):
        await fetch(api)
    assert len(server.requests) == 2


@pytest.mark.parametrize(
    ("status", "kind"), [(401, Denied), (403, Denied), (404, Missing), (410, Missing), (429, Throttled)]
)
async def test_a_refusal_in_the_middle_is_told_as_one(bench: Any, status: int, kind: type[ApiError]) -> None:
    _, api = await bench(begin(), answer(status, {"error": {"message": "no more"}}))
    with pytest.raises(kind, match="no more"):
        await fetch(api)


async def test_it_goes_on_by_way_of_the_redirect_and_still_takes_no_key_along(bench: Any) -> None:
    """The first address may have been signed for a short time."""
    async with WireServer([begin(), rest()]) as other:
        _, api = await bench(*[answer(302, b"", {"Location": f"{other.url}/blob?sig={n}"}) for n in (1, 2)])
        assert await fetch(api) == BYTES
    assert [request.target for request in other.requests] == ["/blob?sig=1", "/blob?sig=2"]
    assert other.requests[1].headers["range"] == f"bytes={HALF}-"
    assert "api-key" not in other.requests[1].headers


async def test_one_that_never_begins_to_go_on_holds_nobody_up(bench: Any) -> None:
    _, api = await bench(begin(), hang, read_timeout_s=0.1)
    with pytest.raises(Unreachable):
        await fetch(api)
