"""Redirects of a download: what may be followed, with what, where to, and what of it may be logged."""

from __future__ import annotations

import ipaddress
import logging
from collections.abc import Mapping
from urllib.request import getproxies, proxy_bypass

import httpx

from workers.reach import Forbidden, Reach, get_at, is_public, numeric, resolve
from workers.video_api.answer import Answer
from workers.video_api.errors import BadAnswer

_LOOPBACK = ("127.0.0.0/8", "::1/128")
_PRIVATE = ("10.0.0.0/8", "100.64.0.0/10", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7")


class Strangers:
    """Hosts that an endpoint redirects to: asked without a key, and not further inside than the endpoint itself is. An
    endpoint of the provider's leads to public addresses, one in our network to that network too, and only one on this
    machine to this machine. None leads to the metadata service of a cloud."""

    def __init__(self, client: httpx.AsyncClient, origin: httpx.URL) -> None:
        """`client`: for what a proxy of the environment connects to in our place."""
        self._through_proxy, self._origin = client, origin
        self._direct = httpx.AsyncClient(
            trust_env=False,
            timeout=client.timeout,
            limits=httpx.Limits(max_keepalive_connections=0),
            headers=client.headers,
        )

    async def aclose(self) -> None:
        await self._direct.aclose()

    async def get(self, url: httpx.URL, headers: Mapping[str, str]) -> httpx.Response:
        """A streamed answer. Raises Forbidden, OSError and httpx.HTTPError."""
        host, reach = url.raw_host.decode("ascii"), await self._reach()
        if url.scheme in getproxies() and not proxy_bypass(host):
            address = await numeric(host)  # all that can be checked of what the proxy will resolve
            if address is not None and not reach.takes(address):
                raise Forbidden(f"The download is redirected to {host}, which is no public address")
            request = self._through_proxy.build_request("GET", url, headers=headers)
            return await self._through_proxy.send(request, stream=True)
        try:
            addresses = await reach.addresses(host, _port(url) or 0)
        except Forbidden as error:
            raise Forbidden(f"The download is redirected, and {error}") from None
        return await get_at(self._direct, url, addresses, headers)

    async def _reach(self) -> Reach:
        try:
            found = await resolve(self._origin.raw_host.decode("ascii"), _port(self._origin) or 0)
        except OSError:  # known to a proxy alone
            found = []
        addresses = [ipaddress.ip_address(each.partition("%")[0]) for each in found]
        if not addresses or all(map(is_public, addresses)):
            return Reach()
        return Reach((*_PRIVATE, *_LOOPBACK) if any(each.is_loopback for each in addresses) else _PRIVATE)


def target_of(url: httpx.URL, response: httpx.Response, head: Answer) -> httpx.URL:
    """Where a redirect leads; `head` is the answer without a body.

    Raises BadAnswer for anything but http(s), and for a step down from https to http.
    """
    target = url.join(response.headers["location"])
    if target.scheme in ("http", "https") and (url.scheme, target.scheme) != ("https", "http"):
        return target
    raise BadAnswer(
        f"The download is redirected to {target.scheme}://{target.host}, which is not safe to follow.",
        status=head.status,
        request_id=head.request_id,
    )


def origin_of(url: httpx.URL) -> tuple[str, str, int | None]:
    """What has to be the same for a key to go along."""
    return url.scheme, url.host, _port(url)


def _port(url: httpx.URL) -> int | None:
    return url.port or {"http": 80, "https": 443}.get(url.scheme)


def _without_query(record: logging.LogRecord) -> bool:
    """httpx logs each URL; the query of a redirect may be a signature that opens the video to anybody."""
    if isinstance(record.args, tuple):
        record.args = tuple(
            str(part.copy_with(query=None)) if isinstance(part, httpx.URL) else part for part in record.args
        )
    return True


logging.getLogger("httpx").addFilter(_without_query)
