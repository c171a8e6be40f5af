"""A worker that kills itself (SIGKILL) the first time it comes to the point that the environment names: `KILL_AT`.

The points are set from outside, around the methods that every step goes through; the product knows nothing of them.
"""

from __future__ import annotations

import asyncio
import functools
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import azure.storage.blob.aio

from dailies.rendering import working
from orchestrator import logs
from orchestrator.admission import circuit, looks
from orchestrator.admission.controller import Admission
from orchestrator.items.states import Event
from orchestrator.ledger.store import Store
from orchestrator.settings import load_settings
from workers.arq_queue import ArqQueue
from workers.sinks.directory import DirectorySink
from workers.sinks.part_file import PartFile
from workers.video_api.departure import Departure
from workers.video_api.videos import VideosClient

When = Callable[..., bool]


def reach(point: str) -> None:
    """Die here, if this is the point."""
    if os.environ["KILL_AT"] == point:
        sys.stderr.flush()
        os.kill(os.getpid(), signal.SIGKILL)


def always(*_: Any, **__: Any) -> bool:
    return True


def around(owner: Any, name: str, point: str, when: When = always) -> None:
    """Points before and after a method, or a function of a module, wherever the call is such a one."""
    call = getattr(owner, name)

    @functools.wraps(call)
    async def waited(*args: Any, **more: Any) -> Any:
        meant = when(*args, **more)
        if meant:
            reach(f"{point}.before")
        answer = await call(*args, **more)
        if meant:
            reach(f"{point}.after")
        return answer

    @functools.wraps(call)
    def done(*args: Any, **more: Any) -> Any:
        meant = when(*args, **more)
        if meant:
            reach(f"{point}.before")
        answer = call(*args, **more)
        if meant:
            reach(f"{point}.after")
        return answer

    setattr(owner, name, waited if asyncio.iscoroutinefunction(call) else done)


def decides(event: Event) -> When:
    return lambda _, ref, version, decision: decision.event is event


def is_named(end: str) -> When:
    return lambda _, name, *__, **___: name.endswith(end)


def around_the_wire() -> None:
    """A create that is on its way; a list that is read page by page; a download that has begun."""
    trace, listed, content = Departure.trace, VideosClient.list, VideosClient.content

    async def traced(self: Departure, event: str, info: Any) -> None:
        await trace(self, event, info)
        if event.endswith("receive_response_headers.started"):
            reach("post.sent")

    async def listing(self: VideosClient, *, since: float) -> AsyncIterator[Any]:
        reach("listing.before")
        async for job in listed(self, since=since):
            yield job
        reach("listing.after")

    @asynccontextmanager
    async def begun(self: VideosClient, content_id: str) -> AsyncIterator[Any]:
        reach("download.before")
        async with content(self, content_id) as opened:
            reach("download.begun")
            yield opened

    Departure.trace = traced  # type: ignore[method-assign]
    VideosClient.list = listing  # type: ignore[method-assign]
    VideosClient.content = begun  # type: ignore[method-assign]


def set_points() -> None:
    """All of them; one is meant."""
    around(Admission, "ask", "admission")
    around(ArqQueue, "put", "queue", lambda _, claims: any(claim.step == "create" for claim in claims))
    around(Store, "intend", "intent")
    around(VideosClient, "create", "post")
    around(Store, "accept", "accept", lambda *_, how, **__: how == "answer")
    around(Store, "accept", "adopt", lambda *_, how, **__: how != "answer")
    around(VideosClient, "get", "look")
    around(looks, "observe", "observed")
    around(Store, "apply", "succeeded", decides(Event.SUCCEEDED))
    around(Store, "apply", "resent", decides(Event.RESENT))
    around(Store, "apply", "uncertain", decides(Event.UNCERTAIN))
    around(PartFile, "write", "stage", lambda part, _: part._final.suffix == ".mp4")
    around(PartFile, "publish", "commit", lambda part, *_, **__: part._final.suffix == ".mp4")
    for sink in (DirectorySink, azure.storage.blob.aio.BlobClient):
        if sink is DirectorySink:
            around(sink, "write", "receipt", is_named(".json"))
            around(sink, "save", "results", is_named("results.csv"))
            around(sink, "save", "sheet", is_named("index.html"))
        else:
            around(sink, "upload_blob", "put", lambda blob, *_, **__: blob.blob_name.endswith(".mp4"))
            around(sink, "stage_block", "block", lambda blob, *_, **__: blob.blob_name.endswith(".mp4"))
            around(sink, "commit_block_list", "blocks", lambda blob, *_, **__: blob.blob_name.endswith(".mp4"))
    around(Store, "apply", "archived", decides(Event.ARCHIVED))
    around(Store, "end_report", "reported")
    around(circuit, "claim", "probe")
    around(circuit, "passed", "passed")
    around_the_wire()


def work(path: Path, environ: dict[str, str]) -> None:
    """The whole life of a process: it ends at the point, or never."""
    os.environ.update(environ)
    logs.configure(json=True, level="error")
    set_points()
    asyncio.run(working.work(load_settings(path), "create,poll,archive,reconcile"))
