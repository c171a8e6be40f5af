"""`dailies set` changes a batch that is there, and says in one sentence what it cannot do."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from pydantic import SecretStr
from typer.testing import CliRunner

from dailies.changing.setting import set_batch
from dailies.cli import app
from dailies.terminal.exits import UsageError
from orchestrator.ledger.store import Store
from orchestrator.settings import RedisSettings, Settings
from tests.ledger import batch_of, deployment, item, submit


@pytest.fixture
async def settings(redis: Any, redis_url: str, namespace: str) -> Settings:
    """A batch of one item, which its budget cannot pay."""
    await submit(Store(redis, namespace), [item("a")], budget_usd="0.10")
    return Settings(redis=RedisSettings(url=SecretStr(redis_url), namespace=namespace), deployments=(deployment(),))


async def test_more_budget_takes_away_what_stopped_the_batch(settings: Settings, redis: Any, namespace: str) -> None:
    before = await set_batch(settings, "spring", weight=2)
    assert before["stopped"]["reason"] == "budget"
    assert before["stopped"]["resume"].endswith("dailies set spring --budget-usd 1")
    after = await set_batch(settings, "spring", budget_usd=Decimal(250), priority=5)
    assert after["stopped"] is None
    fields = (await batch_of(Store(redis, namespace))).fields
    assert (fields["budget"], fields["priority"], fields["weight"]) == ("250000000", "5", "2")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"budget_usd": Decimal(-1)}, "--budget-usd: must be an amount in US dollars, more than 0"),
        ({"weight": 0}, "--weight: must be a whole number from 1 to 100"),
        ({}, "--budget-usd, --priority or --weight: must be given"),
    ],
)
async def test_what_cannot_be_set_is_told_by_its_option(settings: Settings, changes: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        await set_batch(settings, "spring", **changes)


@pytest.mark.parametrize("command", [("set", "spring"), ("plan", "spring.csv")])
@pytest.mark.parametrize("amount", ["-1", "0", "much"])
def test_an_amount_that_is_none_is_refused_in_one_line(command: tuple[str, ...], amount: str) -> None:
    done = CliRunner().invoke(app, [*command, "--budget-usd", amount])
    assert (done.exit_code, done.stdout) == (2, "")
    said = f"--budget-usd: {amount} is not an amount above 0: write dollars plainly, like 120.50\n"
    assert done.stderr == said


async def test_a_batch_that_is_not_there_is_named(settings: Settings) -> None:
    with pytest.raises(UsageError, match="there is no batch autumn"):
        await set_batch(settings, "autumn", priority=1)
