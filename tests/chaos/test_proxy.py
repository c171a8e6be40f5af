"""What the proxy of the chaos runs does to a connection."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from tests.chaos.proxy import Proxy

pytestmark = pytest.mark.asyncio

Line = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@asynccontextmanager
async def echo() -> AsyncIterator[tuple[Proxy, list[bytes]]]:
    """A proxy before a server that answers what it hears, and what that has heard."""
    heard: list[bytes] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(1024):
            heard.append(data)
            writer.write(data)
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with Proxy(server.sockets[0].getsockname()[1]) as proxy:
        yield proxy, heard
    server.close()


async def call(proxy: Proxy) -> Line:
    return await asyncio.open_connection("127.0.0.1", proxy.port)


async def said(line: Line, words: bytes) -> bytes:
    line[1].write(words)
    return await line[0].read(1024)


async def test_a_good_line_passes_everything_both_ways() -> None:
    async with echo() as (proxy, _):
        line = await call(proxy)
        assert await said(line, b"hello") == b"hello"
        line[1].close()


async def test_a_slow_line_passes_everything_too() -> None:
    async with echo() as (proxy, _):
        proxy.delay_s, proxy.bytes_per_s = 0.01, 100_000.0
        assert await said(await call(proxy), b"hello") == b"hello"


async def test_a_cut_line_ends_in_good_order() -> None:
    async with echo() as (proxy, _):
        line = await call(proxy)
        await said(line, b"hello")
        proxy.cut()
        assert await line[0].read() == b""


async def test_a_line_that_is_reset_fails() -> None:
    async with echo() as (proxy, _):
        line = await call(proxy)
        await said(line, b"hello")
        proxy.reset()
        with pytest.raises(ConnectionResetError):
            await line[0].read()


async def test_a_refusing_line_takes_no_new_connection_and_keeps_the_old() -> None:
    async with echo() as (proxy, _):
        old = await call(proxy)
        await said(old, b"hello")
        proxy.refusing = True
        with pytest.raises(ConnectionResetError):
            await said(await call(proxy), b"hello")
        assert await said(old, b"still there") == b"still there"


async def test_a_half_open_line_swallows_what_is_sent_and_never_passes_it_on() -> None:
    """Also not later: a request that comes late would be another fault than one that is lost."""
    async with echo() as (proxy, heard):
        line = await call(proxy)
        await said(line, b"hello")
        proxy.half_open = True
        line[1].write(b"lost")
        other = await call(proxy)
        other[1].write(b"lost too")
        while proxy.swallowed < len(b"lost") + len(b"lost too"):
            await asyncio.sleep(0)
        proxy.calm()
        assert await said(await call(proxy), b"fresh") == b"fresh"
        assert heard == [b"hello", b"fresh"]
