"""`dailies pause`, `resume` and `cancel` say what they did in numbers, keep who asked and why, and ask back in time."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from dailies.changing.lifecycle import Asked, carry_out
from dailies.reading import looking
from dailies.terminal import asking
from dailies.terminal.exits import UsageError
from dailies.terminal.person import who
from orchestrator.batches.lifecycle import Action, Chosen
from orchestrator.items.decision import Decision
from orchestrator.items.states import Event, State
from orchestrator.ledger.store import Store
from orchestrator.settings import RedisSettings, Settings
from tests.dailies.typing_it import Place, dailies
from tests.ledger import accept, admit, deployment, intend, item, submit

ROWS = ("mug-oak", "mug-pine", "lamp", "vase")


@pytest.fixture
def store(redis: Any, namespace: str) -> Store:
    return Store(redis, namespace)


@pytest.fixture
async def settings(store: Store, redis_url: str, namespace: str) -> Settings:
    """A batch of four items, the first of which renders."""
    await submit(store, [item(k) for k in ROWS])
    (claim,) = (await admit(store, deployment(), most=1)).admitted
    await intend(store, claim)
    await accept(store, claim, "video_1")
    return Settings(redis=RedisSettings(url=SecretStr(redis_url), namespace=namespace), deployments=(deployment(),))


async def told(settings: Settings, action: Action, *keys: str, **more: Any) -> str:
    states = more.pop("states", ())
    return (await carry_out(settings, "spring", Asked(action, Chosen(keys, states), **more)))[1]


async def test_a_paused_batch_has_no_expected_end(settings: Settings, store: Store) -> None:
    """It would move with the clock until somebody resumes it."""
    (claim,) = (await admit(store, deployment(), most=1)).admitted
    await intend(store, claim)
    _, version = await accept(store, claim, "video_2")
    assert await store.apply(claim.ref, int(version), Decision(Event.FAILED, {"reason": "moderated"}, money="none"))
    before = await looking.status(settings, "spring", items=False, state=None)
    assert before["expected_end_at"] is not None
    assert ", expected end 20" in looking.summary(before)
    await told(settings, Action.PAUSE)
    after = await looking.status(settings, "spring", items=False, state=None)
    assert (after["stopped"], after["expected_end_at"]) == (None, None), "the first item renders still"
    assert "expected end" not in looking.summary(after)


async def test_each_says_what_it_did_in_numbers(settings: Settings) -> None:
    by = re.escape(who())
    assert await told(settings, Action.PAUSE, "mug-*") == "paused 1 item; 1 that was sent goes on"
    assert await told(settings, Action.PAUSE, reason="lunch") == (
        "paused spring: 3 items wait; 1 that was sent goes on"
    )
    assert re.fullmatch(
        rf"spring was paused already, by {by} \(lunch\): dailies resume spring", await told(settings, Action.PAUSE)
    )
    assert re.fullmatch(
        rf"resumed 2 items; 2 were not paused; the batch itself is paused, by {by} \(lunch\): dailies resume spring",
        await told(settings, Action.RESUME, "*"),
    )
    await told(settings, Action.PAUSE, "vase")
    assert await told(settings, Action.RESUME) == (
        "resumed spring: 3 items wait; 1 item of it stays paused: dailies resume spring --state waiting"
    )
    assert await told(settings, Action.CANCEL, "vase", "lamp") == "cancelled 2 items"
    assert await told(settings, Action.CANCEL, states=(State.RENDERING,), discard=True) == (
        "cancelled nothing; 1 that was sent goes on, is paid for, and is not archived"
    )
    assert await told(settings, Action.CANCEL, yes=True) == (
        "cancelled spring: 1 item; 1 that was sent goes on, is paid for, and is archived; 2 were cancelled already"
    )
    assert await told(settings, Action.PAUSE) == (
        "spring is cancelled: nothing of it is sent any more, so there is nothing to pause"
    )


async def test_status_and_show_tell_who_when_and_why(settings: Settings) -> None:
    document, _ = await carry_out(settings, "spring", Asked(Action.PAUSE, Chosen(("vase",)), "wrong  colour"))
    assert document["asked"]["items"] == {
        "chosen": 1, "done": 1, "going_on": 0, "already": 0, "cancelling": 0, "ended": 0, "failed": 0,
    }  # fmt: skip
    await told(settings, Action.PAUSE, reason="budget talks")
    status = await looking.status(settings, "spring", items=True, state=None)
    assert (status["paused"]["by"], status["paused"]["reason"], status["paused_items"]) == (who(), "budget talks", 1)
    assert [row["asked"] for row in status["rows"]] == [None, None, None, "paused"]
    assert f"paused by {who()} at " in looking.summary(status)
    vase = await looking.show(settings, "spring", "vase")
    assert (vase["paused"]["by"], vase["paused"]["reason"]) == (who(), "wrong colour")
    await told(settings, Action.CANCEL, yes=True, reason="the client said no")
    status = await looking.status(settings, "spring", items=True, state=None)
    assert [row["asked"] for row in status["rows"]] == ["cancelling", None, None, None]
    assert f"cancelled by {who()} at " in looking.summary(status)
    oak = await looking.show(settings, "spring", "mug-oak")
    assert (oak["state"], oak["cancel"]["reason"], oak["cancel"]["discard"]) == (
        "rendering", "the client said no", False,
    )  # fmt: skip


async def test_choosing_nothing_is_told(settings: Settings) -> None:
    with pytest.raises(UsageError, match="no item of spring has a key like mugs or lamb; dailies status spring"):
        await told(settings, Action.CANCEL, "mugs", "lamb")
    with pytest.raises(UsageError, match="no item of spring is held or expired"):
        await told(settings, Action.CANCEL, states=(State.HELD, State.EXPIRED))


async def test_a_batch_that_is_not_there_is_named(settings: Settings) -> None:
    with pytest.raises(UsageError, match="there is no batch autumn"):
        await carry_out(settings, "autumn", Asked(Action.PAUSE, Chosen()))


async def test_a_whole_batch_is_cancelled_only_when_the_person_agrees(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a terminal; without one nobody is asked."""
    asked: list[str] = []

    def refuse(question: str, **_: object) -> bool:
        asked.append(question)
        return False

    monkeypatch.setattr(asking, "on_terminal", lambda: True)
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    monkeypatch.setattr("typer.confirm", refuse)
    with pytest.raises(UsageError, match="nothing was cancelled"):
        await told(settings, Action.CANCEL, discard=True)
    assert asked == ["Cancel 3 items of spring; 1 that was sent goes on, is paid for, and is not archived?"]
    assert await told(settings, Action.CANCEL, "vase") == "cancelled 1 item"
    assert (await looking.status(settings, "spring", items=False, state=None))["items"]["waiting"] == 2


