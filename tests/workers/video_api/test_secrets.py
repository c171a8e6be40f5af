"""The key is nowhere but on the wire: not in a repr, a log line, an exception or a traceback."""

from __future__ import annotations

import asyncio
import logging
import math
import traceback
from typing import Any

import pytest

from tests.workers.video_api.conftest import KEY
from tests.workers.wire_server import answer, drop
from workers.identity.credentials import ApiKey, Bearer, EntraToken
from workers.video_api import ApiError, Order

ORDER = Order(prompt="x", model="m", size="480x480", seconds=4)
ECHO = {"error": {"code": "401", "message": f"Incorrect API key provided: {KEY}."}}


@pytest.mark.parametrize("credential", [ApiKey(KEY), Bearer(KEY)])
def test_a_credential_shows_no_secret(credential: Any) -> None:
    assert KEY not in f"{credential!r} {credential} {vars(credential)}"


def test_a_token_in_a_text_is_hidden() -> None:
    token = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJl"
    assert token not in EntraToken().hide(f"bad token {token}")


async def test_nothing_that_fails_shows_the_key_even_when_the_server_echoes_it(
    bench: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    seen = []
    for script in (answer(401, ECHO), drop, answer(200, b"<html>"), answer(500, ECHO)):
        _, api = await bench(script)
        seen.append(repr(await api.create(ORDER, send_by=math.inf)))
        for call in (api.get("video_1"), api.delete("video_1"), anext(api.list(since=0)), read(api)):
            try:
                await call
            except ApiError as error:
                seen.append("".join(traceback.format_exception(error)) + repr(error) + repr(vars(error)))
    assert len(seen) > 12
    assert KEY not in "\n".join(seen)
    assert KEY not in caplog.text


@pytest.mark.parametrize("before", range(470, 505, 3))
async def test_a_key_across_the_cut_of_a_long_message_leaves_nothing_of_itself(bench: Any, before: int) -> None:
    """The key goes first and the cut comes second: the other way round the key's head would stay."""
    filler = "." * before
    for body in (
        {"error": {"code": "." * (before - 400) + KEY, "message": filler + KEY + " and so on" * 20}},
        {"detail": filler + KEY},
        (filler + KEY + "." * 400).encode(),
        (" <i>" * 400 + filler + KEY).encode(),
    ):
        for status in (400, 401, 500):
            _, api = await bench(answer(status, body))
            created = repr(await api.create(ORDER, send_by=math.inf))
            with pytest.raises(ApiError) as raised:
                await api.get("video_1")
            assert KEY[:4] not in created + repr(vars(raised.value)) + str(raised.value)


@pytest.mark.parametrize("before", range(1970, 2003, 3))
async def test_a_key_at_the_end_of_what_is_read_of_a_page_leaves_nothing_of_itself(bench: Any, before: int) -> None:
    page = "<p>" * 550  # its tags are not shown, so the end of what is read is
    body = (page + "." * (before - len(page)) + KEY + "." * 4000).encode()
    _, api = await bench(answer(200, body, {"Content-Type": "text/html"}))
    with pytest.raises(ApiError) as raised:
        await read(api)
    assert KEY[:4] not in str(raised.value)


@pytest.mark.parametrize("name", ["apim-request-id", "x-request-id", "x-ms-request-id"])
async def test_a_key_that_comes_back_as_the_requests_id_is_hidden(bench: Any, name: str) -> None:
    said = {name: "r" * 190 + KEY}
    for script in (answer(200, {"id": "video_1", "status": "queued"}, said), answer(400, ECHO, said), answer(500)):
        _, api = await bench(script)
        assert KEY[:4] not in repr(await api.create(ORDER, send_by=math.inf))
    for script in (answer(401, ECHO, said), answer(302, b"", {**said, "Location": "ftp://elsewhere/"})):
        _, api = await bench(script)
        with pytest.raises(ApiError) as raised:
            await read(api)
        assert raised.value.request_id is not None
        assert KEY[:4] not in f"{raised.value} {raised.value.request_id}"
    _, api = await bench(answer(200, b"film", {**said, "Content-Type": "video/mp4"}))
    async with api.content("video_1") as content:
        assert KEY[:4] not in repr(content)


async def test_a_key_in_the_reason_of_a_failed_job_is_hidden(bench: Any) -> None:
    failed = {"id": "video_1", "object": "video", "status": "failed", "error": ECHO["error"]}
    for status in (200, 500):
        _, api = await bench(answer(status, failed))
        job = await api.get("video_1")
        assert job.failure_message == "Incorrect API key provided: **********."


def test_a_token_that_a_cut_left_without_its_end_is_hidden() -> None:
    token = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJl"
    for end in range(11, len(token)):
        assert EntraToken().hide(f"bad token {token[:end]}") == "bad token **********"


async def test_a_signature_in_a_redirect_is_neither_logged_nor_named_in_an_error(
    bench: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.DEBUG, logger="httpx")  # other tests may have set it higher
    server, api = await bench(answer(302, b"", {"Location": "/blob?sig=open-sesame"}), answer(403, b"<Error/>"))
    with pytest.raises(ApiError) as raised:
        await read(api)
    assert server.requests[1].target.endswith("open-sesame")
    httpx_lines = [record.getMessage() for record in caplog.records if record.name == "httpx"]
    assert len(httpx_lines) == 2
    assert "open-sesame" not in "\n".join(httpx_lines) + "".join(traceback.format_exception(raised.value))


async def read(api: Any) -> None:
    async with api.content("video_1") as content:
        async for _ in content.chunks:
            await asyncio.sleep(0)
