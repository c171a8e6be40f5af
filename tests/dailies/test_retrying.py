"""`dailies retry` says what it may cost, asks before anything may be paid twice, and tells in numbers what it did."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from dailies.changing.retrying import carry_out
from dailies.terminal import asking
from dailies.terminal.exits import UsageError
from orchestrator.batches.lifecycle import Action, Chosen, Word, ask
from orchestrator.batches.retrying import Wish
from orchestrator.items.decision import Decision
from orchestrator.items.failures import MODERATION, OUTCOME_UNKNOWN
from orchestrator.items.states import Event, State
from orchestrator.ledger.store import Store
from orchestrator.settings import RedisSettings, Settings
from tests.dailies.typing_it import Place, dailies
from tests.ledger import accept, admit, deployment, intend, item, state, submit

ANN = Word("ann@studio", "no")


@pytest.fixture
def store(redis: Any, namespace: str) -> Store:
    return Store(redis, namespace)


@pytest.fixture
async def settings(store: Store, redis_url: str, namespace: str) -> Settings:
    """A batch of three: one failed after it was sent, one is held, one was cancelled. Two are paid for, or may be."""
    await submit(store, [item("mug"), item("lamp"), item("vase")], budget_usd="1.00")
    first, second = (await admit(store, deployment(), most=2)).admitted
    await intend(store, first)
    _, version = await accept(store, first, "video_1")
    failed = Decision(Event.FAILED, MODERATION.fields("no"), money="unknown")
    await store.apply(first.ref, int(version), failed)
    held = Decision(Event.HELD, OUTCOME_UNKNOWN.fields("?"), money="unknown")
    await store.apply(second.ref, await intend(store, second), held)
    await ask(store, "spring", Action.CANCEL, ANN, Chosen(("vase",)))
    return Settings(redis=RedisSettings(url=SecretStr(redis_url), namespace=namespace), deployments=(deployment(),))


async def told(settings: Settings, *keys: str, yes: bool = True, **more: Any) -> str:
    states = more.pop("states", ())
    return (await carry_out(settings, "spring", Wish(Chosen(keys, states), **more), yes=yes))[1]


async def test_what_it_did_is_told_in_numbers(settings: Settings) -> None:
    """Also what the budget lacks for it."""
    left = "spring has $0.20 of its budget of $1.00 left: dailies set spring --budget-usd"
    assert await told(settings) == (
        "2 items of spring queued again; 1 is held, and left so: it may be made already, and --accept-double-charge "
        f"sends again what may be paid twice; {left} 2"
    )
    assert await told(settings, "mug", "vase") == "nothing was queued again; 2 are waiting or under way already"
    assert await told(settings, states=(State.HELD,), double=True) == f"1 item of spring queued again; {left} 2"


async def test_a_row_that_was_mended_in_the_manifest_is_left_and_said_so(settings: Settings, store: Store) -> None:
    """Nobody is asked to pay for it, either."""
    await submit(store, [item("mug", prompt="calm"), item("lamp"), item("vase")], budget_usd="1.00")
    assert await told(settings, "mug", states=(State.FAILED,), yes=False) == (
        "nothing was queued again; 1 left so: its row was submitted anew since, with other content"
    )


async def test_what_may_be_paid_twice_needs_a_persons_word(settings: Settings, store: Store) -> None:
    with pytest.raises(UsageError) as refused:
        await told(settings, yes=False)
    assert str(refused.value) == (
        "to make 2 items again costs up to $0.80: 1 of them may be paid a second time (up to $0.40); spring has $0.20 "
        "of its budget of $1.00 left: dailies set spring --budget-usd 2: say --yes. Nothing was queued"
    )
    assert await state(store, "mug") is State.FAILED
    assert (await told(settings, "vase", yes=False)).startswith("1 item of spring queued again")


async def test_on_a_terminal_it_asks(settings: Settings, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def answer(question: str, **_: object) -> bool:
        asked.append(question)
        return False

    monkeypatch.setattr("dailies.changing.retrying.on_terminal", lambda: True)
    monkeypatch.setattr(asking, "on_terminal", lambda: True)
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    monkeypatch.setattr("typer.confirm", answer)
    with pytest.raises(UsageError, match="nothing was queued"):
        await told(settings, "mug", yes=False)
    assert asked[0].startswith("Make 1 item of spring again, for up to $0.40: 1 of them may be paid a second time")
    assert await state(store, "mug") is State.FAILED


async def test_what_is_held_is_not_chosen_by_mistake(settings: Settings) -> None:
    with pytest.raises(UsageError, match="--accept-double-charge"):
        await told(settings, states=(State.HELD,))


@pytest.mark.parametrize(
    ("wish", "words"),
    [
        (Wish(codes=["nonsense"]), "there is no reason nonsense"),
        (Wish(Chosen((), (State.RENDERING,))), "what is rendering cannot be retried"),
        (Wish(Chosen(("pot",))), "no item of spring has a key like pot"),
    ],
)
async def test_what_cannot_be_meant_is_refused(settings: Settings, wish: Wish, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        await carry_out(settings, "spring", wish, yes=True)
    with pytest.raises(UsageError, match="there is no batch autumn"):
        await carry_out(settings, "autumn", Wish(), yes=True)


async def test_a_retried_batch_that_is_paused_says_so(settings: Settings, store: Store) -> None:
    await told(settings, "vase")
    await ask(store, "spring", Action.PAUSE, Word("ann@studio", "lunch"))
    assert (await told(settings, "mug")).endswith("spring is paused, by ann@studio (lunch): dailies resume spring")


async def test_a_failed_row_is_made_again_and_the_report_is_written_anew(place: Place, tmp_path: Path) -> None:
    witness, path = place
    rows = tmp_path / "spring.csv"
    rows.write_text("key,prompt\nbad,A forbidden mug\ngood,A lamp\n")
    shared = ("--config", str(path))
    assert (await dailies("run", str(rows), *shared))[0] == 1
    code, _, said = await dailies("retry", "spring", *shared)
    assert (code, "say --yes" in said) == (2, True), said
    code, out, _ = await dailies("retry", "spring", "--reason", "moderation_blocked", "--yes", "--json", *shared)
    document = json.loads(out)
    assert (code, document["final"], document["retried"]["done"]) == (0, False, 1)
    assert (await dailies("run", str(rows), *shared))[0] == 1
    assert (await witness.created())["A forbidden mug"] == 2
    report = (tmp_path / "archive/spring/results.jsonl").read_text().splitlines()
    assert [json.loads(line)["attempts"] for line in report] == [2, 1]
