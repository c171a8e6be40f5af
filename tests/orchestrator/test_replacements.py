"""Rows that were mended: what came to nothing is superseded, for all who count or show it, and no failure any more."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from orchestrator.items.decision import Decision
from orchestrator.items.failures import MODERATION_REFUSED
from orchestrator.items.states import Event, State
from orchestrator.ledger import views
from orchestrator.ledger.replacements import replacements
from orchestrator.ledger.store import Store
from orchestrator.reports.notices import batch_facts
from orchestrator.reports.results import row
from orchestrator.reports.sheet_data import sheet_data
from tests.ledger import admit, batch_of, deployment, intend, item, submit

REFUSED = Decision(Event.REFUSED, MODERATION_REFUSED.fields("not allowed"), money="none")


async def fails(store: Store, *keys: str) -> None:
    """All that waits is sent, and these are refused."""
    for claim in (await admit(store, deployment())).admitted:
        if claim.ref.item in keys:
            await store.apply(claim.ref, await intend(store, claim), REFUSED)


@pytest.fixture
async def mended(store: Store) -> Store:
    """Two rows failed, and one of them was submitted anew with another prompt."""
    await submit(store, [item("mug"), item("lamp")])
    await fails(store, "mug", "lamp")
    await submit(store, [item("mug", prompt="a calm mug"), item("lamp")])
    return store


async def test_a_mended_row_counts_as_superseded_and_the_counts_add_up(mended: Store) -> None:
    found = await replacements(mended, "spring")
    counts = found.counts(await batch_of(mended))
    assert (found.by, counts["failed"], counts["superseded"]) == ({"mug": "mug~2"}, 1, 1)
    assert counts["total"] == sum(n for name, n in counts.items() if name != "total") == 3


async def test_every_earlier_content_is_replaced_by_the_one_that_is_wanted(mended: Store) -> None:
    await fails(mended, "mug~2")
    await submit(mended, [item("mug", prompt="a third mug"), item("lamp")])
    assert (await replacements(mended, "spring")).by == {"mug": "mug~3", "mug~2": "mug~3"}
    await submit(mended, [item("mug"), item("lamp")])  # it is wanted as it was first, and that failed
    assert (await replacements(mended, "spring")).by == {"mug~2": "mug"}


async def test_what_waits_is_replaced_in_place_and_nothing_is_superseded(store: Store) -> None:
    await submit(store, [item("mug")])
    await submit(store, [item("mug", prompt="a calm mug")])
    assert (await replacements(store, "spring")).by == {}


@pytest.mark.parametrize("state", [State.HELD, State.RENDERING, State.CREATING])
async def test_what_may_still_cost_or_be_made_counts_whatever_became_of_its_row(store: Store, state: State) -> None:
    """Of what is held a person has to settle whether it was made, and paid."""
    await submit(store, [item("mug")])
    (claim,) = (await admit(store, deployment())).admitted
    version = await intend(store, claim)
    if state is State.HELD:
        await store.apply(claim.ref, version, Decision(Event.HELD, money="unknown"))
    elif state is State.RENDERING:
        await store.accept(claim.ref, claim.attempt, "video_1", how="answer", fields={}, due_in_s=20)
    await submit(store, [item("mug", prompt="a calm mug")])
    found = await replacements(store, "spring")
    assert (found.by, found.counts(await batch_of(store))[state]) == ({}, 1)


async def test_its_row_says_so_keeps_the_reason_and_names_what_took_its_place(mended: Store) -> None:
    rows = {found.ref.item: row(found, ()) async for found in views.items(mended, "spring")}
    assert {key: (each["state"], each["reason"], each["replaced_by"]) for key, each in rows.items()} == {
        "mug": ("superseded", "moderation_refused", "mug~2"),
        "mug~2": ("waiting", None, None),
        "lamp": ("failed", "moderation_refused", None),
    }


async def test_the_contact_sheet_shows_it_apart_from_what_failed(mended: Store) -> None:
    batch = await batch_of(mended)
    text = "".join([piece async for piece in sheet_data(batch, views.items(mended, "spring"), now=0.0)])
    page = json.loads(text)
    assert page["counts"] == {"superseded": 1, "waiting": 1, "failed": 1}
    assert [(page["states"][card["s"]], card.get("n")) for card in page["items"] if card["k"] == "mug"] == [
        ("superseded", "mug~2")
    ]


async def test_a_notice_counts_it_as_no_failure(mended: Store, tmp_path: Path) -> None:
    facts = await batch_facts(mended, await batch_of(mended), f"{tmp_path.as_uri()}/")
    assert (facts["items"]["failed"], facts["items"]["superseded"]) == (1, 1)
    assert [(each["reason"], each["count"]) for each in facts["failures"]] == [("moderation_refused", 1)]
