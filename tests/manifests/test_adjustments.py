"""What is said about a manifest without editing it holds for every row, and what is wrong with it is said once."""

from __future__ import annotations

import csv
import io
import tempfile
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openpyxl import Workbook

from manifests import Item, ManifestError, load
from manifests.selecting.adjustments import Adjustments

SHEET = "Shot text,Format,market\nA boat,9:16,SE\nA kite,16:9,DE\n"


def items(path: Path, adjustments: Adjustments) -> list[Item]:
    return list(load(path, adjustments=adjustments).items())


def written(path: Path, content: str) -> Path:
    path.write_text(content, encoding="utf-8")
    return path


def test_without_adjustments_nothing_changes(tmp_path: Path) -> None:
    path = written(tmp_path / "spring.csv", "prompt,market\nA boat,SE\n")
    assert items(path, Adjustments()) == list(load(path).items())


def test_name_and_budget_go_before_what_the_manifest_says(tmp_path: Path) -> None:
    path = written(tmp_path / "a.yaml", "name: spring\nbudget_usd: 12\nitems: [{prompt: A boat}]")
    plain, said = load(path), load(path, adjustments=Adjustments(name="autumn-{date}", budget_usd=Decimal("2.5")))
    assert (plain.name, plain.budget_usd) == ("spring", Decimal(12))
    assert (said.name, said.budget_usd) == ("autumn-{date}", Decimal("2.5"))


@pytest.mark.parametrize("name", ["Input Reference", "input-reference", "INPUT_REFERENCE"])
def test_fields_are_named_as_columns_may_be(tmp_path: Path, name: str) -> None:
    path = written(tmp_path / "a.csv", "prompt\nA boat\n")
    (item,) = items(path, Adjustments(fields={name: "https://example.com/{{1}}.png"}))
    assert item.input_reference == "https://example.com/{1}.png"


def test_a_field_that_is_set_goes_before_row_matrix_and_defaults(tmp_path: Path) -> None:
    text = """
defaults: {seconds: 12}
items:
  - {key: a, prompt: A boat, seconds: 4}
  - {key: "{size}", prompt: A kite, matrix: {size: [720x1280, 1280x720], seconds: [4, 8]}}
"""
    found = items(written(tmp_path / "a.yaml", text), Adjustments(fields={"seconds": "8s"}))
    assert [(item.key, item.seconds) for item in found] == [("a", 8), ("720x1280", 8), ("1280x720", 8)]


def test_a_key_made_of_the_row_stays_when_a_field_is_set(tmp_path: Path) -> None:
    """A cheap trial and the real thing are one item, not two that are both paid for."""
    path = written(tmp_path / "a.csv", "prompt,seconds,size\nA boat,12,9:16\nA boat,8,\n")
    keys = [item.key for item in items(path, Adjustments())]
    trial = items(path, Adjustments(fields={"seconds": "4", "size": "16:9", "model": "sora-2-pro"}))
    assert [item.key for item in trial] == keys
    assert {(item.seconds, item.size) for item in trial} == {(4, "1280x720")}


def test_a_prompt_that_is_set_needs_no_column(tmp_path: Path) -> None:
    path = written(tmp_path / "a.csv", "product,market\nmug,SE\nlamp,DE\n")
    found = items(path, Adjustments(fields={"prompt": "A {product} on oak"}, key="{product}-{market}"))
    assert [(item.key, item.prompt) for item in found] == [("mug-SE", "A mug on oak"), ("lamp-DE", "A lamp on oak")]


def test_the_key_of_an_option_goes_before_the_column(tmp_path: Path) -> None:
    path = written(tmp_path / "a.csv", "key,prompt,sku\nold,A boat,17\n")
    assert [item.key for item in items(path, Adjustments(key="boat-{sku}"))] == ["boat-17"]


