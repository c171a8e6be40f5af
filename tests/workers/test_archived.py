"""What the archive has already is neither rendered nor paid for again: receipts are believed, and reused."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from manifests import Item as ManifestItem
from orchestrator.items.states import Event, State
from orchestrator.ledger.keys import Ref
from orchestrator.ledger.records import Attempt, Item, Spec
from tests.ledger import deployment, item
from workers.archiving.archived import ArchivedRows
from workers.archiving.delivery import Delivery
from workers.archiving.proof import VideoFacts
from workers.archiving.receipt import receipt, receipt_name
from workers.archiving.reuse import reuse
from workers.sinks.directory import DirectorySink

pytestmark = pytest.mark.asyncio

FACTS = VideoFacts(4.0, 1280, 720, True, "mp4")
PAID = {"deployment": "east", "remote_id": "video_1", "price": "400000", "request_id": "r1", "created_at": "1790000000"}


def ordered(row: ManifestItem, batch: str = "spring", **fields: str) -> Item:
    spec = Spec(row.key, row.prompt, row.model, row.size, row.seconds, row.fingerprint, dict(row.labels))
    attempt = Attempt.parse(1, PAID) if not fields else None
    facts = {"made": "1", **fields}
    return Item(Ref(batch, row.key), State.ARCHIVING, 3, spec, 1, attempt, None, None, "east", facts)


async def put(sink: DirectorySink, row: ManifestItem, *, file: str | None = None, video: bool = True) -> None:
    """A video and its receipt, as the archive step writes them."""
    name = f"spring/{file or row.key}.mp4"
    if video:
        await sink.write(name, b"mp4", "video/mp4")
    delivery = Delivery(name, sink.url + name, 3, "5ha", "3d5", "video/mp4", FACTS, ())
    paper = receipt(ordered(row), delivery, 1_790_000_100.0)
    await sink.write(receipt_name(name), paper.dump(), "application/json")


@pytest.fixture
def sink(tmp_path: Path) -> DirectorySink:
    return DirectorySink(tmp_path)


async def found(sink: DirectorySink, *rows: ManifestItem) -> dict[str, Any]:
    return dict(await ArchivedRows(sink, "spring", [deployment()]).find(rows))


async def test_a_row_is_found_by_its_receipt_with_all_that_was_paid(sink: DirectorySink) -> None:
    await put(sink, item("a"))
    paper = (await found(sink, item("a"), item("b")))["a"]
    assert paper["item"]["file"] == "a.mp4"
    assert (paper["attempt"]["remote_id"], paper["attempt"]["price"]) == ("video_1", 400_000)
    assert paper["attempt"]["created_at"] == 1_790_000_000


async def test_another_content_under_the_same_key_is_not_taken_for_it(sink: DirectorySink) -> None:
    await put(sink, item("a"))
    assert await found(sink, item("a", seconds=8)) == {}


@pytest.mark.parametrize("file", ["a~2", "a.video_1"])
async def test_a_second_content_and_a_second_name_are_found_too(sink: DirectorySink, file: str) -> None:
    await put(sink, item("a", prompt="before"))
    await put(sink, item("a"), file=file)
    assert (await found(sink, item("a")))["a"]["item"]["file"] == f"{file}.mp4"


async def test_a_receipt_without_its_video_proves_nothing(sink: DirectorySink) -> None:
    await put(sink, item("a"), video=False)
    assert await found(sink, item("a")) == {}


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b'{"fingerprint": 3}', b"\xff"])
async def test_what_is_no_receipt_is_passed_over(sink: DirectorySink, data: bytes) -> None:
    await sink.write("spring/a.json", data, "application/json")
    assert await found(sink, item("a")) == {}


async def test_an_item_that_takes_anothers_video_gets_a_receipt_of_its_own(sink: DirectorySink) -> None:
    await put(sink, item("a"))
    row = item("x", prompt="prompt of a", labels={"market": "se"})
    decision = await reuse(sink, ordered(row, "summer", reused="spring/a.mp4"))
    assert (decision.event, decision.money) == (Event.ARCHIVED, None)
    assert decision.item["file"] == "../spring/a.mp4"
    paper = json.loads(await sink.read("summer/x.json"))
    expected = ("summer", "x", {"market": "se"}, 0.0, "spring/a.mp4", "5ha")
    assert tuple(paper[n] for n in ("batch", "key", "labels", "cost_usd", "reused", "sha256")) == expected


async def test_a_reused_video_is_found_again_by_that_receipt(sink: DirectorySink) -> None:
    await put(sink, item("a"))
    row = dataclasses.replace(item("x"), prompt="prompt of a")
    await reuse(sink, ordered(row, "summer", reused="spring/a.mp4"))
    rows = ArchivedRows(sink, "summer", [deployment()])
    paper: Any = (await rows.find([row]))["x"]
    assert (paper["item"]["file"], paper["attempt"]["price"]) == ("../spring/a.mp4", 0)
    assert paper["item"]["reused"] == "spring/a.mp4"


@pytest.mark.parametrize("wrong", ["no video", "cut", "other content"])
async def test_a_video_that_is_gone_or_another_is_not_reused(sink: DirectorySink, wrong: str) -> None:
    await put(sink, item("a"), video=wrong != "no video")
    if wrong == "cut":
        await sink.write("spring/a.mp4", b"m", "video/mp4")
    row = item("x", prompt="else" if wrong == "other content" else "prompt of a")
    decision = await reuse(sink, ordered(row, "summer", reused="spring/a.mp4"))
    assert decision.event is Event.UNLINKED


async def test_the_receipt_of_a_paid_video_is_never_overwritten(sink: DirectorySink) -> None:
    await put(sink, item("a"))
    paid = json.loads(await sink.read("spring/a.json"))
    await sink.write("summer/x.mp4", b"mp4", "video/mp4")
    await sink.write("summer/x.json", json.dumps({**paid, "remote_id": "video_2", "fingerprint": "v1:0"}).encode(), "")
    row = item("x", prompt="prompt of a")
    for _ in range(2):  # a step that died after writing does it again
        assert (await reuse(sink, ordered(row, "summer", reused="spring/a.mp4"))).event is Event.ARCHIVED
    assert json.loads(await sink.read("summer/x.json"))["remote_id"] == "video_2"
    rows = ArchivedRows(sink, "summer", [deployment()])
    assert "x" in await rows.find([row]), "its own receipt is found too"


async def test_a_receipt_of_before_it_named_its_file_is_believed(sink: DirectorySink) -> None:
    await put(sink, item("a"))
    paper = json.loads(await sink.read("spring/a.json"))
    del paper["file"]
    await sink.write("spring/a.json", json.dumps(paper).encode(), "application/json")
    assert (await found(sink, item("a")))["a"]["item"]["file"] == "a.mp4"


async def test_reusing_a_video_whose_receipt_is_gone_fails_and_pays_nothing(sink: DirectorySink) -> None:
    decision = await reuse(sink, ordered(item("x"), "summer", reused="spring/a.mp4"))
    assert (decision.event, decision.item["reason"]) == (Event.UNLINKED, "reuse_missing")
