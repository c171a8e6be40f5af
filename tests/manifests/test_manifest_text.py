"""What is written back as a manifest is accepted, and orders the very same videos."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manifests import Item, load
from manifests.manifest_text import NoColumn, WrittenRow, as_csv, as_jsonl, as_yaml, formulas
from manifests.window import Window

MANIFEST = """
version: 1
name: spring
defaults: {model: sora-2, size: 1280x720, seconds: 8}
items:
  - key: Åre 42/blå
    prompt: "A boat, {{literally}} {colour}; =1+1, \\"quoted\\" 'n' so on: # no comment"
    labels: {colour: blå, SKU: "0042", odd: "- [x]"}
    variants: 2
    priority: 3
  - key: source
    prompt: "=SUM(A1:A9)"
    seconds: 4
  - key: remix
    prompt: "two\\nlines"
    remix_of: source
    seconds: 4
  - prompt: "null"
    model: sora-2
"""


def written(item: Item) -> WrittenRow:
    names = ("key", "prompt", "model", "size", "seconds", "input_reference", "remix_of", "deployment", "priority")
    return WrittenRow({name: getattr(item, name) for name in names}, item.labels, "failed: why\nor not\x07")


def again(rows: list[WrittenRow], form: str, folder: Path) -> list[Item]:
    """The rows, written and read back."""
    pieces = as_yaml(rows, name="spring") if form == "yaml" else (as_csv if form == "csv" else as_jsonl)(rows)
    path = folder / f"spring.{form}"
    path.write_text("".join(pieces), encoding="utf-8", newline="")
    return list(load(path).items())


@pytest.mark.parametrize("form", ["yaml", "csv", "jsonl"])
def test_the_same_videos_are_ordered_again(form: str, tmp_path: Path) -> None:
    (tmp_path / "first.yaml").write_text(MANIFEST, encoding="utf-8")
    first = list(load(tmp_path / "first.yaml").items())
    second = again([written(item) for item in first], form, tmp_path)
    assert [item.fingerprint for item in second] == [item.fingerprint for item in first]
    for before, after in zip(first, second, strict=True):
        assert (after.key, after.prompt, after.priority) == (before.key, before.prompt, before.priority)
        if before.key != "Are-42-bla-2":  # of a second take, nothing can say how its key was written
            assert dict(after.labels) == dict(before.labels)


def test_the_heading_has_what_the_batch_was_submitted_with(tmp_path: Path) -> None:
    window = Window.parse('{"start": "22:00", "end": "06:00", "timezone": "Europe/Stockholm", "days": ["mon", "fri"]}')
    path = tmp_path / "other.yaml"
    row = WrittenRow({"key": "a", "prompt": "A boat"}, {})
    path.write_text("".join(as_yaml([row], name="spring", budget_usd=Decimal("120.50"), window=window)))
    found = load(path)
    assert (found.name, found.budget_usd, found.window) == ("spring", Decimal("120.50"), window)


def test_a_label_that_no_column_can_be_named_as_is_refused_before_anything_is_written() -> None:
    row = WrittenRow({"key": "a", "prompt": "p"}, {"promt": "x"})
    with pytest.raises(NoColumn, match=r"the label 'promt' cannot be a column: the column is nearly the field prompt"):
        next(as_csv([row]))


def test_rows_that_a_spreadsheet_program_would_calculate_are_counted() -> None:
    rows = [WrittenRow({"key": key, "prompt": prompt}, {}) for key, prompt in (("a", "=1+1"), ("b", "a boat = joy"))]
    assert formulas(rows) == 1


TEXT = st.text(
    st.characters(codec="utf-8", categories=("L", "M", "N", "P", "S", "Zs"), include_characters="\n"), max_size=60
).map(lambda text: text.strip())


@settings(max_examples=60, deadline=None)
@given(
    prompts=st.lists(TEXT.filter(bool), min_size=1, max_size=4),
    labels=st.dictionaries(st.sampled_from(["market", "SKU", "the note"]), TEXT.filter(bool)),
    form=st.sampled_from(["yaml", "csv", "jsonl"]),
)
def test_any_text_survives(
    tmp_path_factory: pytest.TempPathFactory, prompts: list[str], labels: dict[str, str], form: str
) -> None:
    rows = [
        WrittenRow({"key": f"k{n}", "prompt": prompt, "model": "sora-2", "size": "1280x720", "seconds": 4}, labels)
        for n, prompt in enumerate(prompts)
    ]
    found = again(rows, form, tmp_path_factory.mktemp("rows"))
    assert [(item.prompt, dict(item.labels)) for item in found] == [(prompt, labels) for prompt in prompts]
