"""A webhook: where it is, how it is signed, and one careful POST to it.

It goes to public addresses, and to what its settings allow; a redirect is never followed, since it could lead anywhere
and would take the message along. Signatures are those of Standard Webhooks 1.0 (www.standardwebhooks.com), for which
there are libraries in most languages.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass

import httpx
from pydantic import SecretStr

from orchestrator.logs.redaction import redact
from orchestrator.reports.notices import Notice
from orchestrator.settings import Notify
from workers.reach import Forbidden, Reach, send_at
from workers.telling.notice_forms import FORMS

#: For the whole of one POST (seconds), and for its connection.
TOTAL_S, CONNECT_S = 15.0, 5.0
#: Of an answer that is no success, so many bytes are read for the log.
_PEEK = 300
#: The other side says that nobody wants it any more.
_GONE = 410


class Undelivered(Exception):
    """It did not arrive. The text says why, without the URL. `again_in_s`: when the other side asks to try again;
    `gone`: it never wants it."""

    def __init__(self, text: str, *, again_in_s: float | None = None, gone: bool = False) -> None:
        super().__init__(redact(text))
        self.again_in_s, self.gone = again_in_s, gone


@dataclass(frozen=True, slots=True)
class Webhook:
    """One webhook of the settings, with its secrets."""

    settings: Notify
    url: SecretStr
    secret: SecretStr | None

    @classmethod
    def open(cls, settings: Notify, environ: Mapping[str, str]) -> Webhook:
        """Raises SettingsError where a variable is not set, or holds no URL."""
        return cls(settings, settings.url(environ), settings.secret(environ))

    async def post(self, notice: Notice, now: float) -> None:
        """Send it once. `now`: Unix seconds, which the signature carries. Raises Undelivered."""
        body = json.dumps(FORMS[self.settings.kind](notice), ensure_ascii=False, separators=(",", ":")).encode()
        headers = {"Content-Type": "application/json", "Accept-Encoding": "identity", "User-Agent": "dailies"}
        if self.settings.kind == "generic":
            headers |= signed(notice.id, now, body, self.secret)
        try:
            async with asyncio.timeout(TOTAL_S):
                await self._send(body, headers)
        except Forbidden as error:
            mend = f"name it, or its network, under notify[].allow of {self.settings.name} if it is yours"
            raise Undelivered(f"{error}; {mend}") from None
        except TimeoutError:
            raise Undelivered(f"no answer in {TOTAL_S:.0f} seconds") from None
        except (httpx.HTTPError, OSError, ValueError, httpx.InvalidURL) as error:
            raise Undelivered(f"{type(error).__name__}: {error}") from None

    async def _send(self, body: bytes, headers: Mapping[str, str]) -> None:
        url = httpx.URL(self.url.get_secret_value())
        host, port = url.raw_host.decode("ascii"), url.port or {"http": 80}.get(url.scheme, 443)
        reach = Reach(self.settings.allow)
        named = reach.names(host)  # such a host may be behind the environment's proxy
        limits = httpx.Limits(max_keepalive_connections=0)
        timeout = httpx.Timeout(TOTAL_S, connect=CONNECT_S)
        async with httpx.AsyncClient(trust_env=named, timeout=timeout, limits=limits) as client:
            if named:
                request = client.build_request("POST", url, headers=headers, content=body)
                response = await client.send(request, stream=True)
            else:
                addresses = await reach.addresses(host, port)
                response = await send_at(client, "POST", url, addresses, headers, body)
            try:
                await _judge(response)
            finally:
                await response.aclose()


def signed(message_id: str, now: float, body: bytes, secret: SecretStr | None) -> dict[str, str]:
    """The headers of a generic webhook: its id, when it was sent, and, with a secret, the signature of both and the
    body."""
    stamp = str(int(now))
    headers = {"webhook-id": message_id, "webhook-timestamp": stamp}
    if secret is not None:
        digest = hmac.new(key_of(secret), f"{message_id}.{stamp}.".encode() + body, hashlib.sha256).digest()
        headers["webhook-signature"] = f"v1,{base64.b64encode(digest).decode()}"
    return headers


def key_of(secret: SecretStr) -> bytes:
    """`whsec_` and base64 is how Standard Webhooks writes a key; any other text is the key itself."""
    text = secret.get_secret_value()
    if text.startswith("whsec_"):
        try:
            return base64.b64decode(text.removeprefix("whsec_"), validate=True)
        except (binascii.Error, ValueError):
            pass
    return text.encode()


async def _judge(response: httpx.Response) -> None:
    """Any 2xx is a yes (Slack 200, Workflows 202)."""
    if response.is_success:
        return
    if response.is_redirect:
        raise Undelivered(f"it answers HTTP {response.status_code}, a redirect, which is not followed: name its target")
    said = b""
    async for chunk in response.aiter_raw():
        said += chunk
        if len(said) >= _PEEK:
            break
    words = " ".join(said[:_PEEK].decode(errors="replace").split())
    asked = response.headers.get("retry-after", "")
    raise Undelivered(
        f"it answers HTTP {response.status_code}" + (f": {words}" if words else ""),
        again_in_s=float(asked) if asked.isdecimal() and len(asked) < 7 else None,
        gone=response.status_code == _GONE,
    )
