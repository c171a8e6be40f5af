"""The way of downloads over the wire: each call is sent once, and errors are httpx's, whoever reads the bytes."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import httpx
import pytest

from tests.servers import free_port
from tests.workers.tls import certificate
from tests.workers.wire_server import Script, WireServer, answer, drop, hang, then_hang
from workers.video_api.transport import DownloadTransport, download_transport

BYTES = bytes(range(256)) * 4096
PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    transport = DownloadTransport(httpx.create_ssl_context())
    async with httpx.AsyncClient(transport=transport, timeout=20) as client:
        yield client


async def test_connections_are_kept_where_a_body_was_read_to_its_end(client: httpx.AsyncClient) -> None:
    async with WireServer([answer(200, BYTES)]) as server:
        for _ in range(2):
            assert (await client.get(server.url)).content == BYTES
        assert server.connections == 1


async def test_what_broke_is_not_sent_again_on_a_fresh_connection_nor_on_a_kept_one(client: httpx.AsyncClient) -> None:
    async with WireServer([answer(200, BYTES), drop]) as server:
        await client.get(server.url)
        for _ in range(2):
            with pytest.raises(httpx.TransportError):
                await client.get(server.url)
        assert len(server.requests) == 3


async def test_a_request_goes_out_as_httpx_wrote_it(client: httpx.AsyncClient) -> None:
    async with WireServer([answer(200, BYTES)]) as server:
        headers = {"Accept-Encoding": "identity", "User-Agent": "dailies", "Range": "bytes=7-"}
        await client.get(f"{server.url}/a%2Fb%20c?sig=%2B%3D", headers=headers)
    asked = server.requests[0]
    assert asked.target == "/a%2Fb%20c?sig=%2B%3D"
    sent = {"host": server.url[7:], "accept": "*/*", "connection": "keep-alive"}
    assert {name: value for name, value in asked.headers.items() if name} == {
        **sent,
        **{name.lower(): value for name, value in headers.items()},
    }


async def test_an_answer_is_handed_on_as_it_came(client: httpx.AsyncClient) -> None:
    head = {"Location": f"https://there/?{'s' * 20_000}", "Content-Encoding": "gzip", "Set-Cookie": "a=b"}
    async with WireServer([answer(302, b"not gzip at all", head)]) as server:
        request = client.build_request("GET", server.url)
        response = await client.send(request, stream=True)
        raw = b"".join([chunk async for chunk in response.aiter_raw()])
        await response.aclose()
    assert (response.status_code, response.headers["location"], raw) == (302, head["Location"], b"not gzip at all")


async def cut(writer: asyncio.StreamWriter) -> None:
    await answer(200, BYTES[:1000], length=len(BYTES))(writer)
    writer.close()


async def nonsense(writer: asyncio.StreamWriter) -> None:
    writer.write(b"SSH-2.0-OpenSSH_9.6\r\n\r\n")
    writer.close()


@pytest.mark.parametrize(
    ("script", "kind", "limits"),
    [
        (cut, httpx.RemoteProtocolError, {}),
        (nonsense, httpx.RemoteProtocolError, {}),
        (drop, httpx.ReadError, {}),
        (hang, httpx.TimeoutException, {"connect": 0.5, "read": 0.05}),
        (then_hang(answer(200, BYTES[:1000], length=len(BYTES))), httpx.ReadTimeout, {"read": 0.05}),
    ],
)
async def test_what_breaks_is_told_in_httpx_words(
    client: httpx.AsyncClient, script: Script, kind: type[httpx.TransportError], limits: dict[str, float]
) -> None:
    async with WireServer([script]) as server:
        with pytest.raises(kind) as told:
            await client.get(server.url, timeout=httpx.Timeout(20, **limits))
    assert str(told.value.request.url) == server.url


async def test_nobody_there_is_an_error_of_the_connection(client: httpx.AsyncClient) -> None:
    with pytest.raises(httpx.ConnectError):
        await client.get(f"http://127.0.0.1:{free_port()}")


async def test_a_certificate_that_nobody_vouches_for_is_refused(client: httpx.AsyncClient, tmp_path: Path) -> None:
    chain, key = certificate(tmp_path, "localhost")
    shown = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    shown.load_cert_chain(chain, key)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        await answer(200, BYTES)(writer)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=shown)
    async with server:
        url = f"https://localhost:{server.sockets[0].getsockname()[1]}/"
        with pytest.raises(httpx.ConnectError, match="certificate"):
            await client.get(url)
        trusting = DownloadTransport(httpx.create_ssl_context(verify=ssl.create_default_context(cafile=chain)))
        async with httpx.AsyncClient(transport=trusting, timeout=20) as other:
            assert (await other.get(url)).content == BYTES


@pytest.fixture
def environ(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], None]:
    for name in PROXIES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    return monkeypatch.setenv


def test_where_the_environment_names_a_proxy_httpx_itself_goes_through_it(environ: Callable[[str, str], None]) -> None:
    tls = httpx.create_ssl_context()
    environ("NO_PROXY", "inner.example")
    assert isinstance(download_transport(tls), DownloadTransport)
    environ("HTTPS_PROXY", "http://127.0.0.1:9")
    assert download_transport(tls) is None
