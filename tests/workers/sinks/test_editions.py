"""A batch's documents: rewritten in place, beside what is somebody else's, and as few as possible where all is kept."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from orchestrator.ledger.store import Store
from orchestrator.reports.document_names import document_name
from tests.ledger import batch_of
from tests.workers.test_filing import Keeping
from tests.workers.test_fresh_sheet import BOTH, claimed, finish, started, station
from workers.archiving import ours
from workers.archiving.editions import SHEET, newest, publish
from workers.report import report
from workers.sinks import NameTaken, Sink, WriteRefused
from workers.sinks.directory import DirectorySink

pytestmark = pytest.mark.asyncio

PAGE = "<!doctype html>\n<title>spring · dailies</title>"
TABLE = "key,state,reason,billed,cost_usd,url,sha256,deployment,remote_id,attempts\r\n"
ROW = '{"key": "a", "state": "archived", "reason": null, "billed": "yes", "cost_usd": 1, "url": null, "sha256": "", '
ROW += '"deployment": "east", "remote_id": "v", "attempts": 1}\n'


class Numbering(Keeping):
    """As a container under a policy: what would be rewritten gets the next name."""

    async def save(self, name: str, chunks: Any, **more: Any) -> Any:
        more["replace"] = False
        return await super().save(name, chunks, **more)


async def put(sink: Sink, document: str, text: str) -> str:
    async def pieces() -> AsyncIterator[str]:
        yield text

    return await publish(sink, "spring", document, pieces(), claim="c", accept=lambda _: None)


def laid(folder: Path, name: str, text: str) -> Path:
    """A file that somebody put there."""
    path = folder / "spring" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, newline="")
    return path


async def test_a_page_takes_the_place_of_the_last_one(tmp_path: Path) -> None:
    sink = DirectorySink(tmp_path)
    assert [await put(sink, SHEET, text) for text in ("1", "2")] == [SHEET, SHEET]
    assert (tmp_path / "spring" / SHEET).read_text() == "2"


@pytest.mark.parametrize("probed", [True, False])
async def test_somebody_else_s_page_stays_and_ours_stands_beside_it(tmp_path: Path, probed: bool) -> None:
    theirs = laid(tmp_path, SHEET, "<!doctype html><title>Our campaign</title>")
    sink = DirectorySink(tmp_path)
    if probed:
        await sink.probe()
    assert [await put(sink, SHEET, PAGE + each) for each in "12"] == ["index.2.html"] * 2  # ours is rewritten
    assert "Our campaign" in theirs.read_text()
    assert await newest(sink, "spring", SHEET) == "index.2.html"
    theirs.unlink()
    assert await newest(sink, "spring", SHEET) == "index.2.html"
    assert await put(sink, SHEET, PAGE) == "index.2.html"


async def test_results_that_somebody_worked_in_and_saved_are_theirs(tmp_path: Path) -> None:
    """A spreadsheet program writes another file and gives it the name; an editor may write into the same one."""
    sink = DirectorySink(tmp_path)
    await sink.probe()
    assert await put(sink, "results.csv", TABLE) == "results.csv"
    noted = laid(tmp_path, "notes.csv", TABLE + "hero,archived,my note\r\n")
    os.replace(noted, tmp_path / "spring/results.csv")
    assert await put(sink, "results.csv", TABLE) == "results.2.csv"
    with (tmp_path / "spring/results.2.csv").open("a") as file:
        file.write("another note")
    assert await put(sink, "results.csv", TABLE) == "results.3.csv"
    assert "my note" in (tmp_path / "spring/results.csv").read_text()


@pytest.mark.parametrize(
    ("document", "text", "is_ours"),
    [
        (SHEET, PAGE, True),
        (SHEET, "<!DOCTYPE html><html>hello", False),
        ("results.csv", TABLE, True),
        ("results.csv", "\ufeff" + TABLE.replace(",", ";"), False),
        ("results.csv", "key,prompt\r\n", False),
        ("results.jsonl", ROW, True),
        ("results.jsonl", ROW.replace('"a"', f'"{"a" * ours.HEAD}"'), False),
        ("results.jsonl", '{"key": "a"}\n', False),
        ("results.jsonl", "[1]\n", False),
        ("results.jsonl", "notes", False),
    ],
)
async def test_where_nothing_was_noted_the_content_tells(
    sink: Sink, tmp_path: Path, document: str, text: str, is_ours: bool
) -> None:
    """As with the blobs of an older release, and on a file system without attributes."""
    store: Any = sink
    name = f"spring/{document}"
    if isinstance(sink, DirectorySink):
        laid(tmp_path / "archive", document, text)
    else:
        await store._blob(name).upload_blob(text.encode())
    assert await newest(sink, "spring", document) == (document if is_ours else None)
    stem, _, ending = document.rpartition(".")
    assert await put(sink, document, text) == (document if is_ours else f"{stem}.2.{ending}")


async def test_a_blob_of_ours_is_known_whatever_it_holds_until_somebody_else_writes_it(blob_sink: Any) -> None:
    assert await put(blob_sink, SHEET, "anything") == SHEET
    assert await put(blob_sink, SHEET, "anything else") == SHEET
    await blob_sink._blob(f"spring/{SHEET}").upload_blob(b"theirs", overwrite=True)
    assert await put(blob_sink, SHEET, PAGE) == "index.2.html"
    assert await blob_sink.read(f"spring/{SHEET}") == b"theirs"


async def test_a_name_that_is_taken_while_the_page_is_written_stays_with_whoever_took_it(tmp_path: Path) -> None:
    class Raced(DirectorySink):
        async def save(self, name: str, chunks: Any, **more: Any) -> Any:
            laid(tmp_path, SHEET, "theirs")
            answer = await super().save(name, chunks, **more)
            assert isinstance(answer, NameTaken)
            return answer

    with pytest.raises(WriteRefused, match=r"index\.html was taken"):
        await put(Raced(tmp_path), SHEET, PAGE)
    assert (tmp_path / "spring" / SHEET).read_text() == "theirs"


async def test_an_archive_that_keeps_all_gets_an_edition_only_where_it_says_something_new(tmp_path: Path) -> None:
    sink = Numbering(tmp_path)
    texts = ("1", "1", "2", "2", "1")
    names = [await put(sink, SHEET, text) for text in texts]
    assert names == [SHEET, SHEET, "index.2.html", "index.2.html", "index.3.html"]
    assert await newest(sink, "spring", SHEET) == "index.3.html"


async def test_a_report_that_is_tried_again_and_again_leaves_one_edition_where_all_is_kept(
    store: Store, tmp_path: Path
) -> None:
    """A worker that dies right before the ledger knows of its report must not leave a page each time."""
    (a,) = await started(store, "a")
    await finish(store, a)
    (claim,) = await claimed(store, BOTH)
    at = station(store, tmp_path, sink=Numbering(tmp_path))

    async def dies(*_: object, **__: object) -> bool:
        return False

    ends, store.end_report = store.end_report, dies  # type: ignore[method-assign]
    for _ in range(3):
        await report(at, "spring", claim.version)
    store.end_report = ends  # type: ignore[method-assign]
    await report(at, "spring", claim.version)
    names = sorted(path.name for path in (tmp_path / "spring").iterdir())
    assert names == ["index.html", "results.csv", "results.jsonl"]
    page = (tmp_path / "spring/index.html").read_text()
    assert "its new page stands beside this one: index.2.html" in page


async def test_links_lead_to_the_newest_edition(store: Store, tmp_path: Path) -> None:
    """Of the ledger, by which notices and commands link; and on the page, to its own results."""
    laid(tmp_path, SHEET, "theirs")
    laid(tmp_path, "results.csv", "theirs")
    (a,) = await started(store, "a")
    await finish(store, a)
    (claim,) = await claimed(store, BOTH)
    await report(station(store, tmp_path), "spring", claim.version)
    batch = await batch_of(store)
    named = [document_name(batch, each) for each in (SHEET, "results.csv", "results.jsonl")]
    assert named == ["index.2.html", "results.2.csv", "results.jsonl"]
    page = (tmp_path / "spring/index.2.html").read_text()
    assert '<a href="./results.2.csv">' in page
    assert "This archive keeps each page" not in page
