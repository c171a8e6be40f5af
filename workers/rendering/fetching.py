"""Fetching an image by its URL: only from where it may come, in bounded time, with bounded size."""

from __future__ import annotations

import asyncio

import httpx

from workers.reach import Forbidden, Reach, get_at
from workers.video_api.decoding import UndecodableBody, decoded

#: For one image, redirects included (seconds).
TOTAL_S = 60.0
#: For each connection, and for each wait for more bytes (seconds).
CONNECT_S, READ_S = 10.0, 20.0
MOST_REDIRECTS = 5
#: What some servers say of a file whose kind they do not know.
_UNKNOWN = ("", "application/octet-stream", "binary/octet-stream", "application/x-binary")


class Unfetchable(Exception):
    """An image did not come. The text says why, without what the URL may hold as a secret."""


class Fetcher:
    """Fetches images; `async with` closes its connections. Environment proxies carry only what goes to a host that is
    allowed by name: of all else they would resolve and connect in our place, unchecked."""

    def __init__(self, reach: Reach, *, most: int) -> None:
        """`most`: the largest image (bytes)."""
        self._reach, self._most = reach, most
        tls = httpx.create_ssl_context()

        def client(*, trust_env: bool) -> httpx.AsyncClient:
            return httpx.AsyncClient(
                verify=tls,
                trust_env=trust_env,
                timeout=httpx.Timeout(READ_S, connect=CONNECT_S),
                limits=httpx.Limits(max_keepalive_connections=0),
                headers={"Accept": "image/*", "Accept-Encoding": "identity", "User-Agent": "dailies"},
            )

        self._checked, self._named = client(trust_env=False), client(trust_env=True)

    async def fetch(self, reference: str) -> bytes:
        """The bytes of one image. Raises Unfetchable."""
        try:
            async with asyncio.timeout(TOTAL_S):
                return await self._followed(httpx.URL(reference))
        except Forbidden as error:
            mend = "name it, or its network, under inputs.allow if it is yours"
            raise Unfetchable(f"{error}; {mend}") from None
        except TimeoutError:
            raise Unfetchable(f"it was not there after {TOTAL_S:.0f} seconds") from None
        except (httpx.HTTPError, UndecodableBody, OSError) as error:
            raise Unfetchable(str(error) or type(error).__name__) from None
        except (httpx.InvalidURL, UnicodeError, ValueError):
            raise Unfetchable("it leads to what is no URL") from None

    async def _followed(self, url: httpx.URL) -> bytes:
        for _ in range(MOST_REDIRECTS + 1):
            response = await self._get(url)
            try:
                if not response.has_redirect_location:
                    return await self._body(response)
                target = url.join(response.headers["location"])
            finally:
                await response.aclose()
            if target.scheme not in ("http", "https") or (url.scheme, target.scheme) == ("https", "http"):
                raise Unfetchable(f"it is redirected to {target.scheme}://{target.host}, which is not safe to follow")
            url = target
        raise Unfetchable(f"it is redirected again and again, last to {url.host}")

    async def _get(self, url: httpx.URL) -> httpx.Response:
        host = url.raw_host.decode("ascii")
        if self._reach.names(host):
            return await self._named.send(self._named.build_request("GET", url), stream=True)
        port = url.port or {"http": 80}.get(url.scheme, 443)
        return await get_at(self._checked, url, await self._reach.addresses(host, port))

    async def _body(self, response: httpx.Response) -> bytes:
        if response.status_code != 200:
            raise Unfetchable(f"the server answers HTTP {response.status_code}")
        kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind not in _UNKNOWN and not kind.startswith("image/"):
            raise Unfetchable(f"the server answers with {kind[:60]!r}, not with an image")
        data = bytearray()
        async for chunk in decoded(response):
            data += chunk
            if len(data) > self._most:
                raise Unfetchable(f"it is over {self._most >> 20} MiB")
        return bytes(data)

    async def __aenter__(self) -> Fetcher:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._checked.aclose()
        await self._named.aclose()


def shown(reference: str) -> str:
    """A URL as it may be printed: without user, password and query, which may be a signature."""
    try:
        url = httpx.URL(reference)
        return str(url.copy_with(userinfo=b"", query=None, fragment=None)) + ("?…" if url.query else "")
    except (httpx.InvalidURL, ValueError):
        return "the URL of an image"
