"""Whatever a server answers, reading it ends in the declared outcomes and errors, and in what can be written down."""

from __future__ import annotations

import asyncio
import json
import math
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from httpx import Headers
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.ledger import deployment
from tests.workers.test_poller import NOW, rendering
from tests.workers.video_api.conftest import KEY
from tests.workers.video_api.test_questions import TASK, VIDEO
from workers.identity.credentials import ApiKey
from workers.rendering.look import decide
from workers.video_api import (
    Accepted,
    ApiError,
    Order,
    Refused,
    RemoteJob,
    Unknown,
    connect,
)
from workers.video_api.answer import Answer, answer_of, brief
from workers.video_api.refusals import CERTAIN, outcome_of
from workers.video_api.remote_job import read_generation_job, read_video

EXAMPLES = settings(max_examples=150, deadline=None)
ORDER = Order(prompt="A paper boat", model="my-sora2", size="1280x720", seconds=8)
READERS = [read_video, read_generation_job]

NAMES = (
    *VIDEO,
    *TASK,
    *("error", "code", "type", "message", "detail", "loc", "msg", "inner_error", "innererror", "data", "has_more"),
    *("last_id", "deleted"),
)
ODD: list[Any] = [
    *(math.nan, math.inf, -math.inf, 1e308, -1, 0, 2**63, 10**40, True),
    *("", " ", "..", "\ud800", "\x00", "\x1b[2J", "\u202e", "1e999", "8", "x" * 3000, KEY),
    *("completed", "failed", "queued", "deleted", "video", "video.deleted", "429"),
    *([], {}, [{}], [{"id": 1}] * 50, {"code": 10**40, "message": "\ud800"}, {"code": "\x1b[2J", "message": []}),
]
odd = st.sampled_from(ODD)
scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12) | odd
names = st.sampled_from(NAMES) | st.text(max_size=6)
trees = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=5),
    max_leaves=16,
)
jobs = st.sampled_from([VIDEO, TASK]).flatmap(
    lambda good: st.dictionaries(st.sampled_from(sorted(good)), trees, max_size=5).map(lambda odd: {**good, **odd})
)
documents = (jobs | trees).map(lambda tree: json.dumps(tree).encode())
bodies = documents | st.binary(max_size=200) | st.text(max_size=80).map(lambda text: text.encode("utf-8", "replace"))
dates = st.sampled_from(
    ["Thu, 16 Oct 2025 15:16:36 GMT", "Mon, 01 Jan 0001 00:00:00 GMT", "31 Feb 99999 99:99:99 +9999"]
)
headers = st.dictionaries(
    st.sampled_from(
        ["date", "retry-after", "retry-after-ms", "openai-poll-after-ms", "x-request-id", "apim-request-id"]
    ),
    dates | st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=30) | st.floats().map(str),
    max_size=4,
)
statuses = st.sampled_from([200, 201, 400, 401, 403, 404, 409, 410, 413, 422, 429, 500, 503]) | st.integers(100, 599)


def read(status: int, said: dict[str, str], body: bytes) -> Answer:
    return answer_of(status, Headers(said), body, ApiKey(KEY).hide)


def check_time(instant: float | None) -> None:
    """An instant that a calendar has, so that receipts and the ledger can hold it."""
    assert instant is None or (math.isfinite(instant) and instant <= 253_402_300_799)


def check_job(job: RemoteJob) -> None:
    json.dumps(job.raw_status + (job.prompt or "") + job.remote_id).encode()
    for text in (job.remote_id, job.raw_status, job.prompt, job.model, job.size, job.failure_code, job.failure_message):
        (text or "").encode()
    for short in (job.raw_status, job.model, job.size):
        assert len(short or "") <= 100
        assert (short or "").isprintable()
    for at in (job.created_at, job.completed_at, job.expires_at):
        check_time(at)
        assert at is None or at > 0
    assert job.progress is None or 0 <= job.progress <= 100
    assert job.seconds is None or 0 <= job.seconds <= 1_000_000
    assert len(job.content_ids) <= 10


@EXAMPLES
@given(statuses, headers, bodies)
@example(400, {}, b'{"detail": [{"loc": null}]}')
@example(400, {}, b'{"error": {"code": [' + b"[" * 950 + b"]" * 950 + b"]}}")
@example(200, {"date": "Mon, 01 Jan 0001 00:00:00 -2359"}, b"{}")
def test_every_answer_to_a_create_is_one_outcome(status: int, said: dict[str, str], body: bytes) -> None:
    """Only a 2xx that names a job accepts; only what says so for certain refuses; and all of it can be shown."""
    answer = read(status, said, body)
    for reader in READERS:
        outcome = outcome_of(answer, read_job=reader, remix=False, now=NOW, hide=ApiKey(KEY).hide)
        if isinstance(outcome, Accepted):
            assert answer.ok
            check_job(outcome.job)
            check_time(outcome.server_time)
        elif isinstance(outcome, Refused):
            assert status in CERTAIN | {429}
            assert outcome.message.isprintable()
            assert len(outcome.message) <= 500
            assert KEY not in f"{outcome}"
        else:
            assert isinstance(outcome, Unknown)
            assert KEY not in outcome.reason
            assert len(outcome.reason) <= 600
        if not isinstance(outcome, Accepted):
            assert outcome.retry_after_s is None or 0 <= outcome.retry_after_s <= 86_400
    assert answer.poll_after_s is None or 0 <= answer.poll_after_s <= 3600


