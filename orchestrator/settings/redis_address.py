"""Where Redis is, as a URL says it: one server, the nodes of a cluster, or the Sentinels that know the primary."""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Any
from urllib.parse import unquote, urlsplit

from redis.asyncio.connection import parse_url

Node = tuple[str, int]

REDIS_PORT, SENTINEL_PORT = 6379, 26379
_SCHEMES = {"redis": False, "rediss": True, "redis+sentinel": False, "rediss+sentinel": True}


@dataclass(frozen=True, slots=True)
class RedisAddress:
    """
    nodes    host and port of each server that was named; empty for a unix socket
    primary  the name that Sentinels, which `nodes` then are, know it by
    tls      whether connections are encrypted, those to Sentinels too
    options  what redis-py's connections take besides: db, username, password, path, and the URL's query
    """

    nodes: tuple[Node, ...]
    primary: str | None
    tls: bool
    options: dict[str, Any] = field(repr=False)

    @classmethod
    def parse(cls, url: str) -> RedisAddress:
        """From redis://, rediss://, unix://, or redis+sentinel:// and rediss+sentinel://HOST:PORT,…/NAME.

        Several hosts may be named, between commas. ValueError, which repeats nothing of the URL, says what is wrong.
        """
        parts = urlsplit(url)
        if parts.scheme == "unix":
            if not parts.path:
                raise ValueError("must name the socket's path: unix:///PATH")
            return cls((), None, False, _options(url))
        if parts.scheme not in _SCHEMES:
            raise ValueError("must be a URL that begins with redis://, rediss:// or unix://")
        user, at, hosts = parts.netloc.rpartition("@")
        sentinel = parts.scheme.endswith("+sentinel")
        nodes = tuple(_node(host, SENTINEL_PORT if sentinel else REDIS_PORT) for host in hosts.split(","))
        primary, path = None, parts.path
        if sentinel:
            name, _, database = parts.path.lstrip("/").partition("/")
            if not name:
                raise ValueError("must end with the name that Sentinel knows the primary by: …:26379/mymaster")
            primary, path = unquote(name), f"/{database}"
        tls = _SCHEMES[parts.scheme]
        query = f"?{parts.query}" if parts.query else ""
        return cls(nodes, primary, tls, _options(f"{'rediss' if tls else 'redis'}://{user}{at}host{path}{query}"))

    def __str__(self) -> str:
        """Without secrets, for people."""
        where = ", ".join(f"{host}:{port}" for host, port in self.nodes) or str(self.options.get("path"))
        return f"{self.primary} (Sentinels {where})" if self.primary else where


def is_address(host: str) -> bool:
    """Whether it is an IP address, not a name."""
    try:
        return bool(ip_address(host))
    except ValueError:
        return False


def _node(text: str, port: int) -> Node:
    place = urlsplit(f"//{text}")
    if not place.hostname or place.port == 0:
        raise ValueError("must name a host in each place: redis://HOST:PORT")
    return unquote(place.hostname), place.port or port


def _options(url: str) -> dict[str, Any]:
    options = dict(parse_url(url))
    for name in ("host", "port", "connection_class"):
        options.pop(name, None)
    return options
