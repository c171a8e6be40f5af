"""`dailies show`: one item's life, in words and times that people read."""

from __future__ import annotations

import pytest

from dailies.mending.recovering import Endpoint, Recovered, words
from dailies.reading.documents import item_document
from dailies.reading.looking import print_item
from orchestrator.items.states import State
from orchestrator.ledger.keys import Ref
from orchestrator.ledger.records import Attempt, Item, Spec
from tests.workers.test_poller import job
from workers.recovering.recovery import Looked
from workers.video_api import RemoteStatus

FIELDS = {
    "url": "file:///videos/spring/mug.mp4",
    "file": "mug.mp4",
    "bytes": "78492",
    "sha256": "61",
    "archived_at": "2026-11-21T14:44:56Z",
    "mismatch": "8.0 s ordered, 4.0 s made; without sound",
}
ORPHAN = {"deployment": "east", "intent_at": "1795272292000", "orphan_id": "video_2", "orphan": "done"}


def archived() -> Item:
    """An item whose first try to archive it failed."""
    spec = Spec("mug", "A mug", "sora-2", "1280x720", 8, "v1:x", {"market": "SE", "note": "it's"})
    attempt = Attempt.parse(1, ORPHAN)
    message = "The file is cut off after 39246 bytes"
    return Item(Ref("spring", "mug"), State.ARCHIVED, 9, spec, 1, attempt, None, message, "east", FIELDS)


def test_times_labels_and_what_is_not_as_ordered_are_shown_as_people_write_them(
    capsys: pytest.CaptureFixture[str],
) -> None:
    item = archived()
    assert item.attempt is not None
    print_item(item_document(item, [item.attempt]))
    said = capsys.readouterr().out
    for line in (
        "  labels: market: SE, note: it's",
        "    orphan: id: video_2, state: done",
        "    intent_at: 2026-11-21T14:44:52Z",
        "  archived_at: 2026-11-21T14:44:56Z",
        "  mismatch: 8.0 s ordered, 4.0 s made; without sound",
    ):
        assert line in said.splitlines()


def test_why_an_archiving_failed_before_it_succeeded_is_no_word_about_the_video() -> None:
    assert item_document(archived(), [])["message"] is None


def test_recover_says_how_many_jobs_it_does_not_name() -> None:
    strays = tuple(job(RemoteStatus.SUCCEEDED) for _ in range(7))
    looked = Looked(listed=7, adopted=0, strays=strays)
    lines = words(Recovered((), (Endpoint(("east",), looked),)))
    assert "  and 2 more: dailies reconcile --audit lists all of them" in lines
