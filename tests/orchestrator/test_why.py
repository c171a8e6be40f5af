"""Why an item is not sent yet: each gate by its name, with its time where a clock knows it, and what to do."""

from __future__ import annotations

import datetime as dt
import re
from typing import Any

import pytest
from redis import Redis

from manifests.window import EVERY_DAY, Window
from orchestrator.batches.comparison import Comparison
from orchestrator.batches.lifecycle import Action, Chosen, Word, ask
from orchestrator.batches.live_changes import change
from orchestrator.batches.submission import Submission
from orchestrator.items.decision import Decision
from orchestrator.items.states import Event
from orchestrator.ledger.keys import Ref
from orchestrator.ledger.store import Store
from orchestrator.reasons.why import Why, why
from orchestrator.settings import NO_BUDGETS, Budgets, Deployment
from tests.ledger import accept, admit, deployment, intend, item, submit
from tests.orchestrator.virtual_clock import on_virtual_time, start_ms, tell

pytestmark = pytest.mark.asyncio

EAST, WEST = deployment("east"), deployment("west")


@pytest.fixture
def now() -> int:
    """The ledger's clock (Unix seconds): it stands, so that instants are told exactly on a slow machine too."""
    return start_ms() // 1000


@pytest.fixture
async def store(redis: Any, namespace: str, now: int) -> Store:
    made = on_virtual_time(redis, namespace)
    await tell(made, now * 1000)
    return made


async def asked(
    store: Store, key: str, *deployments: Deployment, batch: str = "spring", budgets: Budgets = NO_BUDGETS
) -> Why:
    found = await why(store, Ref(batch, key), deployments or (EAST,), budgets)
    assert found is not None
    return found


def hours_from_now(hours: int, length: int = 2) -> Window:
    """A window that opens so many hours from now."""
    opens = (dt.datetime.now(dt.UTC) + dt.timedelta(hours=hours)).replace(minute=0, second=0, microsecond=0)
    return Window(opens.time(), (opens + dt.timedelta(hours=length)).time(), "UTC", EVERY_DAY)


async def test_an_item_that_nothing_keeps_is_next(store: Store) -> None:
    await submit(store, [item("a")])
    found = await asked(store, "a")
    assert (found.gate, found.until, found.resume) == ("none", None, None)
    assert found.summary.startswith("Nothing keeps it back: it is next")
    assert [(gate.name, gate.gate) for gate in found.deployments] == [("east", "none")]


async def test_a_rate_is_told_with_the_second_at_which_the_next_create_may_start(store: Store, now: int) -> None:
    east = deployment(per_minute=2)
    await submit(store, [item("a"), item("b")])
    answer = await admit(store, east)
    found = await asked(store, "b", east)
    assert found.gate == answer.gate == "rate"
    assert found.until is not None
    assert answer.ask_again_in_s is not None
    assert found.until == pytest.approx(now + answer.ask_again_in_s, abs=0.01)
    assert found.summary.startswith("It is next: east takes it in ")


async def test_slots_in_use_have_no_time(store: Store) -> None:
    east = deployment(concurrent=1)
    await submit(store, [item("a"), item("b")])
    await admit(store, east)
    found = await asked(store, "b", east)
    assert (found.gate, found.until) == ("slot", None)
    assert found.deployments[0].detail == "1 of 1 slots are in use"


async def test_a_slot_that_is_given_back_late_is_told_with_its_time(store: Store, now: int) -> None:
    east = deployment(concurrent=1)
    await submit(store, [item("a"), item("b")])
    (claim,) = (await admit(store, east)).admitted
    await intend(store, claim)
    _, version = await accept(store, claim, "video_1")
    await store.redis.hset(store.keys.deployment("east"), mapping={"settle_ms": 5000})
    assert await store.apply(claim.ref, int(version), Decision(Event.SUCCEEDED, {"expires_at": 1}, money="confirmed"))
    found = await asked(store, "b", east)
    assert found.gate == "slot"
    assert found.until == pytest.approx(now + 5, abs=0.01)
    said = "1 of 1 slots are in use, and that of a finished video is given back in "
    assert found.summary.startswith(f"It is next, as soon as east has a slot: {said}")


async def test_an_item_behind_others_is_told_how_many_go_before_it(store: Store) -> None:
    east = deployment(per_minute=2)
    await submit(store, [item(f"k{n}") for n in range(5)])
    found = await asked(store, "k4", east)
    assert found.gate == "priority"
    assert found.ahead is not None
    assert (found.ahead.batch, found.ahead.others) == (4, 0)
    assert found.summary.startswith("It waits for its turn: 4 items go before it, of its own batch.")
    await admit(store, east)
    assert "The next one may be sent in " in (await asked(store, "k4", east)).summary