def test_what_is_set_reaches_the_rows_of_another_file_too(tmp_path: Path) -> None:
    written(tmp_path / "rows.csv", SHEET)
    path = written(tmp_path / "a.yaml", "items_from: rows.csv\nitems: [{prompt: A lamp}]")
    said = Adjustments(columns={"prompt": "Shot text", "size": "Format"}, fields={"seconds": "8"})
    assert [(item.prompt, item.size, item.seconds) for item in items(path, said)] == [
        ("A lamp", "720x1280", 8),
        ("A boat", "720x1280", 8),
        ("A kite", "1280x720", 8),
    ]


def test_mapped_columns_are_fields_and_no_labels(tmp_path: Path) -> None:
    path = written(tmp_path / "a.csv", SHEET)
    manifest = load(path, adjustments=Adjustments(columns={"Prompt": "shot_TEXT", "size": "Format"}))
    assert manifest.columns == ("prompt", "size", "market")
    assert [(item.prompt, dict(item.labels)) for item in manifest.items()] == [
        ("A boat", {"market": "SE"}),
        ("A kite", {"market": "DE"}),
    ]


def test_a_problem_in_a_mapped_cell_is_told_by_the_columns_own_name(tmp_path: Path) -> None:
    workbook = Workbook()
    for row in (["Scene", "Format"], ["A boat", "9:16"], ["A kite", "tall"]):
        workbook.active.append(row)
    workbook.save(tmp_path / "a.xlsx")
    with pytest.raises(ManifestError) as refused:
        load(tmp_path / "a.xlsx", adjustments=Adjustments(columns={"prompt": "Scene", "size": "Format"}))
    (problem,) = refused.value.problems
    assert (problem.line, problem.column, problem.path, problem.value) == (3, 2, "Format", "tall")
    assert problem.hint.endswith("; cell B3")


def test_one_wrong_value_that_is_set_is_one_problem_for_two_thousand_rows(tmp_path: Path) -> None:
    path = written(tmp_path / "a.csv", "prompt\n" + "".join(f"Boat {n}\n" for n in range(2000)))
    said = Adjustments(fields={"seconds": "5", "priority": "high", "prompt": "{boat}", "variants": "none"})
    with pytest.raises(ManifestError) as refused:
        load(path, adjustments=said)
    assert [problem.path for problem in refused.value.problems] == [
        "--set variants", "--set prompt", "--set seconds", "--set priority",
    ]  # fmt: skip


names = st.sampled_from(["prompt", "size", "seconds", "key", "labels", "Shot text", "promt", "market", ""]) | st.text(
    max_size=4
)
texts = st.sampled_from(["A boat", "{market}", "8", "16:9", "SE", "{", "", " ", "no"]) | st.text(max_size=6)
said: st.SearchStrategy[Mapping[str, object]] = st.fixed_dictionaries(
    {},
    optional={
        "name": texts,
        "budget_usd": st.decimals(-1, 100, places=2),
        "fields": st.dictionaries(names, texts, max_size=3),
        "columns": st.dictionaries(names, names, max_size=3),
        "key": texts,
        "where": st.lists(st.tuples(names, texts), max_size=2).map(tuple),
        "sample": st.integers(-1, 5),
        "sheet": texts,
    },
)
tables = st.lists(st.lists(names, min_size=3, max_size=3), min_size=1, max_size=4)


@given(options=said, rows=tables)
@settings(max_examples=200, deadline=None)
def test_whatever_is_said_a_manifest_is_read_or_refused(options: Mapping[str, object], rows: list[list[str]]) -> None:
    table = io.StringIO(newline="")
    csv.writer(table).writerows(rows)
    content = "prompt,market,ready\nA boat,SE,yes\n" if len(rows) == 1 else table.getvalue()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "a.csv")
        path.write_bytes(content.encode("utf-8", "replace"))
        try:
            manifest = load(path, adjustments=Adjustments(**options))  # type: ignore[arg-type]
        except ManifestError as error:
            refused = error.problems
        else:
            refused = []
            assert len(list(manifest.items())) == manifest.item_count > 0
    assert all(problem.message and problem.hint for problem in refused)
