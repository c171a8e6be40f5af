"""The one place where bytes go to a video API and come back.

Three pools, so that none starves another: creates (always a fresh connection: one that the server has just dropped
would turn a certain *not sent* into an *unknown*), questions (get, list, delete: few connections, kept), and
downloads. No call is ever sent a second time by itself, and no redirect is followed except for a download.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.cookiejar import DefaultCookiePolicy

import httpx
from azure.core.exceptions import ClientAuthenticationError

from workers.identity.credentials import Credential, Proof
from workers.video_api.answer import BODY_LIMIT, Answer, head_of, read_answer
from workers.video_api.counting import CountedClient, Seen, unseen
from workers.video_api.departure import Departure, SendByPassedError
from workers.video_api.download import DOWNLOAD_TIMEOUT_S, VIDEO_LIMIT, Downloads
from workers.video_api.errors import ApiError
from workers.video_api.faults import Faults

CONNECT_TIMEOUT_S = 10.0
#: All of them kept: looks come in rounds, and a new connection costs more than a look.
_QUESTION_CONNECTIONS = 8
#: Videos come one behind the other as they finish; so many at once is as much as a worker archives.
_DOWNLOADS_KEPT = 16
_HEADERS = {"Accept-Encoding": "identity", "User-Agent": "dailies"}


@dataclass(frozen=True, slots=True)
class Undelivered:
    """A create without a whole answer. `left`: bytes may have gone out; `head`: status and headers, if those came."""

    reason: str
    left: bool
    denied: bool = False  # Entra ID gave no token
    head: Answer | None = None


@dataclass(frozen=True, slots=True)
class Stale:
    """A create that was refused with 401 for a key or a token in whose place there is another one by now."""

    answer: Answer


@dataclass(frozen=True, slots=True)
class Body:
    """A request's body: JSON, or the fields and files of a form. Pictures are kept out of the repr."""

    json: bytes | None = None
    fields: Mapping[str, str] | None = None
    files: Mapping[str, tuple[str, bytes, str]] | None = field(default=None, repr=False)


class Wire:
    """Connections to one endpoint under one credential."""

    def __init__(
        self,
        base: str,
        credential: Credential,
        *,
        create_timeout_s: float,
        read_timeout_s: float,
        download_timeout_s: float = DOWNLOAD_TIMEOUT_S,
        video_limit: int = VIDEO_LIMIT,
        seen: Seen = unseen,
    ) -> None:
        self.base = base
        self.credential = credential
        self.faults = Faults(base, credential)
        self._create_timeout_s = create_timeout_s
        self._read_timeout_s = read_timeout_s
        self._proof = Proof(credential)
        tls = httpx.create_ssl_context()

        def client(seconds: float, limits: httpx.Limits) -> httpx.AsyncClient:
            timeout = httpx.Timeout(seconds, connect=min(CONNECT_TIMEOUT_S, seconds))
            made = CountedClient(seen, verify=tls, timeout=timeout, limits=limits, headers=_HEADERS)
            made.cookies.jar.set_policy(DefaultCookiePolicy(allowed_domains=()))  # no server fills our memory with them
            return made

        self._creates = client(create_timeout_s, httpx.Limits(max_connections=None, max_keepalive_connections=0))
        self._questions = client(
            read_timeout_s,
            httpx.Limits(
                max_connections=_QUESTION_CONNECTIONS,
                max_keepalive_connections=_QUESTION_CONNECTIONS,
                keepalive_expiry=30,
            ),
        )
        self.downloads = Downloads(
            client(
                read_timeout_s,
                httpx.Limits(max_connections=None, max_keepalive_connections=_DOWNLOADS_KEPT, keepalive_expiry=30),
            ),
            self._proof,
            self.faults,
            origin=httpx.URL(base),
            read_timeout_s=read_timeout_s,
            total_timeout_s=download_timeout_s,
            most=video_limit,
        )

    async def aclose(self) -> None:
        for client in (self._creates, self._questions, self.downloads):
            await client.aclose()
        await self.credential.aclose()

    async def post_once(
        self, path: str, body: Body, *, params: Mapping[str, str], send_by: float
    ) -> Answer | Stale | Undelivered:
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
                head = head_of(response, self.credential.hide)
                try:
                    answer = await read_answer(response, self.credential.hide)
                finally:
                    await response.aclose()
        except SendByPassedError:
            return Undelivered("its send-by instant had passed before the connection stood", left=False)
        except ClientAuthenticationError as error:
            return Undelivered(f"Entra ID gave no token: {self.faults.words(error)}", departure.left, denied=True)
        except Exception as error:
            # Whatever it was: what counts is whether bytes may have left.
            return Undelivered(self.faults.words(error), departure.left, head=head)
        return Stale(answer) if answer.status == 401 and await self._proof.renewed(request) else answer

    async def ask(self, method: str, path: str, params: Mapping[str, str], *, limit: int = BODY_LIMIT) -> Answer:
        """One question, answered whole within `read_timeout_s` and `limit` bytes; any status. Raises ApiError without
        an answer. A 401 is asked again, once, where there is another key or token by now."""
        try:
            async with asyncio.timeout(self._read_timeout_s):
                request = self._questions.build_request(method, self.base + path, params=params)
                answer = await self._asked(request, limit)
                if answer.status == 401 and await self._proof.renewed(request):
                    answer = await self._asked(request, limit)
                return answer
        except Exception as error:
            raise self.faults.of(error) from None

    async def _asked(self, request: httpx.Request, limit: int) -> Answer:
        response = await self._questions.send(request, auth=self._proof, stream=True)
        try:
            return await read_answer(response, self.credential.hide, limit=limit)
        finally:
            await response.aclose()

    def error_of(self, answer: Answer) -> ApiError:
        """The exception that a refusing answer stands for."""
        return self.faults.of_answer(answer)
