"""Encodes films in a thread of its own, each kind once, however many jobs ask for it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from sandbox.films.encoder import encode
from sandbox.films.film import Film
from sandbox.films.scene import FilmSpec
from sandbox.films.stills import Format, measure, spritesheet, thumbnail

P = ParamSpec("P")
R = TypeVar("R")


class Studio:
    """Belongs to one event loop. One thread: encoding never takes more than one core from the rest."""

    def __init__(self, pad_bytes: int = 0) -> None:
        self._pad_bytes = pad_bytes
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="sandbox-studio")
        self._pictures: dict[FilmSpec, asyncio.Future[bytes]] = {}

    def prepare(self, spec: FilmSpec) -> asyncio.Future[bytes]:
        """Begin to encode, if nobody has yet. A failed encoding is tried again by the next who asks."""
        found = self._pictures.get(spec)
        if found is None or (found.done() and (found.cancelled() or found.exception() is not None)):
            found = asyncio.get_running_loop().run_in_executor(self._thread, encode, spec)
            self._pictures[spec] = found
        return found

    async def film(self, spec: FilmSpec, name: str) -> Film:
        """The film of the content id `name`. Waits for the encoding where that is still going on."""
        return Film(await asyncio.shield(self.prepare(spec)), name, self._pad_bytes)

    async def thumbnail(self, spec: FilmSpec, kind: Format) -> bytes:
        """One picture of the film."""
        return await self._run(thumbnail, spec, kind)

    async def spritesheet(self, spec: FilmSpec) -> bytes:
        """Four small pictures side by side, as JPEG."""
        return await self._run(spritesheet, spec)

    async def inspect(self, data: bytes) -> tuple[int, int] | None:
        """Width and height of a picture in any format that the APIs take; None where it is no picture."""
        return await self._run(measure, data)

    async def _run(self, work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, lambda: work(*args, **kwargs))

    def close(self) -> None:
        self._thread.shutdown(wait=False, cancel_futures=True)