async def test_a_run_of_a_paused_batch_ends_and_says_how_to_go_on(place: Place, tmp_path: Path) -> None:
    _, path = place
    rows = tmp_path / "spring.csv"
    rows.write_text("key,prompt\nmug,A mug\nlamp,A lamp\n")
    shared = ("--config", str(path))
    assert (await dailies("submit", str(rows), *shared))[0] == 0
    code, out, said = await dailies("pause", "spring", "--key", "mug", "--key", "pot", "--reason", "no", *shared)
    assert (code, out.strip()) == (0, "paused 1 item")
    assert "no item of spring has a key like pot" in said
    code, out, said = await dailies("run", str(rows), "--json", *shared)
    document = json.loads(out)
    assert (code, document["stopped"]["reason"], document["items"]["archived"]) == (1, "paused", 1), said
    assert document["stopped"]["resume"].endswith("dailies resume spring --state waiting")
    assert "spring: 1 item of it is paused: dailies resume spring --state waiting" in said
    assert (await dailies("resume", "spring", "--state", "waiting", *shared))[1].strip() == "resumed 1 item"
    code, out, _ = await dailies("cancel", "spring", "--json", *shared)
    assert (code, json.loads(out)["asked"]["items"]["done"]) == (0, 1)
    code, out, said = await dailies("run", str(rows), "--json", *shared)
    assert "spring: 1 row was cancelled, and stays so" in said
    assert (code, json.loads(out)["items"]["cancelled"], json.loads(out)["final"]) == (1, 1, True)
    assert (await dailies("cancel", "spring", "--key", "pot", *shared))[0] == 2