async def test_other_batches_go_before_it_by_their_weight_and_priority(store: Store) -> None:
    """What admission then does is what was foretold."""
    for batch in ("big", "small"):
        await submit(store, [item(f"{batch}{n}") for n in range(12)], batch=batch)
    await change(store, "big", weight=3)
    await submit(store, [item(f"spring{n}", priority=int(n == 3)) for n in range(4)])
    foretold = {key: (await asked(store, key)).ahead for key in ("spring0", "spring1", "spring2", "spring3")}
    answer = await admit(store, EAST)
    order = [claim.ref.item for claim in answer.admitted]
    assert {key: ahead.total if ahead else None for key, ahead in foretold.items()} == {
        key: order.index(key) for key in foretold
    }


async def test_a_batch_of_higher_priority_goes_first_with_all_that_it_has(store: Store) -> None:
    await submit(store, [item(f"u{n}") for n in range(12)], batch="urgent")
    await change(store, "urgent", priority=1)
    await submit(store, [item("a"), item("b")])
    found = await asked(store, "b")
    assert found.ahead is not None
    assert (found.ahead.batch, found.ahead.others, found.ahead.batches) == (1, 12, 1)
    assert "about 13 items go before it, 1 of its own batch and 12 of another batch" in found.summary


async def test_want_of_money_is_told_with_what_to_type(store: Store) -> None:
    await submit(store, [item("a"), item("b")], budget_usd="0.10")
    for key in ("a", "b"):
        found = await asked(store, key)
        assert (found.gate, found.until) == ("budget", None)
        assert found.resume is not None
        assert found.resume.endswith("dailies set spring --budget-usd 1")
    assert (await asked(store, "b")).summary.startswith("There is no money left for a, which goes before it")


async def test_a_rate_is_of_no_use_where_the_money_lacks(store: Store) -> None:
    """The answer is the budget; the deployment's line says what admission says."""
    east = deployment(per_minute=1)
    await submit(store, [item("first")], batch="other")
    await admit(store, east)
    await submit(store, [item("a")], budget_usd="0.10")
    found = await asked(store, "a", east)
    assert (found.gate, [gate.gate for gate in found.deployments]) == ("budget", ["rate"])


async def test_the_budget_of_a_day_is_told_until_when_it_is_renewed(store: Store, now: int) -> None:
    budgets = Budgets.model_validate({"day_usd": "0.10", "timezone": "Europe/Stockholm"})
    await submit(store, [item("a")], budgets=budgets)
    found = await asked(store, "a", budgets=budgets)
    answer = await admit(store, EAST, budgets=budgets)
    assert found.gate == answer.gate == "budget"
    assert answer.ask_again_in_s is not None
    assert found.until == pytest.approx(now + answer.ask_again_in_s, abs=0.01)
    assert found.resume is not None
    assert "budgets.day_usd" in found.resume


async def test_a_window_is_the_batchs_or_the_deployments(store: Store, now: int) -> None:
    window = hours_from_now(3)
    await submit(store, [item("a")], window=window)
    found = await asked(store, "a")
    assert found.gate == "window"
    assert found.until == next(iter(window.intervals(now)))[0]
    assert found.summary.startswith("Its batch is outside the hours in which videos may be ordered, until ")
    await submit(store, [item("b")], batch="free")
    east = deployment(window=hours_from_now(5))
    its = await asked(store, "b", east, batch="free")
    assert its.gate == "window"
    assert its.summary.startswith("east is outside the hours")
    assert (await asked(store, "b", east, WEST, batch="free")).gate == "none", "another one is open"


async def test_a_pause_of_item_batch_or_deployment_is_told_with_what_ends_it(store: Store) -> None:
    await submit(store, [item("a")])
    await store.judge("east", {"pause": True, "reason": "new key", "by": "ada"})
    found = await asked(store, "a")
    assert (found.gate, found.until, found.resume) == ("paused", None, "dailies deployments resume east")
    assert "paused by ada (new key)" in found.summary
    await ask(store, "spring", Action.PAUSE, Word("bob@host"))
    its = await asked(store, "a")
    assert (its.gate, its.resume) == ("paused", "dailies resume spring")
    assert its.summary.startswith("Its batch is paused by bob@host since ")
    await ask(store, "spring", Action.PAUSE, Word("eve@host", "logo changes"), Chosen(keys=("a",)))
    one = await asked(store, "a")
    assert one.resume == "dailies resume spring --key a"
    assert "by eve@host" in one.summary
    assert "(logo changes)" in one.summary


