"""`dailies status BATCH --why KEY`: the answer first, one line a deployment, and last what somebody has to do."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from dailies.reading.why import print_why, why
from dailies.terminal.exits import UsageError
from orchestrator.ledger.store import Store
from orchestrator.settings import RedisSettings, Settings
from tests.dailies.typing_it import Place, dailies
from tests.ledger import admit, deployment, item, submit

EAST, WEST = deployment("east", concurrent=1), deployment("west")


@pytest.fixture
def store(redis: Any, namespace: str) -> Store:
    return Store(redis, namespace)


@pytest.fixture
def settings(redis_url: str, namespace: str) -> Settings:
    return Settings(redis=RedisSettings(url=SecretStr(redis_url), namespace=namespace), deployments=(EAST, WEST))


async def test_the_document_has_the_gate_of_the_item_and_of_each_deployment(settings: Settings, store: Store) -> None:
    await submit(store, [item("a"), item("b")], deployments=[EAST, WEST])
    await admit(store, EAST, most=1)
    await store.judge("west", {"stop": "auth", "message": "the key is wrong"})
    told = await why(settings, "spring", "b")
    assert set(told) == {
        *("batch", "key", "state", "gate", "until", "summary", "since", "expected", "deployments", "ahead", "resume")
    }
    assert (told["batch"], told["key"], told["state"], told["gate"], told["until"]) == (
        *("spring", "b", "waiting", "slot", None),
    )
    assert [(each["name"], each["gate"], each["until"]) for each in told["deployments"]] == [
        ("east", "slot", None),
        ("west", "stopped", None),
    ]
    assert told["ahead"] == {"items": 0, "own": 0, "others": 0, "batches": 0}
    assert told["resume"] is None, "a slot comes free by itself"
    json.dumps(told)


async def test_people_read_the_answer_first_and_last_what_to_do(
    settings: Settings, store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    await submit(store, [item("a")], deployments=[EAST, WEST], budget_usd="0.10")
    capsys.readouterr()
    print_why(await why(settings, "spring", "a"))
    first, second, *deployments, last = capsys.readouterr().out.splitlines()
    assert first.startswith("There is no money left for it: $0.00 of $0.10 are spent or bound")
    assert second.startswith("  spring/a is waiting, since ")
    assert [line.split(":")[0] for line in deployments] == ["  east", "  west"]
    assert last.startswith("  what to do: ")
    assert last.endswith("dailies set spring --budget-usd 1")


async def test_a_key_as_people_write_it_and_its_newest_content_are_found(settings: Settings, store: Store) -> None:
    await submit(store, [item("Are-42")], deployments=[EAST, WEST])
    assert (await why(settings, "spring", "Åre 42"))["key"] == "Are-42"
    await admit(store, EAST, most=1)
    await submit(store, [item("Are-42", seconds=8)], deployments=[EAST, WEST])
    assert (await why(settings, "spring", "Are-42"))["key"] == "Are-42~2"


async def test_a_key_or_batch_that_is_not_there_is_told_with_the_nearest(settings: Settings, store: Store) -> None:
    await submit(store, [item("hero")], deployments=[EAST, WEST])
    with pytest.raises(UsageError, match="the batch spring has no item heroo: did you mean hero"):
        await why(settings, "spring", "heroo")
    with pytest.raises(UsageError, match="there is no batch autumn"):
        await why(settings, "autumn", "hero")


async def test_the_command_says_it(place: Place, tmp_path: Path) -> None:
    config = str(place[1])
    path = tmp_path / "spring.csv"
    path.write_text("key,prompt,deployment\na,A boat,east\n")
    assert (await dailies("submit", str(path), "--config", config))[0] == 0
    code, out, _ = await dailies("status", "spring", "--why", "a", "--config", config)
    assert (code, out.splitlines()[0][:19]) == (0, "Nothing keeps it ba")
    code, out, _ = await dailies("status", "spring", "--why", "a", "--json", "--config", config)
    assert (code, json.loads(out)["gate"]) == (0, "none")
    code, _, said = await dailies("status", "--why", "a", "--config", config)
    assert (code, "--why needs a batch" in said) == (2, True)


async def test_a_deployment_that_a_manifest_names_must_be_configured_but_for_a_rehearsal(
    place: Place, tmp_path: Path
) -> None:
    path = tmp_path / "spring.csv"
    path.write_text("key,prompt,deployment\na,A boat,eest\n")
    code, out, _ = await dailies("validate", str(path), "--config", str(place[1]))
    assert code == 2
    assert "spring.csv:2:3: deployment 'eest': no deployment is named eest" in out
    assert "did you mean east?" in out
    code, out, said = await dailies("validate", str(path), "--sandbox", "--config", str(place[1]))
    assert code == 0, out + said
    assert "the sandbox has deployments of its own" in said
