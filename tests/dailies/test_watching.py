"""`dailies status --watch`: it shows how far a batch is, and ends with it."""

from __future__ import annotations

import asyncio
import io
from typing import Any

import pytest
from pydantic import SecretStr
from rich.console import Console

from dailies.reading.watching import watch
from dailies.terminal.exits import UsageError
from orchestrator.batches.lifecycle import Action, Chosen, Word, ask
from orchestrator.ledger.store import Store
from orchestrator.settings import RedisSettings, Settings
from tests.dailies.typing_it import Place, dailies
from tests.ledger import deployment, item, submit

ANN = Word("ann@studio", "no")


@pytest.fixture
def store(redis: Any, namespace: str) -> Store:
    return Store(redis, namespace)


@pytest.fixture
def settings(redis_url: str, namespace: str) -> Settings:
    return Settings(redis=RedisSettings(url=SecretStr(redis_url), namespace=namespace), deployments=(deployment(),))


async def watched(settings: Settings, store: Store, name: str, *, terminal: bool) -> str:
    """What is shown while a batch is watched that somebody cancels once something was shown."""
    shown = io.StringIO()
    console = Console(file=shown, force_terminal=terminal, width=200)
    watching = asyncio.create_task(watch(settings, name, console, every_s=0.01))
    async with asyncio.timeout(100):
        while "0 of 2" not in shown.getvalue():
            await asyncio.sleep(0.01)
        await ask(store, "spring", Action.CANCEL, ANN, Chosen())
        assert await watching == 0
    return shown.getvalue()


@pytest.mark.parametrize("name", ["spring", ""], ids=["one", "all that run"])
@pytest.mark.parametrize("terminal", [True, False])
async def test_a_batch_is_watched_until_it_is_final(
    settings: Settings, store: Store, name: str, terminal: bool
) -> None:
    await submit(store, [item("a"), item("b")])
    text = await watched(settings, store, name, terminal=terminal)
    assert "2 of 2" in text
    if not terminal:
        assert len(text.splitlines()) == 2  # a plain line now and then, not one for each look


async def test_a_batch_that_waits_for_somebody_says_so(settings: Settings, store: Store) -> None:
    await submit(store, [item("a"), item("b")])
    await ask(store, "spring", Action.PAUSE, ANN, Chosen())
    text = await watched(settings, store, "spring", terminal=False)
    assert "spring: somebody (paused: " in text
    assert "dailies resume spring" in text


async def test_there_must_be_something_to_watch(settings: Settings, store: Store) -> None:
    with pytest.raises(UsageError, match="there is no batch autumn"):
        await watch(settings, "autumn", Console())
    with pytest.raises(UsageError, match="nothing runs"):
        await watch(settings, "", Console())


async def test_watching_ends_with_the_batch_as_status_shows_it(place: Place) -> None:
    _, path = place
    code, _, said = await dailies("status", "spring", "--watch", "--json", "--config", str(path))
    assert (code, said) == (2, "--watch shows how far a batch is, and nothing else: leave the other options out\n")