async def test_a_pause_with_an_end_needs_nobody(store: Store, now: int) -> None:
    await submit(store, [item("a")])
    await store.judge("east", {"pause": True, "reason": "", "by": "", "for_ms": 3_600_000})
    found = await asked(store, "a")
    assert (found.gate, found.resume) == ("paused", None)
    assert found.until == pytest.approx(now + 3600, abs=0.01)


async def test_a_stopped_deployment_is_told_with_its_message_and_its_next_probe(store: Store) -> None:
    await submit(store, [item("a")])
    await store.judge("east", {"stop": "auth", "message": "the key is wrong"})
    found = await asked(store, "a")
    assert (found.gate, found.until) == ("stopped", None)
    assert "the key is wrong" in found.summary
    assert "asked again" in found.summary
    assert found.resume == "mend east, then dailies deployments resume east"
    assert (await asked(store, "a", EAST, WEST)).gate == "none"


async def test_a_deployment_that_rests_is_told_with_the_reason_and_the_end(store: Store, now: int) -> None:
    await submit(store, [item("a")])
    await store.judge("east", {"cool_ms": 3_600_000, "reason": "quota_exhausted"})
    found = await asked(store, "a")
    assert found.gate == "cooling"
    assert found.until == pytest.approx(now + 3600, abs=0.01)
    assert "its quota at the provider is used up" in found.summary
    await store.judge("west", {"cool_ms": 60_000, "reason": "rate_limited"})
    both = await asked(store, "a", EAST, WEST)
    assert both.until == pytest.approx(now + 60, abs=0.01), "the one that opens first"
    assert "creates came too fast (429)" in both.summary


async def test_an_archive_that_refuses_videos_is_told(store: Store, now: int) -> None:
    await submit(store, [item("a")])
    until = (now + 60) * 1000
    await store.redis.hset(store.keys.meta, "archive_closed_until", until)
    found = await asked(store, "a")
    assert (found.gate, found.until) == ("archive", until / 1000)
    assert found.resume is not None


async def test_how_long_something_lasts_is_said_in_plain_words(store: Store) -> None:
    await submit(store, [item("a")])
    await store.judge("east", {"cool_ms": 31_000, "reason": "rate_limited"})
    found = await asked(store, "a")
    assert re.search(r"east takes nothing now: it rests for another 31 s, until \d\d:\d\d:\d\d: ", found.summary)
    await store.judge("east", {"pause": True, "reason": "", "by": "ada", "for_ms": 116_000})
    found = await asked(store, "a")
    assert re.search(r"it is paused by ada for another 116 s, until \d\d:\d\d:\d\d\.", found.summary)


async def test_what_a_person_closed_is_told_beside_what_a_clock_opens(store: Store, now: int) -> None:
    await submit(store, [item("a")], deployments=[EAST, WEST])
    await store.judge("east", {"pause": True, "reason": "", "by": ""})
    await store.judge("west", {"pause": True, "reason": "", "by": "", "for_ms": 3_600_000})
    found = await asked(store, "a", EAST, WEST)
    assert found.until == pytest.approx(now + 3600, abs=0.01)
    assert found.resume == "dailies deployments resume east"


async def test_no_deployment_needs_to_be_resumed_where_the_batch_itself_is_outside_its_hours(store: Store) -> None:
    await submit(store, [item("a")], deployments=[EAST, WEST], window=hours_from_now(3))
    await store.judge("east", {"pause": True, "reason": "", "by": ""})
    assert (await asked(store, "a", EAST, WEST)).resume is None


async def test_a_remix_waits_for_its_source_and_says_why_that_waits(store: Store) -> None:
    await submit(store, [item("a"), item("again", remix_of="a")])
    await store.judge("east", {"stop": "auth", "message": "the key is wrong"})
    found = await asked(store, "again")
    assert (found.gate, found.until) == ("source", None)
    assert found.summary.startswith("It is a remix of a, and waits until that one is made. a is waiting: ")
    assert found.resume == "mend east, then dailies deployments resume east"


