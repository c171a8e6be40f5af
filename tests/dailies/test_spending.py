"""`dailies spend` tells what was spent, for people, sheets and scripts."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from pydantic import SecretStr

from dailies.reading.spending import as_sheet, as_text, day_of, spend_document, told_by
from dailies.terminal.exits import UsageError
from orchestrator.ledger.store import Store
from orchestrator.settings import RedisSettings, Settings
from tests.dailies.typing_it import Place, dailies
from tests.ledger import accept, admit, deployment, intend, item, submit

TODAY = dt.date(2026, 11, 21)


@pytest.fixture
async def settings(redis: Any, redis_url: str, namespace: str) -> Settings:
    """Two creates: one renders, one is out."""
    store = Store(redis, namespace)
    await submit(store, [item("a"), item("b")])
    first, second = (await admit(store, deployment())).admitted
    await intend(store, first)
    await accept(store, first, "video_1")
    await intend(store, second)
    return Settings(redis=RedisSettings(url=SecretStr(redis_url), namespace=namespace), deployments=(deployment(),))


async def told(settings: Settings, *by: str) -> dict[str, Any]:
    today = dt.datetime.now(dt.UTC).date()
    return await spend_document(settings, today - dt.timedelta(days=1), today, by)


async def test_it_is_told_in_lines_and_in_all(settings: Settings) -> None:
    document = await told(settings, "model", "batch")
    money = {"confirmed_usd": 0.0, "unknown_usd": 0.8, "videos": 2, "unpriced": 0}
    assert document["rows"] == [{"model": "sora-2", "batch": "spring"} | money]
    assert document["total"] == money
    lines = as_text(document).splitlines()
    assert lines[0].split() == ["model", "batch", "confirmed", "unknown", "videos"]
    assert lines[1].split() == ["sora-2", "spring", "$0.00", "$0.80", "2"]
    assert lines[2].startswith("$0.00 confirmed, $0.80 unknown, of 2 videos from ")
    assert as_sheet(document).splitlines() == [
        "model,batch,confirmed_usd,unknown_usd,videos,unpriced", "sora-2,spring,0.0,0.8,2,0",
    ]  # fmt: skip


async def test_nothing_is_told_too(settings: Settings) -> None:
    document = await spend_document(settings, TODAY - dt.timedelta(days=700), TODAY - dt.timedelta(days=699), ["day"])
    assert as_text(document).startswith("$0.00 confirmed, $0.00 unknown, of 0 videos from ")


def test_days_are_written_as_dates_or_lengths() -> None:
    assert day_of("2026-11-01", TODAY, option="--since") == dt.date(2026, 11, 1)
    assert day_of("1d", TODAY, option="--since") == TODAY
    assert day_of("7d", TODAY, option="--since") == dt.date(2026, 11, 15)
    assert day_of("", TODAY, option="--since") is None
    for wrong in ("yesterday", "2026-13-01", "5h"):
        with pytest.raises(UsageError, match=f"--since {wrong} is no day"):
            day_of(wrong, TODAY, option="--since")


async def test_what_cannot_be_meant_is_refused(settings: Settings) -> None:
    assert told_by("batch, day") == ["day", "batch"]
    with pytest.raises(UsageError, match="--by colour: it is told by day, model, batch, deployment"):
        told_by("model,colour")
    with pytest.raises(UsageError, match="is after --until"):
        await spend_document(settings, TODAY, TODAY - dt.timedelta(days=1), ["day"])


async def test_it_can_be_typed(place: Place) -> None:
    code, out, said = await dailies("spend", "--since", "7d", "--by", "model", "--csv", "--config", str(place[1]))
    assert (code, out.strip()) == (0, "model,confirmed_usd,unknown_usd,videos,unpriced"), said
