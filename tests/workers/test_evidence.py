"""What a listing says about a create whose answer never came (promises 8 to 11). Pure."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from orchestrator.items.states import State
from orchestrator.ledger.in_hand import Rival
from orchestrator.ledger.keys import Ref
from orchestrator.ledger.records import Attempt, Item, Spec
from tests.ledger import deployment
from workers.reconciliation.candidates import named
from workers.reconciliation.evidence import (
    Adopt,
    Finding,
    Hold,
    Listing,
    LookAgain,
    Reading,
    Resend,
    decide,
    may_matter,
    without_list,
)
from workers.reconciliation.reconcile import held
from workers.video_api import RemoteJob, RemoteStatus

INTENT = 1_790_000_000.0
#: create_timeout_s 60 and settle_s 10: a job made by our POST was made by then, and is listed.
PATIENCE = 130.0
LATE = INTENT + 10 * PATIENCE
ABSENT = {"absent_since": str(LATE - 3 * PATIENCE)}


def unknown(prompt: str = "a paper boat", *, attempt: dict[str, str] | None = None, **fields: str) -> Item:
    spec = Spec("a", prompt, "sora-2", "1280x720", 4, "v1:x", {})
    made = {"deployment": "east", "scope": "s", "intent_at": str(INTENT * 1000), **(attempt or {})}
    return Item(Ref("b", "a"), State.CREATING, 3, spec, 1, Attempt.parse(1, made), None, None, "east", fields)


def listed(remote_id: str, **more: Any) -> RemoteJob:
    facts = {"created_at": INTENT + 1, "prompt": "a paper boat", "size": "1280x720", "seconds": 4}
    return RemoteJob(remote_id, RemoteStatus.RUNNING, "queued", **{**facts, **more})


KNOWN = listed("video_known", created_at=INTENT - 60, prompt="another")


def find(
    *jobs: RemoteJob,
    item: Item | None = None,
    at: float = LATE,
    newest: str | None = "video_known",
    clock: Reading | None = None,
    owners: dict[str, str] | None = None,
    rivals: tuple[Rival, ...] = (),
    whole: bool = True,
    **settings: Any,
) -> Finding:
    """`at`: when both clocks showed it that the list was asked for."""
    belongs = {"video_known": "b/z#1", **(owners or {})}
    listing = Listing(jobs, belongs, newest, clock or Reading(at, at, at), rivals, whole)
    return decide(item or unknown(), listing, deployment(**settings))


def test_the_job_with_our_prompt_made_after_our_intent_is_adopted() -> None:
    assert find(listed("video_1"), KNOWN, at=INTENT + PATIENCE) == Adopt("video_1", "prompt")


@pytest.mark.parametrize("offset", [-86_400.0, -20.0, 20.0, 3600.0])
def test_however_far_the_providers_clock_is_off_our_job_is_found(offset: float) -> None:
    clock = Reading(LATE, LATE + offset, LATE + 0.2)
    assert find(listed("video_1", created_at=INTENT + offset + 1), KNOWN, clock=clock) == Adopt("video_1", "prompt")


def test_a_slow_answer_about_the_time_widens_the_window_and_does_not_move_it() -> None:
    clock = Reading(LATE, LATE + 500.0, LATE + 30.0)
    assert clock.span(INTENT) == (INTENT + 470.0, INTENT + 501.0)


@pytest.mark.parametrize(
    ("ordered", "shown"),
    [
        ("a boat\n", "a boat"),
        (" a boat", "a boat"),
        ("a boat\r\nat sea", "a boat\nat sea"),
        ("a boat  \nat sea", "a boat\nat sea"),
        ("Zu\u0308rich", "Zürich"),
    ],
)
def test_a_prompt_that_the_provider_tidied_up_is_still_ours(ordered: str, shown: str) -> None:
    assert find(listed("video_1", prompt=shown), KNOWN, item=unknown(ordered)) == Adopt("video_1", "prompt")


def test_of_several_takes_of_one_prompt_the_nearest_in_time_is_adopted() -> None:
    assert find(listed("video_2", created_at=INTENT + 9), listed("video_1"), KNOWN) == Adopt("video_1", "prompt")


def test_a_job_that_belongs_to_another_attempt_is_never_adopted() -> None:
    mine = unknown(attempt=ABSENT)
    assert find(listed("video_1"), KNOWN, item=mine, owners={"video_1": "b/c#1"}) == Resend()


@pytest.mark.parametrize(
    "other",
    [
        {"size": "720x1280"},
        {"seconds": 8},
        {"created_at": INTENT - 500},
        {"created_at": INTENT + 500},
        {"prompt": None, "created_at": INTENT - 3},
        {"prompt": None, "size": "720x1280"},
        {"prompt": "a paper boat, cinematic, 35 mm"},
        {"prompt": None, "created_at": None},
        {"prompt": "another", "created_at": INTENT - 50},
        {"prompt": "another", "model": "sora-2-2025-12-08"},
    ],
    ids=str,
)
def test_while_a_job_that_may_be_ours_belongs_to_nobody_nothing_is_sent_again(other: dict[str, Any]) -> None:
    """Of another shape or time, without a prompt, or with one that the provider wrote anew: who knows? Promises 9 and
    11: it is named, with its time."""
    for settings in ({}, {"shared": True}):
        found = find(listed("video_1", **other), KNOWN, item=unknown(attempt=ABSENT), **settings)
        assert isinstance(found, Hold)
        assert [job.remote_id for job in found.candidates] == ["video_1"]


def test_a_free_job_of_quite_another_time_and_prompt_is_not_ours() -> None:
    others = (
        listed("video_1", created_at=INTENT - 300, prompt="another"),
        listed("video_2", created_at=INTENT + 300, prompt=None),
    )
    assert find(*others, KNOWN, item=unknown(attempt=ABSENT)) == Resend()


def test_a_job_that_another_create_may_still_claim_is_waited_for() -> None:
    young = listed("video_1", prompt="another", created_at=INTENT + 100)
    assert isinstance(find(young, KNOWN, at=INTENT + 1.5 * PATIENCE), LookAgain)
    assert isinstance(find(young, KNOWN, at=young.created_at + 1.9 * PATIENCE), LookAgain)  # type: ignore[operator]
    assert isinstance(find(young, KNOWN, at=INTENT + 3 * PATIENCE), Hold)


def test_a_job_that_is_another_creates_by_its_words_is_waited_for_until_that_is_decided() -> None:
    """However late both are looked into."""
    others = listed("video_1", prompt="another")
    assert isinstance(find(others, KNOWN, rivals=(rival(),)), LookAgain)
    decided = dataclasses.replace(rival(), undecided=False)
    for rivals in ((decided,), (rival("a third"),), (rival(after_s=-600),), (rival(size="720x1280"),)):
        assert isinstance(find(others, KNOWN, rivals=rivals), Hold)
    assert isinstance(find(others, NAMELESS, KNOWN, rivals=(rival(),)), Hold)


def test_where_other_programs_create_too_two_jobs_of_our_prompt_are_no_proof_nor_is_one_of_another_minute() -> None:
    twice = (listed("video_1"), listed("video_2"))
    assert isinstance(find(*twice, KNOWN, shared=True), Hold)
    assert find(twice[0], KNOWN, shared=True) == Adopt("video_1", "prompt")
    early = listed("video_1", created_at=INTENT - 10)
    assert isinstance(find(early, KNOWN, shared=True), Hold)
    assert find(early, KNOWN) == Adopt("video_1", "prompt")


def test_the_first_listing_without_our_job_proves_nothing_and_is_remembered_in_the_providers_time() -> None:
    finding = find(KNOWN, clock=Reading(LATE, LATE + 3600.0, LATE))
    assert finding == LookAgain(PATIENCE + 1, absent_since=LATE + 3600.0)


def test_the_second_one_counts_only_once_a_post_that_was_out_at_the_first_would_be_listed() -> None:
    mine = unknown(attempt={"absent_since": str(LATE)})
    assert isinstance(find(KNOWN, item=mine, at=LATE + PATIENCE - 1), LookAgain)
    assert find(KNOWN, item=mine, at=LATE + PATIENCE) == Resend()


def test_two_early_listings_prove_nothing_before_the_post_must_have_been_given_up() -> None:
    """The ledger's clock may step while the POST is out, and then the item is looked at at once."""
    mine = unknown(attempt={"absent_since": str(INTENT - 10 * PATIENCE)})
    assert isinstance(find(KNOWN, item=mine, at=INTENT + PATIENCE - 1), LookAgain)


