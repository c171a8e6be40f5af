"""Three ways of a video: archived as Dailies does, copied with the two libraries alone, and thrown away."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from typing import Any

import httpx
from azure.storage.blob.aio import BlobServiceClient

from orchestrator.items.states import State
from orchestrator.ledger.keys import Ref
from orchestrator.ledger.records import Attempt, Item, Spec
from orchestrator.settings.archive import ArchiveAuth, ArchiveSettings
from workers.archiving.delivery import deliver
from workers.archiving.filing import filed
from workers.archiving.receipt import receipt
from workers.identity.credentials import ApiKey
from workers.sinks import open_sink
from workers.sinks.blob_upload import BLOCK
from workers.slots import Slots
from workers.video_api import connect

#: Archives, copies or drops the video of so many bytes and that number; calls the last when its bytes have arrived.
Way = Callable[[int, int, Callable[[], None]], Awaitable[None]]


class Ways:
    """`async with Ways(provider, connection_string, container) as ways:` and then `ways.ours(…)`."""

    def __init__(self, provider: str, connection_string: str, container: str) -> None:
        self._provider, self._store, self._name = provider, connection_string, container

    async def __aenter__(self) -> Ways:
        self._stack = stack = AsyncExitStack()
        self._web = await stack.enter_async_context(httpx.AsyncClient(timeout=60))
        # In blocks of our size: with the library's own settings a bare copy takes twenty times as long, since it
        # gathers 64 MiB piece by piece before it sends them.
        service = BlobServiceClient.from_connection_string(self._store, max_single_put_size=BLOCK, max_block_size=BLOCK)
        self._container = (await stack.enter_async_context(service)).get_container_client(self._name)
        settings = ArchiveSettings(url=self._container.url, auth=ArchiveAuth(connection_string_env="STORE"))
        self._sink = await stack.enter_async_context(open_sink(settings, {"STORE": self._store}))
        api = connect("videos", self._provider, ApiKey("any"), create_timeout_s=60, read_timeout_s=60)
        self._api = await stack.enter_async_context(api)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    @property
    def by_name(self) -> Mapping[str, Way]:
        return {"ours": self.ours, "bare": self.bare, "null": self.null}

    async def ours(self, length: int, number: int, sent: Callable[[], None]) -> None:
        """As the archive step does it: asked for, hashed, proven, read back, and its receipt beside it."""
        item = finished(length, number)
        delivery = await deliver(self._sink, self._api, item, sent=sent)
        assert delivery.bytes == length
        await filed(self._sink, item.ref, delivery.name, receipt(item, delivery, 1_790_000_000.0))

    async def bare(self, length: int, number: int, sent: Callable[[], None]) -> None:
        """What a good script of ten lines does: no hash, no proof, no receipt."""
        async with self._web.stream("GET", self._url(length, number)) as response:
            blob = self._container.get_blob_client(f"bare/{length}-{number}.mp4")
            await blob.upload_blob(response.aiter_bytes(BLOCK), length=length)

    async def null(self, length: int, number: int, sent: Callable[[], None]) -> None:
        """The download alone."""
        async with self._web.stream("GET", self._url(length, number)) as response:
            async for _ in response.aiter_bytes():
                pass

    def _url(self, length: int, number: int) -> str:
        return f"{self._provider}/openai/v1/videos/{length}-{number}/content"


async def all_of(way: Way, length: int, numbers: range, at_once: int) -> None:
    """So many videos; the bytes of some at once are under way, as in a worker that has so many slots."""
    streams, steps = asyncio.Semaphore(at_once), asyncio.Semaphore(Slots(at_once).most)

    async def one(number: int) -> None:
        held = True

        def sent() -> None:
            nonlocal held
            if held:
                held = False
                streams.release()

        try:
            await way(length, number, sent)
        finally:
            sent()
            steps.release()

    async with asyncio.TaskGroup() as group:
        for number in numbers:
            await steps.acquire()
            await streams.acquire()
            group.create_task(one(number))


def finished(length: int, number: int) -> Item:
    """An item whose video is rendered."""
    spec = Spec(f"{length}-{number}", "A paper boat", "any", "1280x720", 4, "v1:x", {"market": "Åre"})
    made = Attempt.parse(1, {"deployment": "east", "scope": "s", "remote_id": f"{length}-{number}"})
    fields: dict[str, Any] = {"content_id": f"{length}-{number}"}
    return Item(Ref("ours", spec.key), State.ARCHIVING, 5, spec, 1, made, None, None, "east", fields)