@pytest.mark.parametrize("shape", ['{"error": {"code": %s}}', '{"detail": %s}', '{"detail": [{"msg": %s}]}'])
def test_no_depth_of_nesting_breaks_the_reading(shape: str) -> None:
    """What can just be parsed must not be too deep for what is done with it, further down in the program."""

    def further_down(calls: int, answer: Answer) -> object:
        if calls:
            return further_down(calls - 1, answer)
        read_generation_job(answer.document)
        return outcome_of(answer, read_job=read_video, remix=False, now=NOW, hide=ApiKey(KEY).hide)

    for depth in range(500, 1000, 20):
        for left, right in (("[", "]"), ('{"a":', "}")):
            answer = read(400, {}, (shape % f"{left * depth}1{right * depth}").encode())
            assert isinstance(further_down(200, answer), Refused)


@pytest.mark.parametrize("reader", READERS)
@EXAMPLES
@given(body=documents)
def test_every_document_is_a_job_that_can_be_written_down_or_none(
    reader: Callable[[Any], RemoteJob | None], body: bytes
) -> None:
    check_reading(reader, body)


@pytest.mark.parametrize("good", [VIDEO, TASK], ids=["sora 2", "sora 1"])
@pytest.mark.parametrize("name", sorted({*VIDEO, *TASK}))
def test_every_odd_value_of_every_field_can_be_written_down_or_counts_as_left_out(
    good: dict[str, Any], name: str
) -> None:
    for value in ODD:
        for reader in READERS:
            check_reading(reader, json.dumps({**good, name: value}).encode())


def check_reading(reader: Callable[[Any], RemoteJob | None], body: bytes) -> None:
    job = reader(read(200, {}, body).document)
    if job is not None:
        check_job(job)
        for now in (NOW, NOW + 100_000):
            decision = decide(job, rendering(), deployment(), now)
            for value in (*decision.item.values(), *decision.attempt.values()):
                assert isinstance(value, str | int | float)
                assert not isinstance(value, float) or math.isfinite(value)
                str(value).encode()


@EXAMPLES
@given(st.text(max_size=300) | st.text(st.characters(max_codepoint=160), max_size=300))
def test_what_is_shown_is_one_short_line_of_what_can_be_printed(text: str) -> None:
    shown = brief(text, 50)
    assert shown.isprintable()
    assert len(shown) <= 50


# What has a meaning in HTTP.
PIECES = (
    *(b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 404 No\r\n", b"HTTP/1.0 200\r\n", b"HTTP/1.1 100 Continue\r\n\r\n"),
    *(b"HTTP/1.1 302 Away\r\nLocation: http://169.254.169.254/\r\n", b"Location: //x:9\r\n", b"Location: \xff\r\n"),
    *(b"Content-Length: 5\r\n", b"Content-Length: 99999999999\r\n", b"Content-Length: 0x5\r\n", b"Content-Length:\r\n"),
    *(b"Transfer-Encoding: chunked\r\n", b"Transfer-Encoding: gzip, chunked\r\n", b"Content-Encoding: gzip\r\n"),
    *(b"Content-Type: application/json\r\n", b"Content-Type: \xff\xfe\r\n", b"Retry-After: nan\r\n", b": empty\r\n"),
    *(b"\r\n", b"\n", b"\r\n\r\n", b"5\r\nhello\r\n", b"0\r\n\r\n", b"ffffffff\r\n", b"-1\r\n", b"\x1f\x8b\x08\x00"),
    *(b'{"id": "video_1", "status": "completed"}', b'{"data": [], "has_more": true}', b"\x00\x00\x00\x18ftypmp42"),
)


@asynccontextmanager
async def saying(content: bytes) -> AsyncIterator[str]:
    """A server that says exactly this to whoever comes, and hangs up."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(content)
            await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def ask_everything(content: bytes) -> None:
    async with (
        saying(content) as url,
        connect("videos", url, ApiKey(KEY), create_timeout_s=2.0, read_timeout_s=2.0) as api,
    ):
        outcome = await api.create(ORDER, send_by=math.inf)
        assert isinstance(outcome, Accepted | Refused | Unknown)
        for question in (api.get("video_1"), api.delete("video_1"), everything(api.list(since=0)), fetch(api)):
            (found,) = await asyncio.gather(question, return_exceptions=True)
            if isinstance(found, BaseException):
                assert isinstance(found, ApiError), repr(found)
                assert KEY not in str(found)
                assert str(found).isprintable()


async def everything(found: AsyncIterator[RemoteJob]) -> None:
    async for job in found:
        check_job(job)


async def fetch(api: Any) -> None:
    async with api.content("video_1") as content:
        async for _ in content.chunks:
            pass


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(PIECES), min_size=1, max_size=8), st.integers(0, 1 << 32))
def test_any_bytes_on_the_wire_are_an_outcome_or_an_error(pieces: list[bytes], seed: int) -> None:
    """Pieces of HTTP put together, with some bytes changed."""
    dice = random.Random(seed)
    content = bytearray((b"" if dice.random() < 0.2 else b"HTTP/1.1 200 OK\r\n") + b"".join(pieces))
    for _ in range(dice.randrange(3)):
        at = dice.randrange(len(content))
        content[at : at + dice.choice([0, 1, 4])] = dice.choice([b"", b"\x00", b"\r", b"\xff\xff", dice.randbytes(3)])
    asyncio.run(ask_everything(bytes(content)))


def test_a_code_that_only_says_the_status_again_is_told_once() -> None:
    assert str(ApiError("Access denied", status=401, code="401")) == "HTTP 401: Access denied"
    assert str(ApiError("No such thing", status=404, code="NotFound")) == "HTTP 404: NotFound: No such thing"