def test_whoever_looks_again_does_so_within_what_is_left_and_never_at_once() -> None:
    mine = unknown(attempt={"absent_since": str(LATE)})
    for left in (0.001, 5.0, 100.0):
        finding = find(KNOWN, item=mine, at=LATE + PATIENCE - left)
        assert isinstance(finding, LookAgain)
        assert 1.0 <= finding.in_s <= left + 1


@pytest.mark.parametrize("gap", ["empty", "stale", "first", "timeless"])
def test_a_listing_that_is_not_proven_whole_proves_nothing(gap: str) -> None:
    """It is empty; it lacks the newest job that we know there; we know none; the provider tells no time."""
    mine = unknown(attempt=ABSENT)
    how: dict[str, Any] = {"item": mine, "newest": None if gap == "first" else "video_known"}
    if gap == "timeless":
        how["clock"] = Reading(LATE, None, LATE)
    jobs = {"empty": (), "stale": (listed("video_9", prompt="another"),), "first": (), "timeless": (KNOWN,)}[gap]
    how["owners"] = {"video_9": "b/y#1"}
    held = find(*jobs, **how)
    assert isinstance(held, Hold)
    missing = "the newest job that we know there is missing from the list too"
    why = {"empty": missing, "stale": missing, "first": "we know of no job there yet", "timeless": "tells no time"}
    assert why[gap] in held.message
    soon = INTENT + PATIENCE
    how["clock"] = Reading(soon, None if gap == "timeless" else soon, soon)
    finding = find(*jobs, **how)
    assert isinstance(finding, LookAgain)
    assert finding.absent_since is None


