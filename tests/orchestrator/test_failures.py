"""Every reason that an item can have stands in one table, and its page says what the table says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from orchestrator.items import failures
from orchestrator.items.failure_page import page
from orchestrator.items.failures import TABLE, Billed, Tries, of_render
from orchestrator.items.states import MOVING, State

ROOT = Path(__file__).resolve().parents[2]


def test_the_page_is_drawn_from_the_table() -> None:
    assert (ROOT / "docs/failures.md").read_text(encoding="utf-8") == page(), "sh scripts/draw-failures"


def test_no_reason_is_made_up_elsewhere() -> None:
    """Workers name entries of the table; a script writes only a cancel, and the source's end."""
    spelled = re.compile(r'"reason": *f?"([a-z_{}.]+)"')
    made_up = {
        f"{path.name}: {word}"
        for folder in ("workers", "orchestrator")
        for path in (ROOT / folder).rglob("*.py")
        for word in spelled.findall(path.read_text(encoding="utf-8"))
    }
    assert not made_up
    written = {
        line.strip()
        for path in (ROOT / "orchestrator/ledger/lua").rglob("*.lua")
        for line in path.read_text(encoding="utf-8").splitlines()
        if re.search(r"'HSET'.*'reason', ", line) and "cool_reason" not in line and "paused_reason" not in line
    }
    assert all("'source_' .." in line or "'reason', event" in line for line in written), written
    ended = [state for state in State if state not in (*MOVING, State.ARCHIVED)]
    assert {f"source_{state}" for state in ended} | {"cancelled", "discarded"} <= set(TABLE)


def test_a_code_means_one_thing_and_ends_where_items_end() -> None:
    words = [word for failure in TABLE.values() for word in failure.words]
    assert len(words) == len(set(words))
    assert all(word == word.lower() for word in words)
    assert all(failure.state not in (*MOVING, State.ARCHIVED) for failure in TABLE.values())
    assert {billed.money for billed in Billed} == {"confirmed", "none", "unknown"}


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("moderation_blocked", "failed"), "moderation_blocked"),
        (("input_moderation", "failed"), "moderation_input"),
        (("output_moderation", "failed"), "moderation_output"),
        (("Internal_Error", "failed"), "internal_error"),
        (("500", "failed"), "internal_error"),
        ((None, "cancelled"), "cancelled_remotely"),
        ((None, "expired"), "expired_remotely"),
        (("a_new_code", "failed"), "render_failed"),
        ((None, "error"), "render_failed"),
    ],
)
def test_what_providers_call_a_failure_has_one_name_here(words: tuple[str | None, ...], code: str) -> None:
    assert of_render(words).code == code


def test_only_what_the_provider_calls_its_own_fault_is_tried_again_by_itself() -> None:
    """A new attempt may be paid; and what moderation refused once it refuses again."""
    assert [failure.code for failure in TABLE.values() if failure.tries] == ["internal_error"]
    assert {failure.code for failure in TABLE.values() if failure.lost} == {"expired", "unreadable", "expired_remotely"}


def test_pauses_grow_up_to_the_longest() -> None:
    tries = Tries(3, 60, 200)
    assert [tries.pause_s(n) for n in range(4)] == [60, 120, 200, 200]
    assert [tries.left(n) for n in range(4)] == [True, True, True, False]
    assert failures.ARCHIVE.left(10**6)


def test_what_failed_together_is_not_tried_again_together() -> None:
    """When a provider comes back, or the archive, a night's videos must not all ask in the same moment."""
    pauses = [Tries(None, 100, 300).pause_s(1, f"spring/{n}") for n in range(1000)]
    assert 200 <= min(pauses) < 205
    assert 245 < max(pauses) < 250
    assert pauses == [Tries(None, 100, 300).pause_s(1, f"spring/{n}") for n in range(1000)]
