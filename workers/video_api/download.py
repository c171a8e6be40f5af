"""Downloads: redirects followed with care, bytes bounded in number and in the time that they may take to come, and what
breaks off gone on with where the server allows."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass

import httpx
import structlog

from workers.identity.credentials import Proof
from workers.video_api.answer import Answer, head_of, read_answer
from workers.video_api.decoding import UndecodableBody, decoded
from workers.video_api.errors import ApiError, BadAnswer, Unreachable
from workers.video_api.faults import Faults
from workers.video_api.redirect import Strangers, origin_of, target_of
from workers.video_api.resumption import Bookmark, bookmark

log = structlog.get_logger("workers.video_api.download")

#: The longest that a download may keep its reader waiting, all in all (seconds); less than an archive step may take.
DOWNLOAD_TIMEOUT_S = 1800.0
#: Whoever sends less than this, once the time for one wait is over, sends nothing worth waiting for (bytes a second).
SLOWEST = 4096
#: The largest video (bytes): minutes of the highest quality are a tenth of it.
VIDEO_LIMIT = 2 * 1024**3
_MOST_HOPS = 6
#: Before each try to go on with a download that broke off (seconds); what brings a byte begins them anew.
PAUSES_S = (0.2, 1.0, 5.0)


@dataclass(slots=True)
class Download:
    """A download that has begun: the answer that its bytes come from now, and how to go on where that breaks off."""

    url: httpx.URL
    response: httpx.Response
    bookmark: Bookmark | None
    tries: int = 0


class Downloads:
    """Downloads from one endpoint, and from where it redirects to."""

    def __init__(
        self,
        client: httpx.AsyncClient,
        proof: Proof,
        faults: Faults,
        *,
        origin: httpx.URL,
        read_timeout_s: float,
        total_timeout_s: float,
        most: int,
    ) -> None:
        """`most`: bytes of one video."""
        self._client, self._proof, self._faults = client, proof, faults
        self._strangers = Strangers(client, origin)
        self._read_timeout_s, self._total_timeout_s, self.most = read_timeout_s, total_timeout_s, most

    async def aclose(self) -> None:
        await self._client.aclose()
        await self._strangers.aclose()

    @asynccontextmanager
    async def open(self, url: str, params: Mapping[str, str]) -> AsyncIterator[Download]:
        """A streamed answer of status 200. Raises ApiError; so must whoever reads its bytes (`chunks`).

        A redirect to another host gets neither key nor token, one from https to http is refused, and so is one that
        leads from a public endpoint into an inner network.
        """
        target = httpx.URL(url, params=params)
        response = await self._follow(target, {})
        download = Download(target, response, bookmark(response))
        try:
            if response.status_code != 200:
                raise self._faults.of_answer(await self._rest_of(response))
            yield download
        finally:
            await download.response.aclose()

    async def chunks(self, download: Download) -> AsyncIterator[bytes]:
        """The bytes as they arrive. A server that compresses, although asked not to, is decoded.

        Only the time that the reader had to wait for them counts, so that a slow archive is no fault of the server's.
        """
        clock = asyncio.get_running_loop().time
        waited, arrived = 0.0, 0
        while True:
            since = clock()
            try:
                async with aclosing(decoded(download.response)) as source:
                    while (chunk := await anext(source, None)) is not None:
                        waited, arrived = waited + clock() - since, arrived + len(chunk)
                        self._check(waited, arrived)
                        download.tries = 0
                        yield chunk
                        since = clock()
                return
            except (httpx.HTTPError, UndecodableBody) as error:
                broken = self._faults.of(error)
            await self._go_on(download, arrived, broken)
            waited += clock() - since

    async def _go_on(self, download: Download, arrived: int, broken: ApiError) -> None:
        """Another answer, that goes on where the last one broke off. Raises what broke it where there is none: then the
        whole is to be fetched again."""
        await download.response.aclose()
        mark = download.bookmark
        while mark is not None and download.tries < len(PAUSES_S):
            await asyncio.sleep(PAUSES_S[download.tries])
            download.tries += 1
            try:
                response = await self._follow(download.url, mark.ask(arrived))
            except Unreachable:
                continue
            if mark.goes_on(response, arrived):
                log.info("download.goes_on", arrived=arrived, error=str(broken))
                download.response = response
                return
            said = self._faults.of_answer(await self._rest_of(response)) if response.status_code >= 400 else broken
            await response.aclose()
            if response.status_code >= 500:
                continue
            raise broken if response.status_code == 416 else said
        raise broken

    def _check(self, waited_s: float, arrived: int) -> None:
        if arrived > self.most:
            raise BadAnswer(f"The download is larger than {self.most} bytes, which no video is.")
        if waited_s > self._total_timeout_s or arrived < SLOWEST * (waited_s - self._read_timeout_s):
            raise Unreachable(f"The download is too slow: {arrived} bytes in {waited_s:.0f} seconds of waiting.")

    async def _follow(self, url: httpx.URL, headers: Mapping[str, str]) -> httpx.Response:
        origin, trusted = origin_of(url), True
        try:
            async with asyncio.timeout(self._read_timeout_s):
                for _ in range(_MOST_HOPS):
                    if trusted:
                        request = self._client.build_request("GET", url, headers=headers)
                        response = await self._client.send(request, auth=self._proof, stream=True)
                        if response.status_code == 401 and await self._proof.renewed(request):
                            await response.aclose()
                            response = await self._client.send(request, auth=self._proof, stream=True)
                    else:
                        response = await self._strangers.get(url, headers)
                    if not response.has_redirect_location:
                        return response
                    await response.aclose()
                    url = target_of(url, response, self._head(response))
                    trusted = trusted and origin_of(url) == origin
        except Exception as error:
            raise self._faults.of(error) from None
        raise BadAnswer(f"The download is redirected again and again, last to {url.host}.")

    async def _rest_of(self, response: httpx.Response) -> Answer:
        try:
            async with asyncio.timeout(self._read_timeout_s):
                return await read_answer(response, self._faults.hide)
        except (httpx.HTTPError, TimeoutError, UndecodableBody):
            return self._head(response)

    def _head(self, response: httpx.Response) -> Answer:
        return head_of(response, self._faults.hide)
