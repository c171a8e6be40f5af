"""Reading an archived batch back against its receipts: what is missing, what was changed, and what nobody knows of.

The archive alone suffices: no ledger is asked. `results.jsonl` is a second witness, for videos that are gone together
with their receipts.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import aclosing
from typing import TypeVar

from workers.archiving.editions import DOCUMENTS, SHEET, edition
from workers.archiving.ours import is_ours
from workers.archiving.verdict import Verdict
from workers.archiving.witness import Expected, NoReceipt, listed, read_receipt
from workers.sinks import ArchiveError, ArchiveUnavailable, NotThere, Sink, TooLarge
from workers.sinks.stream import in_thread

#: Objects looked at at once: bytes wait for one line, properties for an answer each.
READS, LOOKS = 4, 16
#: The folder of a batch's input images, which are named by their SHA-256.
INPUTS = "inputs"

T = TypeVar("T")
Progress = Callable[[int, int, int], None]


class Verification:
    """One batch's folder, read back. With `quick` the properties are compared, and no video is read."""

    def __init__(self, sink: Sink, batch: str, *, quick: bool, progress: Progress) -> None:
        """`progress` is told how many receipts were looked at, how many there are, and how many bytes were read."""
        self._sink, self._batch, self._quick, self._progress = sink, batch, quick, progress
        self._found = Verdict()
        self._names: set[str] = set()
        self._known: set[str] = set()  # names that are accounted for
        self._unreadable: dict[str, str] = {}  # what should be a receipt by its name, and why it is none
        self._sums: dict[str, str] = {}  # video → SHA-256, as its receipt has it
        self._looked = self._receipts = 0

    async def run(self) -> Verdict | None:
        """The verdict; None where there is no such batch in the archive. Raises ArchiveError."""
        self._names = await _set(self._sink.names(self._batch))
        folders = await _set(self._sink.names(self._batch, folders=True))
        if not self._names and not folders:
            return None
        await self._look_at(name for name in sorted(self._names) if name.endswith(".json"))
        await self._ask_results()
        if INPUTS in folders:
            inputs = sorted(await _set(self._sink.names(f"{self._batch}/{INPUTS}")))
            await _each(inputs, self._input, READS)
        # A batch may still be running: a video whose receipt came meanwhile is no stranger.
        again = await _set(self._sink.names(self._batch))
        await self._look_at(name for name in sorted(again - self._names) if name.endswith(".json"))
        for name in sorted((self._names & again) - self._known):
            self._found.extra[name] = "no receipt names it"
        for folder in sorted(folders - {INPUTS}):
            self._found.extra[f"{folder}/"] = "a batch has no such folder"
        return self._found

    async def _look_at(self, receipts: Iterable[str]) -> None:
        """Receipts, and what they stand for."""
        names = list(receipts)
        self._receipts += len(names)
        await _each(names, self._receipt, LOOKS if self._quick else READS)
        self._judge_unreadable()

    async def _receipt(self, name: str) -> None:
        try:
            expected = read_receipt(name, await self._sink.read(f"{self._batch}/{name}"), self._batch)
        except NotThere:
            self._found.missing[name] = "it was there a moment ago"
        except NoReceipt as error:
            self._unreadable[name] = str(error)
        else:
            self._known |= {name, expected.name}
            self._sums[expected.place] = expected.sha256
            await self._video(expected)
            if expected.poster:
                self._known.add(expected.poster)
                await self._poster(expected.poster, expected.poster_sha256)
        self._looked += 1
        self._progress(self._looked, self._receipts, self._found.read)

    def _judge_unreadable(self) -> None:
        """Of a file that is no receipt at all, nothing is known; one beside a video was one, unless another receipt
        speaks of that video: then it is somebody's own."""
        for name, why in self._unreadable.items():
            video = f"{name.removesuffix('.json')}.mp4"
            if video in self._names and video not in self._known:
                self._known |= {name, video}
                self._found.changed[name] = f"it is no receipt any more ({why}): its video cannot be compared"

    async def _poster(self, name: str, sha256: str | None) -> None:
        try:
            if not await self._stands(name):
                raise NotThere(name)
            data = await self._sink.read(f"{self._batch}/{name}") if sha256 and not self._quick else None
            if data is not None and hashlib.sha256(data).hexdigest() != sha256:
                self._found.changed[name] = "the poster has another SHA-256 than its receipt says"
        except NotThere:
            self._found.missing[name] = "the poster that its receipt names"
        except TooLarge as error:
            self._found.changed[name] = f"it is no poster any more: {error}"

    async def _video(self, expected: Expected) -> None:
        """Compare one video with what is known of it."""
        self._found.checked += 1
        try:
            wrong = await self._difference(expected)
        except NotThere:
            self._found.missing[expected.name] = "the video that its receipt stands for"
        except ArchiveUnavailable:
            raise
        except ArchiveError as error:
            self._found.changed[expected.name] = f"it cannot be read: {error}"
        else:
            if wrong:
                self._found.changed[expected.name] = wrong

    async def _difference(self, expected: Expected) -> str | None:
        """What is not as the receipt says, in words. Raises NotThere, ArchiveError."""
        there = await self._sink.stat(expected.place)
        if there is None:
            raise NotThere(f"There is no {expected.place}.")
        if there.bytes != expected.bytes:
            return f"it has {there.bytes} bytes instead of {expected.bytes}"
        if not self._quick and await self._sha256(expected.place) != expected.sha256:
            return "its bytes have another SHA-256"
        if None not in (there.md5, expected.md5) and there.md5 != expected.md5:
            return "another MD5 is recorded with it"
        if None not in (there.content_type, expected.content_type) and there.content_type != expected.content_type:
            return f"it is served as {there.content_type} instead of {expected.content_type}"
        self._found.by_length += self._quick and None in (there.md5, expected.md5)
        return None

    async def _sha256(self, place: str) -> str:
        digest = hashlib.sha256()
        async with aclosing(self._sink.chunks(place)) as chunks:
            async for chunk in chunks:
                await in_thread(digest.update, chunk)
                self._found.read += len(chunk)
                self._progress(self._looked, self._receipts, self._found.read)
        return digest.hexdigest()

    async def _ask_results(self) -> None:
        """The documents of a batch that was reported, and what they say of videos."""
        editions = {}
        for name in sorted(self._names):
            found = edition(name)
            stat = await self._sink.stat(f"{self._batch}/{name}") if found else None
            if found and stat and await is_ours(self._sink, f"{self._batch}/{name}", stat):
                editions[name] = found
        self._known |= editions.keys()
        there = {document for document, _ in editions.values()}
        if there - {SHEET}:  # a contact sheet is there before the batch ends
            for name in set(DOCUMENTS) - there:
                self._found.missing[name] = "the other documents of the batch are there"
        results = [(number, name) for name, (document, number) in editions.items() if document == "results.jsonl"]
        if not results:
            return
        newest = max(results)[1]
        try:
            async with aclosing(self._sink.chunks(f"{self._batch}/{newest}")) as chunks:
                async for row in listed(chunks, self._batch):
                    await self._witnessed(row)
        except (KeyError, TypeError, ValueError) as error:
            self._found.changed[newest] = f"it cannot be read: {error}"

    async def _witnessed(self, row: Expected) -> None:
        """A video that the results name."""
        known = self._sums.get(row.place)
        if known == row.sha256:
            return
        if known is not None:
            self._found.changed[row.receipt] = "it names another SHA-256 than results.jsonl"
        elif row.receipt not in self._known:
            if row.receipt not in self._names and await self._stands(row.receipt):
                return  # it came meanwhile, and is looked at after this
            self._known |= {row.receipt, row.name}
            kind = self._found.changed if row.receipt in self._names else self._found.missing
            kind[row.receipt] = "the receipt of a video that results.jsonl names"
            await self._video(row)

    async def _stands(self, name: str) -> bool:
        """Whether a file of the folder is there: it may have come since the folder was listed."""
        return name in self._names or await self._sink.stat(f"{self._batch}/{name}") is not None

    async def _input(self, name: str) -> None:
        """An input image, whose name is its SHA-256."""
        if not self._quick and await self._sha256(f"{self._batch}/{INPUTS}/{name}") != name:
            self._found.changed[f"{INPUTS}/{name}"] = "an input image is named for the SHA-256 of its bytes"


async def _each(items: Iterable[T], work: Callable[[T], Awaitable[None]], at_once: int) -> None:
    """Work through items, so many at once. The first error ends all."""
    left = iter(items)

    async def take() -> None:
        for item in left:
            await work(item)

    takers = [asyncio.create_task(take()) for _ in range(at_once)]
    try:
        await asyncio.gather(*takers)
    finally:
        for taker in takers:
            taker.cancel()
        await asyncio.gather(*takers, return_exceptions=True)


async def _set(names: AsyncIterator[str]) -> set[str]:
    return {name async for name in names}
