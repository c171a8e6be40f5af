"""The one place where bytes go to a video API and come back.

Three pools, so that none starves another: creates (always a fresh connection: one that the server has just dropped
would turn a certain *not sent* into an *unknown*), questions (get, list, delete: few connections, kept), and
downloads. No call is ever sent a second time by itself, and no redirect is followed except for a download.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import httpx
from azure.core.exceptions import AzureError, ClientAuthenticationError

from workers.credentials import Credential, Proof
from workers.video_api.answer import CODE_LIMIT, Answer, OversizedBody, answer_of, brief, read_answer
from workers.video_api.departure import Departure, SendByPassedError
from workers.video_api.errors import ApiError, BadAnswer, Denied, Unreachable, error_for
from workers.video_api.redirect import origin_of, target_of

CONNECT_TIMEOUT_S = 10.0
#: All of them kept: looks come in rounds, and a new connection costs more than a look.
_QUESTION_CONNECTIONS = 8
_HEADERS = {"Accept-Encoding": "identity", "User-Agent": "dailies"}


@dataclass(frozen=True, slots=True)
class Undelivered:
    """A create without a whole answer. `left`: bytes may have gone out; `head`: status and headers, if those came."""

    reason: str
    left: bool
    denied: bool = False  # Entra ID gave no token
    head: Answer | None = None


@dataclass(frozen=True, slots=True)
class Body:
    """A request's body: JSON, or the fields and files of a form. Pictures are kept out of the repr."""

    json: bytes | None = None
    fields: Mapping[str, str] | None = None
    files: Mapping[str, tuple[str, bytes, str]] | None = field(default=None, repr=False)


