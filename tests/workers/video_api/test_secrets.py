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
from workers.credentials import ApiKey, Bearer, EntraToken
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