async def test_a_pinned_item_is_asked_of_its_own_deployment_only(store: Store) -> None:
    await submit(store, [item("a", deployment="west"), item("b", deployment="gone")], deployments=[EAST, WEST])
    found = await asked(store, "a", EAST, WEST)
    assert [gate.name for gate in found.deployments] == ["west"]
    its = await asked(store, "b", EAST, WEST)
    assert (its.gate, its.deployments) == ("no_deployment", ())
    assert its.resume is not None
    assert "gone" in its.resume


async def test_an_item_that_does_not_wait_is_told_where_it_is(store: Store, now: int) -> None:
    await submit(store, [item("a")])
    (claim,) = (await admit(store, EAST)).admitted
    assert (await asked(store, "a")).summary == "It was admitted at east and is about to be sent."
    await intend(store, claim)
    assert (await asked(store, "a")).summary == "It is being sent to east."
    _, version = await accept(store, claim, "video_1")
    found = await asked(store, "a")
    assert (found.gate, str(found.state)) == (None, "rendering")
    assert found.expected is not None
    assert found.expected > now
    done = Decision(Event.FAILED, {"reason": "failed", "message": "the provider lost it"}, money="none")
    await store.apply(claim.ref, int(version), done)
    its = await asked(store, "a")
    assert its.summary == "It failed: the provider lost it."
    assert its.resume == "dailies show spring a has its whole story"


async def test_a_render_that_cannot_be_looked_at_is_told_with_its_reason(store: Store) -> None:
    await submit(store, [item("a")])
    (claim,) = (await admit(store, EAST)).admitted
    await intend(store, claim)
    _, version = await accept(store, claim, "video_1")
    assert await store.apply(claim.ref, int(version), Decision(Event.OBSERVED, {}, {"unseen": "HTTP 401: no."}))
    assert (await asked(store, "a")).summary == "It was sent to east, and the last look at it failed: HTTP 401: no."


async def test_an_archiving_that_fails_is_told_with_its_reason(store: Store) -> None:
    """Whoever asks in time can mend the archive before the provider deletes the video."""
    await submit(store, [item("a")])
    (claim,) = (await admit(store, EAST)).admitted
    await intend(store, claim)
    _, version = await accept(store, claim, "video_1")
    await store.apply(claim.ref, int(version), Decision(Event.SUCCEEDED, attempt={"completed_at": 1}))
    assert (await asked(store, "a")).summary == "east has made it, and it is being fetched into the archive."
    made = await store.load(claim.ref)
    assert made is not None
    failed = {"archive_tries": 2, "message": "archive: no access (HTTP 403). Renew the SAS."}
    assert await store.apply(claim.ref, made.version, Decision(Event.POSTPONED, failed, due_in_s=1))
    assert (await asked(store, "a")).summary == (
        "east has made it, and it is being fetched into the archive. 2 tries failed, the last one so: "
        "archive: no access (HTTP 403). Renew the SAS."
    )


async def test_what_was_cancelled_after_it_was_sent_is_told_so(store: Store) -> None:
    await submit(store, [item("a")])
    (claim,) = (await admit(store, EAST)).admitted
    await intend(store, claim)
    await accept(store, claim, "video_1")
    await ask(store, "spring", Action.CANCEL, Word("ada@host", discard=True))
    assert (await asked(store, "a")).summary.endswith("It was cancelled: a video that comes of it is not kept.")


async def test_a_row_that_takes_anothers_video_says_what_that_one_waits_for(store: Store) -> None:
    await submit(store, [item("a", prompt="the same")], batch="first")
    queue = Submission(store, "spring", deployments=(EAST,), progress=lambda _: None)
    comparison = Comparison(store, "spring", writes=True)
    rows = [item("b", prompt="the same")]
    await queue.submit(
        rows, kinds=(), columns=(), budget_usd=None, template="spring", comparison=comparison, reuse=True
    )
    found = await asked(store, "b")
    assert (found.gate, found.until) == ("made_in_another_batch", None)
    assert "as first/a, and it takes that one. a is waiting: Nothing keeps it back" in found.summary


async def test_asking_changes_nothing(store: Store, redis_url: str) -> None:
    await submit(store, [item("a"), item("b", priority=3)], budget_usd="0.10")
    await store.judge("east", {"cool_ms": 60_000, "reason": "rate_limited"})
    with Redis.from_url(redis_url) as plain:
        before = {key: plain.dump(key) for key in plain.scan_iter()}
        await asked(store, "a", EAST, WEST)
        assert {key: plain.dump(key) for key in plain.scan_iter()} == before


async def test_what_is_not_there_has_no_answer(store: Store) -> None:
    await submit(store, [item("a")])
    assert await why(store, Ref("spring", "b"), [EAST]) is None