def test_an_item_is_sent_again_only_once() -> None:
    assert isinstance(find(KNOWN, item=unknown(attempt=ABSENT, resent="1")), Hold)


def test_a_remix_is_known_by_its_prompt_alone() -> None:
    """Its size and seconds are its source's."""
    mine = unknown()
    remix = dataclasses.replace(mine, spec=dataclasses.replace(mine.spec, remix_of="video_0"))
    other_shape = listed("video_1", size="720x1280", seconds=12)
    assert find(other_shape, KNOWN, item=remix) == Adopt("video_1", "prompt")


def rival(prompt: str = "another", *, after_s: float = 5.0, **more: Any) -> Rival:
    """Another create that nobody knows the answer of, so long after ours."""
    spec = dataclasses.replace(unknown(prompt).spec, **{"fingerprint": "v1:y", **more})
    return Rival("b/r#1", spec, INTENT + after_s)


NAMELESS = listed("video_1", prompt=None)


def test_where_prompts_are_hidden_the_only_job_of_our_time_and_shape_is_adopted_by_its_time() -> None:
    """Promise 9."""
    assert find(NAMELESS, KNOWN) == Adopt("video_1", "time")


def test_a_window_is_two_seconds_wider_than_the_create_at_either_end_and_no_more() -> None:
    """Promise 9: by time alone, on the provider's clock."""
    earliest, latest = INTENT - 2, INTENT + 1 + 2 * 60 + 2
    for at in (earliest, latest):
        assert find(listed("video_1", prompt=None, created_at=at), KNOWN) == Adopt("video_1", "time")
    for at in (earliest - 1, latest + 1):
        assert isinstance(find(listed("video_1", prompt=None, created_at=at), KNOWN), Hold)


def test_no_job_is_adopted_by_time_while_another_create_of_its_shape_has_no_answer() -> None:
    """Promise 9."""
    assert isinstance(find(NAMELESS, KNOWN, rivals=(rival(),), at=INTENT + PATIENCE), LookAgain)
    found = find(NAMELESS, KNOWN, rivals=(rival(),))
    assert isinstance(found, Hold)
    assert "another create of that time has no answer either" in found.message
    assert find(NAMELESS, KNOWN, rivals=(rival(size="720x1280"), rival(seconds=12))) == Adopt("video_1", "time")
    assert find(NAMELESS, KNOWN, rivals=(rival(after_s=-600),)) == Adopt("video_1", "time")


def test_no_job_is_adopted_by_time_where_other_programs_create_too() -> None:
    """Promise 9."""
    assert isinstance(find(NAMELESS, KNOWN, shared=True), Hold)


def test_of_two_nameless_jobs_none_is_adopted() -> None:
    """Promise 9: which of the two was it?"""
    assert isinstance(find(NAMELESS, listed("video_2", prompt=None), KNOWN), Hold)
    worded = listed("video_2", prompt="a boat, cinematic")
    assert isinstance(find(NAMELESS, worded, KNOWN), Hold)


