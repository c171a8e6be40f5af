"""What may be connected to on the word of somebody else: of a manifest's URL, of a server that redirects.

Such a URL could name what only this machine can reach: itself, its network, the metadata service of its cloud that
hands out credentials. So the name is resolved here, every address of it is checked, and the connection goes to a
checked address, never to the name: it may resolve to another one a moment later.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase

import httpx

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

# IANA's special-purpose registries, as of 2026. Python's own `is_global` has changed from release to release.
_INNER_4 = tuple(
    map(
        ipaddress.IPv4Network,
        (
            "0.0.0.0/8",
            "10.0.0.0/8",
            "100.64.0.0/10",
            "127.0.0.0/8",
            "168.63.129.16/32",  # Azure's own services for a virtual machine, at an address that looks public
            "169.254.0.0/16",  # link-local; the metadata services of most clouds
            "172.16.0.0/12",
            "192.0.0.0/24",
            "192.0.2.0/24",
            "192.88.99.0/24",
            "192.168.0.0/16",
            "198.18.0.0/15",
            "198.51.100.0/24",
            "203.0.113.0/24",
            "224.0.0.0/4",
            "240.0.0.0/4",
        ),
    )
)
_GLOBAL_6 = ipaddress.IPv6Network("2000::/3")
# Within it: protocols and tunnels (Teredo, 6to4) that lead to an IPv4 address inside, and documentation.
_INNER_6 = tuple(map(ipaddress.IPv6Network, ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")))
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


class Forbidden(Exception):
    """A host is not to be connected to. The text names host and address."""


class Reach:
    """Public addresses, and what `allow` names besides: addresses and networks (`10.0.0.0/8`), hosts
    (`assets.example.com`, `*.example.com`)."""

    def __init__(self, allow: Sequence[str] = ()) -> None:
        self._hosts = [entry.lower() for entry in allow if not is_network(entry)]
        self._networks = [ipaddress.ip_network(entry, strict=False) for entry in allow if is_network(entry)]

    def names(self, host: str) -> bool:
        """Whether a host is allowed by its name, wherever that leads."""
        return any(fnmatchcase(host.lower().rstrip("."), pattern) for pattern in self._hosts)

    def takes(self, address: str) -> bool:
        """Whether an address may be connected to."""
        found = _plain(ipaddress.ip_address(address.partition("%")[0]))
        return is_public(found) or any(found in network for network in self._networks)

    async def addresses(self, host: str, port: int) -> list[str]:
        """The checked addresses of a host, all of them. Raises Forbidden, and OSError where it has none."""
        found = await resolve(host, port)
        if not self.names(host):
            for address in found:
                if not self.takes(address):
                    raise Forbidden(f"{host} leads to {address}, which is no public address")
        return found


async def resolve(host: str, port: int) -> list[str]:
    """The addresses of a host, in the system's order. `2130706433` and `0x7f.1` are addresses to the system, and so
    they are here. Raises OSError."""
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except UnicodeError:
        raise OSError(f"{host[:100]!r} is not the name of a host") from None
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


async def numeric(host: str) -> str | None:
    """The address that a host is, in whatever spelling the system knows; None where it is a name."""
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(host, None, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    except (OSError, UnicodeError):
        return None
    return str(found[0][4][0])


def is_network(entry: str) -> bool:
    """Whether an entry is an address or a network, and not the name of a host."""
    try:
        ipaddress.ip_network(entry, strict=False)
    except ValueError:
        return False
    return True


def is_public(address: Address) -> bool:
    """Whether anybody in the world may be behind an address, rather than somebody next to us."""
    address = _plain(address)
    if isinstance(address, ipaddress.IPv4Address):
        return not any(address in network for network in _INNER_4)
    return address in _GLOBAL_6 and not any(address in network for network in _INNER_6)


def _plain(address: Address) -> Address:
    """The IPv4 address that an IPv6 one stands for: `::ffff:10.0.0.1`, and what NAT64 translates."""
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return address.ipv4_mapped
        if address in _NAT64:
            return ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
    return address


async def get_at(
    client: httpx.AsyncClient, url: httpx.URL, addresses: Sequence[str], headers: Mapping[str, str] | None = None
) -> httpx.Response:
    """A streamed GET that connects to one of these addresses. Raises httpx.HTTPError."""
    return await send_at(client, "GET", url, addresses, headers)


async def send_at(
    client: httpx.AsyncClient,
    method: str,
    url: httpx.URL,
    addresses: Sequence[str],
    headers: Mapping[str, str] | None = None,
    content: bytes | None = None,
) -> httpx.Response:
    """A streamed answer to a request that connects to one of these addresses, the first that takes the connection, and
    to nothing else; certificate and Host header are those of the URL's own host. The client must use no proxy, and keep
    no connection: it would be known by its address alone. Raises httpx.HTTPError.
    """
    failed: httpx.TransportError = httpx.ConnectError(f"{url.host} has no address")
    for address in addresses:
        request = client.build_request(
            method,
            url.copy_with(host=address),
            headers={**(headers or {}), "Host": url.netloc.decode("ascii")},
            content=content,
            extensions={"sni_hostname": url.raw_host.decode("ascii")},
        )
        try:
            return await client.send(request, stream=True)
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            failed = error
    raise failed
