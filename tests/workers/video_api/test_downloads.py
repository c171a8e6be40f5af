"""The bytes of a video: as they are, to the last one, or an error."""

from __future__ import annotations

import gzip
from typing import Any

import pytest

from tests.workers.wire_server import WireServer, answer, hang, then_hang
from workers.video_api import ApiError, BadAnswer, Denied, Missing, ServerFault, Unreachable

BYTES = bytes(range(256)) * 999
MP4 = {"Content-Type": "video/mp4"}


async def fetch(api: Any, content_id: str = "video_1") -> tuple[Any, bytes]:
    async with api.content(content_id) as content:
        return content, b"".join([chunk async for chunk in content.chunks])


async def test_the_bytes_come_as_they_are_with_their_announced_length_and_type(bench: Any) -> None:
    server, api = await bench(answer(200, BYTES, {**MP4, "apim-request-id": "r-1"}))
    content, data = await fetch(api)
    assert data == BYTES
    assert (content.length, content.content_type, content.request_id) == (len(BYTES), "video/mp4", "r-1")
    assert server.requests[0].target == "/openai/v1/videos/video_1/content"
    assert server.requests[0].headers["accept-encoding"] == "identity"


async def test_sora_1_content_is_asked_for_by_the_generation(bench: Any) -> None:
    server, api = await bench(answer(200, BYTES, MP4), api="jobs")
    await fetch(api, "gen/1")
    assert server.requests[0].target == "/openai/v1/video/generations/gen%2F1/content/video?api-version=preview"


async def test_a_length_that_was_not_announced_is_none(bench: Any) -> None:
    _, api = await bench(answer(200, BYTES, {**MP4, "Content-Length": "", "Connection": "close"}))

    content, data = await fetch(api)
    assert (content.length, data) == (None, BYTES)


async def test_a_server_that_compresses_although_asked_not_to_still_gives_the_video(bench: Any) -> None:
    _, api = await bench(answer(200, gzip.compress(BYTES), {**MP4, "Content-Encoding": "gzip"}))
    content, data = await fetch(api)
    assert (content.length, data) == (None, BYTES)


async def test_a_download_that_is_cut_off_raises_and_never_looks_finished(bench: Any) -> None:
    async def cut(writer: Any) -> None:
        await answer(200, BYTES[:1000], MP4, length=len(BYTES))(writer)
        writer.close()

    _, api = await bench(cut)
    with pytest.raises(Unreachable):
        await fetch(api)


async def test_a_download_that_stalls_raises_after_the_time_limit(bench: Any) -> None:
    _, api = await bench(then_hang(answer(200, BYTES[:1000], MP4, length=len(BYTES))), read_timeout_s=0.2)
    with pytest.raises(Unreachable):
        await fetch(api)
    _, api = await bench(hang, read_timeout_s=0.2)
    with pytest.raises(Unreachable):
        await fetch(api)


@pytest.mark.parametrize(
    ("status", "kind"), [(401, Denied), (404, Missing), (410, Missing), (422, BadAnswer), (502, ServerFault)]
)
async def test_each_status_has_its_error(bench: Any, status: int, kind: type[ApiError]) -> None:
    _, api = await bench(answer(status, {"detail": "Video is not ready"}))
    with pytest.raises(kind, match="not ready"):
        await fetch(api)


@pytest.mark.parametrize("kind", ["application/json", "text/html; charset=utf-8", "application/problem+json"])
async def test_text_with_status_200_is_an_error_and_never_a_video(bench: Any, kind: str) -> None:
    _, api = await bench(answer(200, {"error": {"message": "it has expired"}}, {"Content-Type": kind}))
    with pytest.raises(BadAnswer, match="it has expired"):
        await fetch(api)


async def test_another_container_than_mp4_comes_through_with_its_type(bench: Any) -> None:
    _, api = await bench(answer(200, b"RIFF", {"Content-Type": "video/x-msvideo"}))
    content, _ = await fetch(api)
    assert content.content_type == "video/x-msvideo"


async def test_a_redirect_on_the_same_host_keeps_the_key(bench: Any) -> None:
    server, api = await bench(answer(302, b"", {"Location": "/elsewhere?sig=1"}), answer(200, BYTES, MP4))
    assert (await fetch(api))[1] == BYTES
    assert [(request.target, "api-key" in request.headers) for request in server.requests] == [
        ("/openai/v1/videos/video_1/content", True),
        ("/elsewhere?sig=1", True),
    ]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_to_another_host_takes_no_key_along_not_even_on_the_way_back(bench: Any, status: int) -> None:
    async with WireServer([answer(200, BYTES, MP4)]) as other:
        away = answer(status, b"", {"Location": f"{other.url}/blob?sig=2", "Set-Cookie": "session=s"})
        _, api = await bench(away)
        assert (await fetch(api))[1] == BYTES
        headers = other.requests[0].headers
        assert not {"api-key", "authorization"} & set(headers)

    async with WireServer([]) as other:
        server, api = await bench(answer(302, b"", {"Location": other.url}), answer(200, BYTES, MP4))
        other.scripts.append(answer(302, b"", {"Location": f"{server.url}/back"}))
        await fetch(api)
        assert "api-key" not in server.requests[1].headers


async def test_redirects_without_end_are_an_error(bench: Any) -> None:
    server, api = await bench(answer(302, b"", {"Location": "/again"}))
    with pytest.raises(BadAnswer, match="again and again"):
        await fetch(api)
    assert len(server.requests) == 6


@pytest.mark.parametrize("target", ["file:///etc/passwd", "ftp://127.0.0.1/x", "javascript:alert(1)"])
async def test_a_redirect_to_something_that_is_not_http_is_refused(bench: Any, target: str) -> None:
    _, api = await bench(answer(302, b"", {"Location": target}))
    with pytest.raises(BadAnswer):
        await fetch(api)


async def test_a_reader_that_leaves_early_leaves_the_client_usable(bench: Any) -> None:
    _, api = await bench(answer(200, BYTES, MP4))
    async with api.content("video_1") as content:
        async for _ in content.chunks:
            break
    assert (await fetch(api))[1] == BYTES