def test_a_job_whose_prompt_is_shown_is_never_adopted_by_its_time() -> None:
    """Promise 9: a prompt that is not ours speaks against it."""
    assert isinstance(find(listed("video_1", prompt="another"), KNOWN), Hold)


def test_the_same_words_with_another_picture_are_another_order() -> None:
    """Promise 9: a sheet may ask "turn it slowly" of a hundred pictures, and the list shows none of them."""
    film = rival("a paper boat")
    assert isinstance(find(listed("video_1"), KNOWN, rivals=(film,), at=INTENT + PATIENCE), LookAgain)
    found = find(listed("video_1"), listed("video_2"), KNOWN, rivals=(film,))
    assert isinstance(found, Hold)
    assert {job.remote_id for job in found.candidates} == {"video_1", "video_2"}
    take = rival("a paper boat", fingerprint="v1:x")
    assert find(listed("video_1"), KNOWN, rivals=(take,)) == Adopt("video_1", "prompt")
    assert find(listed("video_1"), KNOWN, rivals=(rival("a paper boat", after_s=900),)) == Adopt("video_1", "prompt")


def test_a_remix_of_somebody_is_no_plain_create_of_ours() -> None:
    """Promise 9."""
    assert isinstance(find(listed("video_1", remixed_from="video_0"), KNOWN), Hold)


def test_the_listing_says_who_is_held_for_which_jobs_newest_first_and_not_without_end() -> None:
    """Promise 11: candidates are named with their times."""
    jobs = [listed(f"video_{n}", prompt=None, created_at=INTENT + n) for n in range(50)]
    found = find(*jobs, KNOWN)
    assert isinstance(found, Hold)
    told = named({"candidates": str(held(found).item["candidates"])})
    assert len(told) == 20
    newest = {"id": "video_49", "created_at": INTENT + 49, "status": "queued", "size": "1280x720", "seconds": 4}
    assert told[0] == newest


def test_a_server_without_a_list_is_not_asked_again_and_again() -> None:
    """Promise 10: nothing is sent again where nothing can be proven, unless a person has chosen to pay twice."""
    mine = unknown()
    early = without_list(mine, deployment(), INTENT + PATIENCE - 1, "HTTP 404")
    assert isinstance(early, LookAgain)
    assert isinstance(without_list(mine, deployment(), INTENT + PATIENCE, "HTTP 404"), Hold)
    paying = deployment(on_unknown="retry")
    assert isinstance(without_list(mine, paying, INTENT + PATIENCE - 1, "HTTP 404"), LookAgain)
    assert without_list(mine, paying, INTENT + PATIENCE, "HTTP 404") == Resend(proven=False)
    again = unknown(resent="1")
    assert isinstance(without_list(again, paying, INTENT + PATIENCE, "HTTP 404"), Hold)


def test_a_list_that_never_shows_what_we_know_is_no_list_either() -> None:
    """Promise 10: an empty listing proves nothing by itself."""
    mine = unknown(attempt=ABSENT)
    assert find(item=mine, on_unknown="retry") == Resend(proven=False)
    assert isinstance(find(item=unknown(attempt=ABSENT, resent="1"), on_unknown="retry"), Hold)
    assert isinstance(find(listed("video_1", prompt=None, size="720x1280"), on_unknown="retry"), Hold)


def test_of_a_long_list_only_what_may_be_ours_is_kept() -> None:
    """Promise 8: bounded memory, however many others there are."""
    clock = Reading(LATE, LATE, LATE)

    def kept(**more: Any) -> bool:
        return may_matter(listed("video_1", **more), unknown(), clock, deployment())

    assert kept(created_at=INTENT - 500)  # of our prompt
    assert kept(prompt="another")
    assert kept(prompt=None, created_at=None)
    assert not kept(prompt="another", created_at=INTENT - 500)
    assert not kept(prompt=None, created_at=INTENT + 500)


def test_a_list_that_repeats_its_first_page_proves_nothing() -> None:
    """Promise 10: behind it there may be the one that is looked for."""
    assert isinstance(find(KNOWN, item=unknown(attempt=ABSENT), whole=False), Hold)
    assert find(listed("video_1"), KNOWN, whole=False) == Adopt("video_1", "prompt")
