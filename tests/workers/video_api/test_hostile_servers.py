"""No server can fill memory or disk, hold a step for ever, crash it, or be led the key: each over a real socket."""

from __future__ import annotations

import asyncio
import gzip
import itertools
import math
import tracemalloc
import zlib
from collections.abc import Iterator
from typing import Any

import pytest

from tests.workers.resolver import Resolver
from tests.workers.video_api.conftest import KEY
from tests.workers.wire_server import Script, WireServer, answer
from workers.video_api import (
    ApiError,
    BadAnswer,
    Missing,
    Order,
    Refused,
    ServerFault,
    Unknown,
    Unreachable,
    listing,
)

ORDER = Order(prompt="A paper boat", model="my-sora2", size="1280x720", seconds=8)
MP4 = {"Content-Type": "video/mp4"}
STREAMED = {"Content-Length": "", "Transfer-Encoding": "chunked"}
MIB = 1 << 20


def bomb(size: int) -> bytes:
    """Zeros, a thousand times smaller."""
    folded = zlib.compressobj(9, zlib.DEFLATED, 31)
    return b"".join(folded.compress(bytes(MIB)) for _ in range(size // MIB)) + folded.flush()


def raw(*pieces: bytes, every_s: float = 0.0) -> Script:
    """Exactly these bytes, the last one again and again until the client has enough."""

    async def write(writer: asyncio.StreamWriter) -> None:
        for piece in pieces:
            writer.write(piece)
        while not writer.is_closing():
            writer.write(pieces[-1])
            await writer.drain()
            await asyncio.sleep(every_s)

    return write


def head(status: int, **headers: str) -> bytes:
    lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 {status} Said\r\n{lines}\r\n".encode()


def chunk(data: bytes) -> bytes:
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"


async def fetch(api: Any) -> int:
    async with api.content("video_1") as content:
        return sum([len(each) async for each in content.chunks])


@pytest.fixture
def little_memory() -> Iterator[None]:
    """What is held at any moment stays far below what was sent."""
    tracemalloc.start()
    yield
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 16 * MIB


@pytest.mark.usefixtures("little_memory")
async def test_a_bomb_of_gzip_is_unfolded_no_further_than_an_answer_may_be_long(bench: Any) -> None:
    packed = bomb(64 * MIB)
    _, api = await bench(answer(200, packed, {"Content-Encoding": "gzip"}))
    with pytest.raises(BadAnswer, match="larger than"):
        await api.get("video_1")
    with pytest.raises(BadAnswer, match="larger than"):
        await anext(api.list(since=0))
    assert isinstance(await api.create(ORDER, send_by=math.inf), Unknown)


@pytest.mark.usefixtures("little_memory")
async def test_a_bomb_in_place_of_a_video_ends_at_the_size_that_no_video_has(bench: Any) -> None:
    _, api = await bench(answer(200, bomb(64 * MIB), {**MP4, "Content-Encoding": "gzip"}), video_limit=8 * MIB)
    with pytest.raises(BadAnswer, match="larger than"):
        await fetch(api)


@pytest.mark.parametrize("encoding", ["br", "zstd", "gzip, gzip", "x" * 500])
async def test_a_compression_that_nobody_asked_for_is_refused_unread(bench: Any, encoding: str) -> None:
    body = gzip.compress(gzip.compress(b'{"id": "video_1", "status": "queued"}'))
    _, api = await bench(answer(200, body, {"Content-Encoding": encoding}))
    with pytest.raises(BadAnswer, match="not asked for"):
        await api.get("video_1")
    with pytest.raises(BadAnswer, match="not asked for"):
        await fetch(api)
    assert isinstance(await api.create(ORDER, send_by=math.inf), Unknown)


@pytest.mark.parametrize("spoil", [lambda b: b[:-9], lambda b: b + b"more", lambda b: b"\x1f\x8b" + b[9:]])
async def test_compression_that_is_cut_off_or_broken_or_goes_on_is_never_taken_for_whole(
    bench: Any, spoil: Any
) -> None:
    packed = gzip.compress(bytes(range(256)) * 99)
    _, api = await bench(answer(200, spoil(packed), {**MP4, "Content-Encoding": "gzip"}))
    with pytest.raises(BadAnswer):
        await fetch(api)


@pytest.mark.usefixtures("little_memory")
@pytest.mark.parametrize("status", [200, 404, 500])
async def test_a_body_without_end_is_left_as_soon_as_it_is_too_long(bench: Any, status: int) -> None:
    """Of an answer that refuses, the status says enough: what it goes on to say is not waited for."""
    endless = raw(head(status, Transfer_Encoding="chunked"), chunk(b'{"id": "' + b"x" * 65_536))
    _, api = await bench(endless)
    with pytest.raises({200: BadAnswer, 404: Missing, 500: ServerFault}[status]) as raised:
        await api.get("video_1")
    assert len(str(raised.value)) < 1000


async def test_a_refusal_with_a_body_without_end_is_still_a_refusal(bench: Any) -> None:
    _, api = await bench(raw(head(400, Transfer_Encoding="chunked"), chunk(b" " * 65_536)))
    assert isinstance(await api.create(ORDER, send_by=math.inf), Refused)


@pytest.mark.usefixtures("little_memory")
async def test_a_video_without_end_is_left_at_the_size_that_no_video_has(bench: Any) -> None:
    _, api = await bench(raw(head(200, Content_Type="video/mp4"), bytes(MIB)), video_limit=20 * MIB)
    with pytest.raises(BadAnswer, match="larger than"):
        await fetch(api)


async def test_a_video_that_claims_a_size_that_no_video_has_is_not_begun(bench: Any) -> None:
    _, api = await bench(answer(200, b"film", MP4, length=10**15))
    with pytest.raises(BadAnswer, match="claims"):
        await fetch(api)


def pages(prompt: str) -> Script:
    """Each page holds jobs that nobody has seen, and says that there are more."""
    count = itertools.count()

    async def write(writer: asyncio.StreamWriter) -> None:
        jobs = [{"id": f"video_{next(count)}", "status": "queued", "created_at": 9e9, "prompt": prompt} for _ in "123"]
        await answer(200, {"data": jobs, "has_more": True, "last_id": jobs[-1]["id"]})(writer)

    return write


@pytest.mark.parametrize(
    ("limit", "value", "prompt"),
    [("MOST_PAGES", 30, "boat"), ("MOST_HELD", 100_000, "boat " * 2000), ("MOST_S", 0.01, "boat")],
)
async def test_a_list_without_end_is_left(
    bench: Any, monkeypatch: pytest.MonkeyPatch, limit: str, value: float, prompt: str
) -> None:
    """It has proven nothing; nor is all of it kept until nothing else fits into memory."""
    monkeypatch.setattr(listing, limit, value)
    server, api = await bench(pages(prompt))
    with pytest.raises(BadAnswer, match="list"):
        async for _ in api.list(since=0):
            pass
    assert len(server.requests) <= 30


async def test_a_list_that_gives_the_same_cursor_again_is_left(bench: Any) -> None:
    page = {"data": [{"id": "video_1", "status": "queued"}], "has_more": True, "last_id": "video_1"}
    server, api = await bench(answer(200, page))
    with pytest.raises(BadAnswer):
        async for _ in api.list(since=0):
            pass
    assert len(server.requests) == 2


async def test_a_download_that_drips_byte_by_byte_is_given_up(bench: Any) -> None:
    """Each byte is in time; all together they never come."""
    _, api = await bench(raw(head(200, Content_Type="video/mp4"), b"f", every_s=0.02), read_timeout_s=0.3)
    with pytest.raises(Unreachable, match="too slow"):
        await fetch(api)


async def test_a_download_that_is_fast_enough_and_never_ends_is_bounded_as_a_whole(bench: Any) -> None:
    steady = raw(head(200, Content_Type="video/mp4"), bytes(4096), every_s=0.02)
    _, api = await bench(steady, download_timeout_s=0.5)
    with pytest.raises(Unreachable, match="too slow"):
        await fetch(api)


async def test_a_reader_that_takes_its_time_is_no_fault_of_the_servers(
    bench: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A slow archive must not make a download look slow."""
    _, api = await bench(answer(200, bytes(MIB), MP4), read_timeout_s=30.0, download_timeout_s=30.0)
    loop = asyncio.get_running_loop()
    clock, passed_s = loop.time, [0.0]
    monkeypatch.setattr(loop, "time", lambda: clock() + passed_s[0])
    async with api.content("video_1") as content:
        got = 0
        async for each in content.chunks:
            got += len(each)
            passed_s[0] += 20
    assert got == MIB


@pytest.mark.parametrize(
    "script",
    [
        raw(b"HTTP/1.1 200 OK\r\n", b"X-Flood: " + b"y" * 8000 + b"\r\n"),
        raw(b"HTTP/1.1 200 OK\r\nX-Endless: ", b"y" * 8000),
        raw(b"HTTP/1.1 100 Continue\r\n\r\n", every_s=0.001),
        raw(b"HTTP/1.1 " + b"9" * 9000, b"\r\n"),
        raw(b"\x00\xff\x16\x03\x01" * 100),
        raw(b"SSH-2.0-OpenSSH_9.2\r\n", every_s=0.01),
        raw(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef"),
        raw(b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nabcdef"),
        raw(head(200, Transfer_Encoding="chunked"), b"zz\r\nabc\r\n"),
        raw(head(200, Transfer_Encoding="chunked") + b"2", b";" + b"e" * 8000),
        raw(head(200, Transfer_Encoding="chunked") + b"0\r\n", b"Trailer: " + b"t" * 8000 + b"\r\n"),
        raw(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n"),
    ],
    ids=[
        "headers without end",
        "a header without end",
        "continue for ever",
        "a status without end",
        "bytes of no protocol",
        "another protocol",
        "two lengths",
        "a negative length",
        "a chunk of no size",
        "a chunk's extension without end",
        "trailers without end",
        "another protocol is switched to",
    ],
)
async def test_what_is_no_http_is_an_error_in_time_and_never_a_crash(bench: Any, script: Script) -> None:
    _, api = await bench(script, create_timeout_s=0.4, read_timeout_s=0.4)
    assert isinstance(await api.create(ORDER, send_by=math.inf), Unknown)
    with pytest.raises(ApiError):
        await api.get("video_1")
    with pytest.raises(ApiError):
        await fetch(api)


ODD = {
    "a message that is a map": {"error": {"code": "c", "message": {"deep": [[]]}}},
    "a place that is null": {"detail": [{"loc": None, "msg": 7}]},
    "a place that is a number": {"detail": [{"loc": 5, "msg": {"a": ["b"]}}]},
    "thousands of problems": {"detail": [{}] * 5000},
    "codes that are lists": {"error": {"code": {"a": [1]}, "type": [["x"]], "inner_error": {"code": [1]}}},
    "half a character": {"error": {"message": "\ud800 lone", "code": "\udfff"}},
    "a huge number as code": {"error": {"message": "m", "code": 10**4000}},
    "a terminal's orders": {"error": {"message": "\x1b[2J\x07\x9b31m\u202egnp.exe", "code": "\x1b]0;title\x07"}},
    "deep in the message": b'{"error": {"message": ' + b"[" * 900 + b"]" * 900 + b"}}",
    "deep in the detail": b'{"detail": ' + b'{"a":' * 980 + b"1" + b"}" * 980 + b"}",
    "deep in the code": b'{"error": {"code": ' + b"[" * 960 + b"]" * 960 + b', "message": "m"}}',
    "lists without end": b"[" * 100_000,
    "maps without end": b'{"a":' * 100_000,
    "no UTF-8": b"\xff\xfe\x00invalid \xc3\x28 utf-8",
    "numbers that are none": b'{"error": {"code": NaN, "message": Infinity}}',
    "a number without end": b"9" * 100_000,
    "tags without end": b"<" * 100_000,
    "zeros": b'"' + b"\\u0000" * 10_000 + b'"',
}


@pytest.mark.parametrize("body", ODD.values(), ids=ODD)
async def test_no_body_of_an_error_breaks_its_reading(bench: Any, body: object) -> None:
    """The outcome is that of the status; the words are short, on one line, and move no cursor."""
    for status in (400, 429, 500):
        _, api = await bench(answer(status, body))
        outcome = await api.create(ORDER, send_by=math.inf)
        assert isinstance(outcome, Refused if status == 400 else Unknown)
        with pytest.raises(ApiError) as raised:
            await api.get("video_1")
        said = f"{outcome} {raised.value}"
        assert len(said) < 3000
        str(raised.value).encode()
        assert str(raised.value).isprintable()


async def test_the_id_of_a_request_is_short_and_moves_no_cursor(bench: Any) -> None:
    _, api = await bench(answer(500, {}, {"x-request-id": "r\x9b31m" + "9" * 5000}))
    with pytest.raises(ServerFault) as raised:
        await api.get("video_1")
    assert str(raised.value).isprintable()
    assert len(raised.value.request_id or "") == 200


async def test_cookies_are_neither_kept_nor_sent_back(bench: Any) -> None:
    cookie = {"Set-Cookie": "session=s; Path=/"}
    server, api = await bench(answer(200, {"id": "video_1", "status": "queued"}, cookie))
    for _ in range(2):
        await api.get("video_1")
        await api.delete("video_1")
    assert all("cookie" not in request.headers for request in server.requests)


@pytest.mark.parametrize("kind", ["video/mp4\x0bX", "a" * 5000, "text", "/", "video/mp4, text/html"])
async def test_a_content_type_that_is_none_goes_nowhere(bench: Any, kind: str) -> None:
    """It would stand as the type of the file in the archive."""
    _, api = await bench(answer(200, b"film", {"Content-Type": kind}))
    try:
        async with api.content("video_1") as content:
            assert content.content_type == ""
    except ApiError:
        return  # no header at all


@pytest.mark.parametrize(
    "place", ["127.0.0.1", "localhost.example", "2130706433", "0x7f.1", "0177.0.0.1", "[::ffff:127.0.0.1]"]
)
async def test_a_public_endpoint_leads_no_download_into_an_inner_network(
    bench: Any, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    """It could make this machine ask its own network, and put the answer into an error message."""
    async with WireServer([answer(200, {"secret": "of the inner network"})]) as inner:
        away = answer(302, b"", {"Location": f"http://{place}:{inner.port}/latest/meta-data"})
        async with WireServer([away]) as outer:
            # The connection goes to this machine, and the world believes that it is elsewhere.
            hosts = {"video.example": [["127.0.0.1"], ["93.184.215.14"]], "localhost.example": [["127.0.0.1"]]}
            Resolver(monkeypatch, hosts)
            api = await bench.client(f"http://video.example:{outer.port}")
            with pytest.raises(ApiError, match="no public address|Invalid IPv4 address"):
                await fetch(api)
            assert len(outer.requests) == 1
        assert inner.requests == []


async def test_no_endpoint_leads_to_the_metadata_service_of_a_cloud(bench: Any) -> None:
    for place in ("169.254.169.254", "168.63.129.16", "[fe80::1]", "[fd00:ec2::254%25lo]"):
        _, api = await bench(answer(302, b"", {"Location": f"http://{place}/metadata"}))
        with pytest.raises(ApiError) as raised:
            await fetch(api)
        assert KEY not in str(raised.value)
        assert not isinstance(raised.value, Unreachable) or "fd00" in place


@pytest.mark.parametrize("place", ["169.254.169.254", "[fe80::1]", "2852039166", "0xa9.0xfe.0xa9fe"])
async def test_no_proxy_is_asked_for_an_inner_address(bench: Any, monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    """It resolves names in our place; but no address, in whatever spelling, goes past the check."""
    async with WireServer([answer(302, b"", {"Location": f"http://{place}/"}), answer(200, b"film", MP4)]) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        api = await bench.client("http://video.example")
        with pytest.raises(BadAnswer, match="no public address"):
            await fetch(api)
        assert [request.target for request in proxy.requests] == [
            "http://video.example/openai/v1/videos/video_1/content"
        ]


async def test_a_proxy_carries_a_redirect_to_a_name_and_no_key_with_it(
    bench: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    away = answer(302, b"", {"Location": "http://blob.example/v?sig=1"})
    async with WireServer([away, answer(200, b"film", MP4)]) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        api = await bench.client("http://video.example")
        assert await fetch(api) == 4
        assert proxy.requests[1].target == "http://blob.example/v?sig=1"
        assert not {"api-key", "authorization", "cookie"} & set(proxy.requests[1].headers)


async def test_a_redirect_to_a_name_connects_to_the_address_that_was_checked(
    bench: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The name leads elsewhere a moment later; who is asked by that name is who was checked."""
    async with WireServer([answer(200, b"film", MP4)]) as blob:
        Resolver(monkeypatch, {"blob.example": [["127.0.0.1"], ["169.254.169.254"]]})
        _, api = await bench(answer(302, b"", {"Location": f"http://blob.example:{blob.port}/v?sig=1"}))
        assert await fetch(api) == 4
        (request,) = blob.requests
        assert request.headers["host"] == f"blob.example:{blob.port}"
        assert request.target == "/v?sig=1"
        assert not {"api-key", "authorization", "cookie"} & set(request.headers)
