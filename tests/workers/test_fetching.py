"""Images by URL: from where they may come, whole, of bounded size and in bounded time, over real sockets."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import io
import ssl
from collections.abc import Iterable
from pathlib import Path

import pytest
from PIL import Image

from tests.workers.resolver import Resolver
from tests.workers.tls import certificate
from tests.workers.wire_server import Script, WireServer, answer, hang
from workers.rendering import fetching
from workers.rendering.inputs import InputUnusable, image_hashes, store_images
from workers.sinks.directory import DirectorySink

HERE = ("127.0.0.1/32",)
PNG = {"Content-Type": "image/png"}


def picture(size: tuple[int, int] = (64, 36), kind: str = "PNG") -> bytes:
    out = io.BytesIO()
    Image.new("RGB", size).save(out, kind)
    return out.getvalue()


BOAT = picture()


async def fetched(url: str, allow: Iterable[str] = HERE) -> str:
    return (await image_hashes([url], allow=tuple(allow)))[url]


async def test_an_image_comes_as_it_is_and_is_kept_under_its_hash(tmp_path: Path) -> None:
    async with WireServer([answer(200, BOAT, PNG)]) as server:
        url = f"{server.url}/boat.png"
        hashes = await store_images([url], DirectorySink(tmp_path), "spring", allow=HERE)
    assert hashes == {url: hashlib.sha256(BOAT).hexdigest()}
    assert (tmp_path / "spring/inputs" / hashes[url]).read_bytes() == BOAT
    assert not {"authorization", "cookie", "api-key"} & set(server.requests[0].headers)


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "2130706433", "0x7f.0.0.1", "127.1", "[::1]", "[::ffff:127.0.0.1]", "localhost.example", "LOCALHOST"],
)
async def test_nothing_inside_is_asked_unless_it_is_allowed(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    Resolver(monkeypatch, {"localhost.example": [["127.0.0.1"]], "localhost": [["127.0.0.1"]]})
    async with WireServer([answer(200, BOAT, PNG)]) as server:
        with pytest.raises(InputUnusable, match=r"inputs\.allow|is no URL"):
            await fetched(f"http://{host}:{server.port}/boat.png", allow=())
    assert server.requests == []


@pytest.mark.parametrize("host", ["169.254.169.254", "[fe80::1]", "[fd00:ec2::254]", "168.63.129.16", "10.0.0.1"])
async def test_what_is_allowed_besides_opens_no_other_network(host: str) -> None:
    with pytest.raises(InputUnusable, match=r"inputs\.allow"):
        await fetched(f"http://{host}/latest/meta-data")


async def test_a_redirect_is_checked_as_the_url_is(monkeypatch: pytest.MonkeyPatch) -> None:
    async with WireServer([answer(200, BOAT, PNG)]) as inner:
        Resolver(monkeypatch, {"inner.example": [["127.0.0.2"]]})
        for place in ("127.0.0.2", "inner.example", "2130706434", "[::ffff:127.0.0.2]"):
            away = answer(302, b"", {"Location": f"http://{place}:{inner.port}/"})
            async with WireServer([away]) as outer:
                with pytest.raises(InputUnusable, match="no public address"):
                    await fetched(outer.url)
        assert inner.requests == []


@pytest.mark.parametrize(
    "target", ["file:///etc/passwd", "ftp://127.0.0.1/a.png", "gopher://x/", "javascript:1", "http://["]
)
async def test_a_redirect_to_what_is_not_http_is_not_followed(target: str) -> None:
    async with WireServer([answer(302, b"", {"Location": target})]) as server:
        with pytest.raises(InputUnusable):
            await fetched(server.url)


async def test_redirects_without_end_are_left() -> None:
    async with WireServer([answer(302, b"", {"Location": "/again"})]) as server:
        with pytest.raises(InputUnusable, match="again and again"):
            await fetched(server.url)
    assert len(server.requests) == fetching.MOST_REDIRECTS + 1


async def test_a_name_that_leads_elsewhere_a_moment_later_gains_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """DNS rebinding: the connection goes to the address that was checked, under the name that was asked for."""
    async with WireServer([answer(200, BOAT, PNG)]) as checked:
        asked: list[bytes] = []

        async def inner(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            asked.append(await reader.readuntil(b"\r\n\r\n"))
            await answer(200, BOAT, PNG)(writer)

        server = await asyncio.start_server(inner, "127.0.0.2", checked.port)
        async with server:
            Resolver(monkeypatch, {"rebinds.example": [["127.0.0.1"], ["127.0.0.2"]]})
            await fetched(f"http://rebinds.example:{checked.port}/boat.png")
    assert asked == []
    assert checked.requests[0].headers["host"] == f"rebinds.example:{checked.port}"


async def test_of_several_addresses_the_first_that_answers_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    async with WireServer([answer(200, BOAT, PNG)]) as server:
        Resolver(monkeypatch, {"two.example": [["::1", "127.0.0.1"]]})
        await fetched(f"http://two.example:{server.port}/", allow=("127.0.0.0/8", "::1"))


async def test_the_certificate_has_to_be_the_names_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Although the connection goes to an address."""
    chain, key = certificate(tmp_path, "assets.example")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(chain, key)
    monkeypatch.setenv("SSL_CERT_FILE", str(chain))
    Resolver(monkeypatch, {"assets.example": [["127.0.0.1"]], "other.example": [["127.0.0.1"]]})

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        await answer(200, BOAT, PNG)(writer)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    async with server:
        port = server.sockets[0].getsockname()[1]
        await fetched(f"https://assets.example:{port}/boat.png")
        with pytest.raises(InputUnusable, match="(?i)certificate"):
            await fetched(f"https://other.example:{port}/boat.png")


