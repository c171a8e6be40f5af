"""What a listing says about a create whose answer never came (promises 8 to 11). Pure."""

from __future__ import annotations

from typing import Any

from orchestrator.keys import Ref
from orchestrator.records import Attempt, Item, Spec
from orchestrator.states import State
from tests.ledger import deployment
from workers.reconcile import Adopt, Hold, Listing, Resend, decide
from workers.video_api import RemoteJob, RemoteStatus

INTENT = 1_790_000_000.0


def unknown(**fields: str) -> Item:
    spec = Spec("a", "a paper boat", "sora-2", "1280x720", 4, "v1:x", {})
    made = {"deployment": "east", "scope": "s", "intent_at": str(INTENT * 1000)}
    return Item(Ref("b", "a"), State.CREATING, 3, spec, 1, Attempt.parse(1, made), None, None, "east", fields)


def listed(remote_id: str, **more: Any) -> RemoteJob:
    facts = {"created_at": INTENT + 1, "prompt": "a paper boat", "size": "1280x720", "seconds": 4}
    return RemoteJob(remote_id, RemoteStatus.RUNNING, "queued", **{**facts, **more})


KNOWN = listed("video_known", created_at=INTENT - 60, prompt="another")


def listing(*jobs: RemoteJob, newest: str | None = "video_known", **owners: str) -> Listing:
    return Listing(jobs, {"video_known": "b/z#1", **owners}, newest)


def find(*jobs: RemoteJob, item: Item | None = None, newest: str | None = "video_known", **owners: str) -> object:
    return decide(item or unknown(), listing(*jobs, newest=newest, **owners), deployment())


def test_the_job_with_our_prompt_made_after_our_intent_is_adopted() -> None:
    assert find(listed("video_1"), KNOWN) == Adopt("video_1")


def test_a_job_that_belongs_to_another_attempt_is_never_adopted() -> None:
    assert find(listed("video_1"), KNOWN, video_1="b/c#1") == Resend()


def test_a_job_that_is_already_ours_is_taken_up_again() -> None:
    assert find(listed("video_1"), KNOWN, video_1="b/a#1") == Adopt("video_1")


def test_a_job_of_another_time_size_or_length_is_not_ours() -> None:
    others = (
        listed("video_1", created_at=INTENT - 30),
        listed("video_2", created_at=INTENT + 10_000),
        listed("video_3", size="720x1280"),
        listed("video_4", seconds=8),
    )
    assert find(*others, KNOWN) == Resend()


def test_of_several_takes_of_one_prompt_the_nearest_in_time_is_adopted() -> None:
    assert find(listed("video_2", created_at=INTENT + 9), listed("video_1"), KNOWN) == Adopt("video_1")


def test_an_empty_listing_proves_nothing() -> None:
    assert isinstance(find(newest="video_known"), Hold)


def test_a_listing_without_the_newest_job_that_we_know_proves_nothing() -> None:
    assert isinstance(find(listed("video_9", prompt="another"), newest="video_known"), Hold)


def test_a_first_create_without_any_known_job_is_held() -> None:
    assert isinstance(find(newest=None), Hold)


def test_a_hidden_prompt_of_the_same_shape_and_time_is_held_not_guessed() -> None:
    assert isinstance(find(listed("video_1", prompt=None), KNOWN), Hold)


def test_an_item_is_sent_again_only_once() -> None:
    assert isinstance(find(KNOWN, item=unknown(resent="1")), Hold)