class Wire:
    """Connections to one endpoint under one credential."""

    def __init__(self, base: str, credential: Credential, *, create_timeout_s: float, read_timeout_s: float) -> None:
        self.base = base
        self.credential = credential
        self._create_timeout_s = create_timeout_s
        self._read_timeout_s = read_timeout_s
        self._proof = Proof(credential)
        tls = httpx.create_ssl_context()

        def client(seconds: float, limits: httpx.Limits) -> httpx.AsyncClient:
            timeout = httpx.Timeout(seconds, connect=min(CONNECT_TIMEOUT_S, seconds))
            return httpx.AsyncClient(verify=tls, timeout=timeout, limits=limits, headers=_HEADERS)

        self._creates = client(create_timeout_s, httpx.Limits(max_connections=None, max_keepalive_connections=0))
        self._questions = client(
            read_timeout_s,
            httpx.Limits(
                max_connections=_QUESTION_CONNECTIONS,
                max_keepalive_connections=_QUESTION_CONNECTIONS,
                keepalive_expiry=30,
            ),
        )
        self._downloads = client(read_timeout_s, httpx.Limits(max_connections=None, max_keepalive_connections=4))

    async def aclose(self) -> None:
        for client in (self._creates, self._questions, self._downloads):
            await client.aclose()
        await self.credential.aclose()

    async def post_once(
        self, path: str, body: Body, *, params: Mapping[str, str], send_by: float
    ) -> Answer | Undelivered:
        """Sends an order at most once, within `create_timeout_s`. Raises ValueError if it cannot be put on the wire."""
        departure = Departure(send_by)
        request = self._creates.build_request(
            "POST",
            self.base + path,
            params=params,
            content=body.json,
            data=dict(body.fields) if body.fields else None,
            files=body.files,
            headers={"Content-Type": "application/json"} if body.json is not None else None,
            extensions={"trace": departure.trace},
        )
        head: Answer | None = None
        try:
            async with asyncio.timeout(self._create_timeout_s):
                response = await self._creates.send(request, auth=self._proof, stream=True)
                head = self.head_of(response)
                try:
                    return await read_answer(response, self.credential.hide)
                finally:
                    await response.aclose()
        except SendByPassedError:
            return Undelivered("its send-by instant had passed before the connection stood", left=False)
        except ClientAuthenticationError as error:
            return Undelivered(f"Entra ID gave no token: {self._words(error)}", departure.left, denied=True)
        except Exception as error:
            # Whatever it was: what counts is whether bytes may have left.
            return Undelivered(self._words(error), departure.left, head=head)

    async def ask(self, method: str, path: str, params: Mapping[str, str]) -> Answer:
        """One question, answered whole within `read_timeout_s`; any status. Raises ApiError without an answer."""
        try:
            async with asyncio.timeout(self._read_timeout_s):
                request = self._questions.build_request(method, self.base + path, params=params)
                response = await self._questions.send(request, auth=self._proof, stream=True)
                try:
                    return await read_answer(response, self.credential.hide)
                finally:
                    await response.aclose()
        except Exception as error:
            raise self._as_api_error(error) from None

    @asynccontextmanager
    async def download(self, path: str, params: Mapping[str, str]) -> AsyncIterator[httpx.Response]:
        """A streamed answer of status 200, redirects followed. Raises ApiError; so must whoever reads its bytes
        (`chunks`). A redirect to another host gets neither key nor token, and one from https to http is refused."""
        response = await self._follow(httpx.URL(self.base + path, params=params))
        try:
            if response.status_code != 200:
                raise self.error_of(await self._rest_of(response))
            yield response
        finally:
            await response.aclose()

    async def chunks(self, response: httpx.Response) -> AsyncIterator[bytes]:
        """The bytes as they arrive. A server that compresses, although asked not to, is decoded."""
        encoded = response.headers.get("content-encoding", "identity") != "identity"
        try:
            async for chunk in response.aiter_bytes() if encoded else response.aiter_raw():
                yield chunk
        except httpx.HTTPError as error:
            raise self._as_api_error(error) from None

    def head_of(self, response: httpx.Response) -> Answer:
        """Status and headers alone, before a body or without one."""
        return answer_of(response.status_code, response.headers, b"", self.credential.hide)

    def error_of(self, answer: Answer) -> ApiError:
        """The exception that a refusing answer stands for."""
        code, message, _ = answer.error()
        return error_for(
            answer.status,
            brief(self.credential.hide(message)),
            code=brief(self.credential.hide(code), CODE_LIMIT) if code else None,
            request_id=answer.request_id,
            retry_after_s=answer.retry_after_s(time.time()),
        )

    async def _follow(self, url: httpx.URL) -> httpx.Response:
        origin, trusted = origin_of(url), True
        try:
            async with asyncio.timeout(self._read_timeout_s):
                for _ in range(6):
                    request = self._downloads.build_request("GET", url)
                    proof = self._proof if trusted else None
                    response = await self._downloads.send(request, auth=proof, stream=True)
                    if not response.has_redirect_location:
                        return response
                    await response.aclose()
                    url = target_of(url, response, self.head_of(response))
                    trusted = trusted and origin_of(url) == origin
        except Exception as error:
            raise self._as_api_error(error) from None
        raise BadAnswer(f"The download is redirected again and again, last to {url.host}.")

    async def _rest_of(self, response: httpx.Response) -> Answer:
        try:
            async with asyncio.timeout(self._read_timeout_s):
                return await read_answer(response, self.credential.hide)
        except (httpx.HTTPError, TimeoutError, OversizedBody):
            return self.head_of(response)

    def _as_api_error(self, error: Exception) -> ApiError:
        words = self._words(error)
        if isinstance(error, ApiError):
            return error
        if isinstance(error, ClientAuthenticationError):
            return Denied(f"Entra ID gave no token: {words}")
        if isinstance(error, OversizedBody):
            return BadAnswer(words)
        if isinstance(error, httpx.HTTPError | TimeoutError | OSError | AzureError):
            return Unreachable(f"No whole answer from {httpx.URL(self.base).host}: {words}")
        return BadAnswer(f"The call to {httpx.URL(self.base).host} failed: {words}")

    def _words(self, error: Exception) -> str:
        """An exception in words, without what an HTTP library quotes of a request (it may quote the key)."""
        name = type(error).__name__
        if isinstance(error, httpx.LocalProtocolError | ValueError | httpx.InvalidURL):
            return name
        first = self.credential.hide(str(error)).strip().partition("\n")[0][:300]
        return f"{name}: {first}" if first else name