async def test_a_proxy_carries_only_what_is_allowed_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """It resolves and connects in our place: whatever it can reach, so could a manifest."""
    async with WireServer([answer(200, BOAT, PNG)]) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        Resolver(monkeypatch, {"hidden.example": [["10.9.9.9"]]})
        with pytest.raises(InputUnusable, match="no public address"):
            await fetched("http://hidden.example/a.png")
        assert proxy.requests == []
        await fetched("http://assets.example/a.png", allow=["assets.example"])
        assert proxy.requests[0].target == "http://assets.example/a.png"
        async with WireServer([answer(200, BOAT, PNG)]) as server:
            await fetched(server.url)
            assert len(server.requests) == 1
        assert len(proxy.requests) == 1


BAD: dict[str, tuple[Script, str]] = {
    "a missing one": (answer(404, b"", PNG), "HTTP 404"),
    "a page": (answer(200, b"<html>", {"Content-Type": "text/html"}), "not with an image"),
    "a page that calls itself an image": (answer(200, b"<html>", PNG), "not a jpeg, png or webp"),
    "half an image": (answer(200, BOAT[:-20], PNG), "missing|damaged"),
    "a vector": (answer(200, b"<svg onload='x'/>", {"Content-Type": "image/svg+xml"}), "not a jpeg, png or webp"),
    "a RIFF of sound": (answer(200, b"RIFF\0\0\0\0WAVEfmt ", PNG), "not a jpeg, png or webp"),
    "an empty one": (answer(200, b"", PNG), "empty"),
    "a bomb of gzip": (
        answer(200, gzip.compress(bytes(64 << 20)), {**PNG, "Content-Encoding": "gzip"}),
        "over 20 MiB",
    ),
    "another compression": (answer(200, BOAT, {**PNG, "Content-Encoding": "br"}), "not asked for"),
    "a long one": (answer(200, b"\x89PNG\r\n\x1a\n" + bytes(21 << 20), PNG), "over 20 MiB"),
    "no HTTP": (answer(999, b"", {"Transfer-Encoding": "chunked"}, length=5), "."),
}


@pytest.mark.parametrize(("script", "said"), BAD.values(), ids=BAD)
async def test_what_is_no_whole_image_is_refused_with_what_it_is(script: Script, said: str) -> None:
    async with WireServer([script]) as server:
        with pytest.raises(InputUnusable, match=said):
            await fetched(server.url)


async def test_an_image_of_far_too_many_pixels_is_not_unpacked() -> None:
    """A quarter of a megabyte that would take gigabytes."""
    async with WireServer([answer(200, picture((20_000, 20_000)), PNG)]) as server:
        with pytest.raises(InputUnusable, match="far more pixels"):
            await fetched(server.url)


async def test_a_server_that_hangs_or_drips_is_left_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "TOTAL_S", 0.3)

    async def drip(writer: asyncio.StreamWriter) -> None:
        await answer(200, b"", PNG, length=10**6)(writer)
        while True:
            writer.write(b"x")
            await asyncio.sleep(0.02)

    for script in (hang, drip):
        async with WireServer([script]) as server:
            with pytest.raises(InputUnusable, match="not there after"):
                await fetched(server.url)


@pytest.mark.parametrize("url", ["http://u:hunter2@127.0.0.1:1/a.png?sig=open-sesame", "https://[/?sig=open-sesame"])
async def test_no_message_shows_what_may_be_a_secret_of_the_url(url: str) -> None:
    with pytest.raises(InputUnusable) as raised:
        await fetched(url)
    assert not any(secret in str(raised.value) for secret in ("hunter2", "open-sesame"))


async def test_a_local_image_that_has_grown_since_it_was_looked_at_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "boat.png"
    with path.open("wb") as stream:
        stream.truncate(30 << 20)
    with pytest.raises(InputUnusable, match="over 20 MiB"):
        await image_hashes([str(path)])


def test_a_url_is_shown_without_user_password_and_query() -> None:
    assert fetching.shown("https://u:p@a.example/b.png?sig=1#x") == "https://a.example/b.png?…"
    assert fetching.shown("https://a.example/b.png") == "https://a.example/b.png"
