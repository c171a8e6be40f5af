"""`dailies results`: the rows of one state, and rows to be mended and run again."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from dailies.reading.rows import print_manifest, print_results
from dailies.terminal.exits import UsageError
from manifests import load
from orchestrator.items.decision import Decision
from orchestrator.items.failures import MODERATION_REFUSED
from orchestrator.items.states import Event, State
from orchestrator.ledger.store import Store
from orchestrator.settings import RedisSettings, Settings
from tests.dailies.typing_it import Place, dailies
from tests.ledger import admit, deployment, intend, item, submit

ROWS = [
    item("mug", labels={"key": "mug!", "market": "SE"}, priority=2),
    item("lamp", prompt="=a {lamp}"),
    item("vase"),
    item("again", remix_of="lamp", prompt="at night"),
]


@pytest.fixture
def store(redis: Any, namespace: str) -> Store:
    return Store(redis, namespace)


@pytest.fixture
async def settings(store: Store, redis_url: str, namespace: str) -> Settings:
    """A batch of four under a budget: two were refused, and with one of them the remix that was to be made from it."""
    await submit(store, ROWS, budget_usd="9.50")
    for claim in (await admit(store, deployment(), most=2)).admitted:
        refused = Decision(Event.REFUSED, MODERATION_REFUSED.fields("not\nallowed"), money="none")
        await store.apply(claim.ref, await intend(store, claim), refused)
    return Settings(redis=RedisSettings(url=SecretStr(redis_url), namespace=namespace), deployments=(deployment(),))


async def test_rows_of_one_state_are_all_that_is_printed(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    await print_results(settings, "spring", "csv", [State.FAILED])
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [(row["key"], row["state"], row["reason"]) for row in rows] == [
        ("mug", "failed", "moderation_refused"),
        ("lamp", "failed", "moderation_refused"),
        ("again", "failed", "source_failed"),
    ]
    assert rows[1]["prompt"] == "'=a {lamp}"  # a spreadsheet program calculates nothing
    await print_results(settings, "spring", "jsonl", [State.WAITING])
    assert [json.loads(line)["key"] for line in capsys.readouterr().out.splitlines()] == ["vase"]


@pytest.mark.parametrize("form", ["yaml", "csv", "jsonl"])
async def test_failed_rows_as_a_manifest_are_the_same_rows_when_they_are_submitted_again(
    settings: Settings, store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str], form: str
) -> None:
    capsys.readouterr()
    assert await print_manifest(settings, "spring", form, [State.FAILED]) == 0
    out, said = capsys.readouterr()
    path = tmp_path / f"spring.{form}"
    path.write_text(out, encoding="utf-8", newline="")
    found = load(path, models=settings.model_rules())
    items = list(found.items())
    by_key = {each.key: each for each in ROWS}
    assert [each.key for each in items] == ["mug", "lamp", "again"]
    assert all(each.fingerprint == by_key[each.key].fingerprint for each in items)
    assert "dailies retry spring" in said
    done = await submit(store, items, budget_usd="9.50")
    assert (done.new, done.changed, done.unchanged) == (0, 0, 3)
    if form == "yaml":
        assert (found.name, str(found.budget_usd)) == ("spring", "9.5")
        assert "# failed, moderation_refused: the create was refused for its prompt or picture: nothing was made" in out
        assert "# not allowed\n" in out
    else:
        assert "--name spring --budget-usd 9.5" in said
    assert ("formula" in said) == (form == "csv")


async def test_what_rows_are_made_from_comes_along_and_superseded_contents_do_not(
    settings: Settings, store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mended = item("lamp", prompt="a calm lamp")
    await submit(store, [*ROWS[:1], mended, *ROWS[2:]], budget_usd="9.50")  # lamp is wanted as lamp~2 now
    capsys.readouterr()
    await print_manifest(settings, "spring", "yaml", [State.FAILED])
    out, said = capsys.readouterr()
    (tmp_path / "a.yaml").write_text(out, encoding="utf-8")
    items = list(load(tmp_path / "a.yaml").items())
    assert [(each.key, each.prompt) for each in items] == [
        ("mug", "prompt of mug"), ("lamp", "a calm lamp"), ("again", "at night"),
    ]  # fmt: skip
    assert "1 row of 3 stands there only since others are made from it" in said


async def test_what_was_superseded_is_none_of_the_failed_rows_and_says_what_took_its_place(
    settings: Settings, store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    await submit(store, [item("mug", prompt="a calm mug"), *ROWS[1:]], budget_usd="9.50")
    capsys.readouterr()
    await print_results(settings, "spring", "jsonl", [State.FAILED])
    assert [json.loads(line)["key"] for line in capsys.readouterr().out.splitlines()] == ["lamp", "again"]
    await print_results(settings, "spring", "jsonl", [])
    rows = {row["key"]: row for row in map(json.loads, capsys.readouterr().out.splitlines())}
    told = rows["mug"]
    assert (told["state"], told["reason"], told["replaced_by"]) == ("superseded", "moderation_refused", "mug~2")
    assert {key for key, row in rows.items() if row["replaced_by"]} == {"mug"}


async def test_nothing_is_left_to_mend_once_each_failed_row_has_other_contents(
    settings: Settings, store: Store
) -> None:
    """`status` still counts what failed, so it is not said that nothing did."""
    calmed = [item(each.key, prompt="calm", remix_of=each.remix_of) for each in ROWS]
    await submit(store, calmed, budget_usd="9.50")
    with pytest.raises(UsageError, match=r"nothing of spring is left to mend: what is failed was submitted anew since"):
        await print_manifest(settings, "spring", "yaml", [State.FAILED])
    with pytest.raises(UsageError, match=r"no item of spring is expired"):
        await print_manifest(settings, "spring", "yaml", [State.EXPIRED])


async def test_a_run_of_mended_rows_is_done_when_these_are_archived(place: Place, tmp_path: Path) -> None:
    """`results --as manifest`, a better prompt, `run`: the row that failed is not wanted any more, and nothing is paid
    twice."""
    witness, path = place
    here = ("--config", str(path))
    (tmp_path / "spring.csv").write_text("key,prompt\nboat,A paper boat\nmug,A forbidden mug\n")
    code, _, said = await dailies("run", str(tmp_path / "spring.csv"), *here)
    assert code == 1, said
    code, rows, said = await dailies("results", "spring", "--state", "failed", "--as", "manifest", *here)
    assert code == 0, said
    (tmp_path / "mended.yaml").write_text(rows)
    assert (await dailies("run", str(tmp_path / "mended.yaml"), *here))[0] == 1, "as it was, it is not made"
    (tmp_path / "mended.yaml").write_text(rows.replace("forbidden", "calm"))
    code, out, said = await dailies("run", str(tmp_path / "mended.yaml"), *here, "--json")
    document = json.loads(out)
    counts = document["items"]
    assert (code, counts["archived"], counts["failed"], document["superseded"]) == (0, 2, 0, 1), said
    assert (counts["superseded"], counts["total"]) == (1, 3)
    assert await witness.created() == {"A paper boat": 1, "A forbidden mug": 1, "A calm mug": 1}
    code, out, _ = await dailies("status", "spring", *here)
    assert "2 archived, 1 superseded" in out
    assert "superseded: 1 item came to nothing, and the mended row took the place" in out
    assert "not archived" not in out
    code, out, _ = await dailies("status", "spring", "--items", "--state", "failed", *here, "--json")
    assert (code, json.loads(out)["rows"]) == (0, [])
    code, out, _ = await dailies("show", "spring", "mug", *here)
    assert out.startswith("spring/mug: failed; its row was mended, and mug~2 took the place\n")
