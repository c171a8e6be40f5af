"""`attempts`, as people read it: how many creates were sent for an item. What was handed back unsent is none."""

from __future__ import annotations

import pytest

from dailies.reading.documents import item_document
from orchestrator.batches.lifecycle import Action, Word, ask
from orchestrator.items.decision import Decision
from orchestrator.items.states import Event, State
from orchestrator.ledger import views
from orchestrator.ledger.records import Claim, Item
from orchestrator.ledger.store import Store
from orchestrator.reports.results import row
from tests.ledger import NO_PACE, accept, admit, deployment, intend, item, submit
from workers.rendering.verdict import decide, not_sent
from workers.video_api import RefusalKind, Refused, Unknown


async def admitted(store: Store, name: str = "east") -> Claim:
    (claim,) = (await admit(store, deployment(name))).admitted
    return claim


async def shown(store: Store) -> tuple[Item, object]:
    """The one item, and what its row says."""
    (found,) = [each async for each in views.items(store, "spring")]
    return found, row(found, ())["attempts"]


async def handed_back(store: Store) -> None:
    """Admitted, and then its batch was paused: nothing was sent."""
    claim = await admitted(store)
    await ask(store, "spring", Action.PAUSE, Word("ann"))
    word, _, _ = await store.intend(claim.ref, claim.version, {}, pace=NO_PACE, due_in_s=60)
    assert word == "returned"
    await ask(store, "spring", Action.RESUME, Word("ann"))


async def test_an_admission_that_was_handed_back_unsent_is_no_attempt(store: Store) -> None:
    await submit(store, [item("a")])
    await handed_back(store)
    found, attempts = await shown(store)
    assert (found.state, found.made, attempts) == (State.WAITING, 1, 0)
    claim = await admitted(store)
    assert (await shown(store))[1] == 0, "admitted, and not sent yet"
    version = await intend(store, claim)
    await store.apply(claim.ref, version, not_sent("connection refused"))
    assert (await shown(store))[1] == 0, "the intent is written, and nothing left this machine"
    claim = await admitted(store, "west")  # the other one rests after that
    await intend(store, claim)
    assert (await shown(store))[1] == 1, "it may be out"
    await accept(store, claim, "video_1")
    found, attempts = await shown(store)
    assert (found.attempts, found.made, attempts) == (3, 3, 1), "the number that fences it stays"


@pytest.mark.parametrize(
    ("outcome", "attempts"),
    [
        (Refused(RefusalKind.RATE_LIMITED, 429, None, "too many", None, None), 1),
        (Refused(RefusalKind.INVALID, None, None, "the picture cannot be read", None, None), 0),
        (Unknown("500 after send", 500, None, None), 1),
        (Unknown("the connection broke", None, None, None), 1),
    ],
    ids=["refused", "refused here", "unknown", "no answer"],
)
async def test_a_create_that_was_answered_or_may_have_arrived_is_an_attempt(
    store: Store, outcome: Refused | Unknown, attempts: int
) -> None:
    await submit(store, [item("a")])
    await handed_back(store)
    claim = await admitted(store)
    version = await intend(store, claim)
    await store.apply(claim.ref, version, decide(outcome, deployment()))
    assert (await shown(store))[1] == attempts


async def test_each_create_counts_though_an_earlier_one_is_the_one_that_counts(store: Store) -> None:
    """Late evidence brought the first back: the second had been sent."""
    await submit(store, [item("a")])
    first = await admitted(store)
    version = await intend(store, first)
    await store.apply(first.ref, version, Decision(Event.RESENT, money="none"))
    second = await admitted(store)
    version = await intend(store, second)
    await store.apply(second.ref, version, Decision(Event.RETURNED, money="none"))
    await accept(store, first, "video_1")
    found, attempts = await shown(store)
    assert (found.attempts, found.made, attempts) == (1, 2, 2)


async def test_show_has_each_number_and_says_which_were_sent(store: Store) -> None:
    await submit(store, [item("a")])
    await handed_back(store)
    claim = await admitted(store)
    await intend(store, claim)
    found = await store.load(claim.ref)
    assert found is not None
    told = item_document(found, await views.attempts(store, found))["attempts"]
    assert [(each["number"], each["sent"]) for each in told] == [(1, False), (2, True)]
    assert await views.calls(store, [found]) == [1]
