"""Whether an endpoint is reached, and what its certificate says: asked without a key, so that faults are told apart."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Callable
from datetime import UTC, datetime
from urllib.parse import urlsplit

import httpx

from workers.checkup.finding import Finding, failed, fine, warning

#: For connection and answer (seconds).
REACH_S = 10.0
#: A certificate that ends within so many days is warned of.
CERTIFICATE_DAYS = 14
_NETWORK = "check the network from here: a firewall, a proxy (HTTPS_PROXY), the resource's own network rules"


async def reach(part: str, url: str, clock: Callable[[], float] = time.time) -> Finding:
    """What a GET of the host's root meets. Any answer will do."""
    parts = urlsplit(url)
    root, host = f"{parts.scheme}://{parts.netloc}/", parts.hostname or ""
    began = time.monotonic()
    try:
        async with (
            asyncio.timeout(REACH_S),
            httpx.AsyncClient(verify=httpx.create_ssl_context(), timeout=REACH_S) as client,
            client.stream("GET", root, headers={"User-Agent": "dailies"}) as response,
        ):
            took = f"in {1000 * (time.monotonic() - began):.0f} ms"
            stream = response.extensions.get("network_stream")
            tls = stream.get_extra_info("ssl_object") if stream is not None else None
    except (httpx.HTTPError, OSError, TimeoutError) as error:
        return failed(part, "reach", f"{host} is not reached: {_words(error)}", _mend(error))
    if parts.scheme != "https":
        if host in ("localhost", "127.0.0.1", "::1"):
            return fine(part, "reach", f"{host} answers {took}, on this machine")
        return warning(
            part, "reach", f"{host} answers {took}, unencrypted: keys can be read on the way", "use https://"
        )
    version, ends_at = _tls(tls)
    says = f"{host} answers {took}, {version}"
    if ends_at is not None:
        says += f", its certificate ends {datetime.fromtimestamp(ends_at, UTC):%Y-%m-%d}"
        if ends_at - clock() < CERTIFICATE_DAYS * 86_400:
            return warning(part, "reach", says, "have the certificate renewed")
    return fine(part, "reach", says)


def _tls(found: object) -> tuple[str, float | None]:
    if not isinstance(found, ssl.SSLObject | ssl.SSLSocket):
        return "TLS", None
    ends = (found.getpeercert() or {}).get("notAfter")
    return found.version() or "TLS", ssl.cert_time_to_seconds(ends) if isinstance(ends, str) else None


def _words(error: Exception) -> str:
    text = " ".join(str(error).split())
    return text[:200] or f"no answer within {REACH_S:.0f} seconds"


def _mend(error: Exception) -> str:
    text = str(error)
    if "CERTIFICATE_VERIFY_FAILED" in text or "certificate" in text.lower():
        return "name a file with the authority's certificate: SSL_CERT_FILE=/path/to/ca.pem"
    if "Name or service not known" in text or "nodename" in text or "name resolution" in text:
        return "check the name; where it has a private endpoint, its private DNS zone must be seen from here"
    return _NETWORK
