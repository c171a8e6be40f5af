"""Downloads by aiohttp under httpx: a video costs less than half of the CPU there, most of all under TLS, where httpx's
own transport hands on each record of 16 KiB by itself. What it does, and which errors it raises, is httpx's."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from urllib.request import getproxies

import aiohttp
import httpx
from yarl import URL

#: For how long an idle connection is kept (seconds).
KEPT_S = 30.0
#: The longest line of an answer's head (bytes): a redirect's may carry a signature.
_LINE = 32 * 1024
#: What aiohttp would add to a request by itself.
_ADDED = ("Accept", "Accept-Encoding", "User-Agent", "Content-Type")


def download_transport(tls: ssl.SSLContext) -> httpx.AsyncBaseTransport | None:
    """None for httpx's own, where the environment names a proxy: that one goes through it."""
    return None if getproxies().keys() - {"no"} else DownloadTransport(tls)


class DownloadTransport(httpx.AsyncBaseTransport):
    """GETs, without a body; as many at once as are asked for. Connections are kept where a body was read to its end."""

    def __init__(self, tls: ssl.SSLContext) -> None:
        self._tls = tls
        self._session: aiohttp.ClientSession | None = None  # made in the loop that uses it

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Raises httpx.TransportError. The time for a connection is that for its name, its address and TLS together; an
        answer may begin as late as that and the time for a read."""
        limits = request.extensions.get("timeout", {})
        self._session = self._session or self._opened()
        with _in_httpx_words():
            async with asyncio.timeout(_sum(limits.get("connect"), limits.get("read"))):
                response = await self._session.request(
                    request.method,
                    URL(str(request.url), encoded=True),
                    headers=[(name.decode("ascii"), value.decode()) for name, value in request.headers.raw],
                    allow_redirects=False,
                    timeout=aiohttp.ClientTimeout(total=None, connect=limits.get("connect")),
                )
        return httpx.Response(
            response.status,
            headers=response.raw_headers,
            stream=_Body(response, limits.get("read")),
            extensions={"reason_phrase": (response.reason or "").encode("ascii", "ignore")},
        )

    async def aclose(self) -> None:
        if self._session is not None:
            await self._session.close()

    def _opened(self) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, ssl=self._tls, keepalive_timeout=KEPT_S),
            cookie_jar=aiohttp.DummyCookieJar(),
            skip_auto_headers=_ADDED,
            auto_decompress=False,
            middlewares=(_once,),
            max_line_size=_LINE,
            max_field_size=_LINE,
        )


class _Body(httpx.AsyncByteStream):
    def __init__(self, response: aiohttp.ClientResponse, read_timeout_s: float | None) -> None:
        self._response, self._read_timeout_s = response, read_timeout_s

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while True:
            with _in_httpx_words():
                # Only while somebody waits for it: aiohttp's own limit would run on while the archive is slow.
                async with asyncio.timeout(self._read_timeout_s):
                    piece = await self._response.content.readany()
            if not piece:
                return
            yield piece

    async def aclose(self) -> None:
        self._response.close()


async def _once(request: aiohttp.ClientRequest, send: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """In httpx's words already here: what broke in its own, aiohttp would send a second time."""
    with _in_httpx_words():
        return await send(request)


@contextmanager
def _in_httpx_words() -> Iterator[None]:
    try:
        yield
    except aiohttp.ConnectionTimeoutError as error:
        raise httpx.ConnectTimeout(str(error)) from error
    except TimeoutError as error:
        raise httpx.ReadTimeout(str(error)) from error
    except aiohttp.ClientConnectorError as error:
        raise httpx.ConnectError(str(error)) from error
    except aiohttp.ClientResponseError as error:  # it quotes the whole URL otherwise
        raise httpx.RemoteProtocolError(error.message) from error
    except aiohttp.ClientPayloadError as error:
        raise httpx.RemoteProtocolError(str(error)) from error
    except (aiohttp.ClientConnectionError, OSError) as error:
        raise httpx.ReadError(str(error)) from error
    except aiohttp.ClientError as error:
        raise httpx.UnsupportedProtocol(type(error).__name__) from error


def _sum(*limits: float | None) -> float | None:
    """None, no limit, if one is."""
    given = [limit for limit in limits if limit is not None]
    return sum(given) if len(given) == len(limits) else None
