"""`--where` keeps the rows that are meant, however a column is spelled, and forgets the others with their faults."""

from __future__ import annotations

from pathlib import Path

import pytest

from manifests import ManifestError, Problem, load
from manifests.selecting.adjustments import Adjustments


def kept(path: Path, *where: tuple[str, str]) -> list[str]:
    return [item.prompt for item in load(path, adjustments=Adjustments(where=where)).items()]


def problems(path: Path, *where: tuple[str, str]) -> list[Problem]:
    with pytest.raises(ManifestError) as refused:
        load(path, adjustments=Adjustments(where=where))
    return refused.value.problems


def written(path: Path, content: str) -> Path:
    path.write_text(content, encoding="utf-8")
    return path


TABLE = "prompt,Ready for AI,market,seconds\nA boat,TRUE,SE,4\nA kite,true\xa0,de,8\nA lamp,,DE,\nA mug,FALSE,SE,nine\n"


@pytest.mark.parametrize(
    ("where", "prompts"),
    [
        ([("Ready for AI", "TRUE")], ["A boat", "A kite"]),
        ([("ready-for_ai", " true ")], ["A boat", "A kite"]),
        ([("ready for AI", "TRUE"), ("market", "DE")], ["A kite"]),
        ([("Ready for AI", "")], ["A lamp"]),
        ([("seconds", "4")], ["A boat"]),
        ([("Prompt", "a KITE")], ["A kite"]),
    ],
)
def test_rows_are_kept_for_which_all_conditions_hold(
    tmp_path: Path, where: list[tuple[str, str]], prompts: list[str]
) -> None:
    assert kept(written(tmp_path / "a.csv", TABLE), *where) == prompts


def test_a_column_as_it_is_written_goes_before_one_that_is_nearly_so(tmp_path: Path) -> None:
    path = written(tmp_path / "a.csv", "prompt,ready,Ready\nA boat,yes,no\nA kite,,yes\n")
    assert kept(path, ("ready", "yes")) == ["A boat"]
    assert kept(path, ("Ready", "yes")) == ["A kite"]


def test_what_the_defaults_say_counts_and_of_a_matrix_only_what_fits(tmp_path: Path) -> None:
    text = """
defaults: {labels: {campaign: spring}, seconds: 8}
items:
  - {key: a, prompt: A boat, labels: {campaign: autumn}}
  - {prompt: "A {product}", matrix: {product: [mug, lamp]}}
  - {prompt: "Another {product}", matrix: {product: [bag]}, seconds: 4}
"""
    path = written(tmp_path / "a.yaml", text)
    assert kept(path, ("campaign", "Spring")) == ["A mug", "A lamp", "Another bag"]
    assert kept(path, ("Product", "lamp")) == ["A lamp"]
    assert kept(path, ("seconds", "8"), ("campaign", "spring")) == ["A mug", "A lamp"]


def test_a_mapped_column_is_known_by_both_its_names(tmp_path: Path) -> None:
    path = written(tmp_path / "a.csv", "Scene,Length\nA boat,4\nA kite,8\n")
    for name in ("Length", "seconds"):
        said = Adjustments(columns={"prompt": "Scene", "seconds": "length"}, where=((name, "8"),))
        assert [item.prompt for item in load(path, adjustments=said).items()] == ["A kite"]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", "prompt,ready,size\nA boat,yes,16:9\n,no,1x1\nA {brace,no,\nA kite,no,,beyond\n"),
        ("a.jsonl", '{"prompt": "A boat", "labels": {"ready": "yes"}}\n{"promt": [], "labels": {"ready": "no"}}\n'),
        (
            "a.yaml",
            "items:\n- {prompt: A boat, labels: {ready: 'yes'}}\n- size: [1]\n  labels: {ready: 'no'}\n  matrix: x\n",
        ),
    ],
)
def test_rows_that_are_left_out_may_be_unfinished(tmp_path: Path, name: str, content: str) -> None:
    path = written(tmp_path / name, content)
    assert kept(path, ("ready", "yes")) == ["A boat"]
    assert problems(path)


def test_a_file_that_cannot_be_read_on_is_told_whatever_is_kept(tmp_path: Path) -> None:
    lines = (
        '{"prompt": "A boat", "labels": {"ready": "no"}}\n{"prompt"\n{"prompt": "A kite", "labels": {"ready": "no"}}\n'
    )
    told = problems(written(tmp_path / "a.jsonl", lines), ("ready", "yes"))
    assert [problem.line for problem in told] == [None, 2]
    told = problems(written(tmp_path / "a.csv", 'prompt,ready\nA boat,no\n"A kite,no\n'), ("ready", "no"))
    assert [problem.line for problem in told] == [3]


def test_columns_kinds_and_images_are_of_what_is_kept_but_columns_of_all(tmp_path: Path) -> None:
    lines = (
        '{"prompt": "A boat", "seconds": 8, "labels": {"ready": "yes"}}\n'
        '{"prompt": "A kite", "input_reference": "https://a.com/a.png", "labels": {"ready": "no", "market": "SE"}}'
    )
    path = written(tmp_path / "a.jsonl", lines)
    manifest = load(path, adjustments=Adjustments(where=(("ready", "yes"),)))
    assert manifest.columns == ("prompt", "seconds", "ready", "input_reference", "market")
    assert (manifest.item_count, manifest.kinds) == (1, {("sora-2", "720x1280", 8)})
    assert manifest.images == frozenset()


def test_a_key_that_only_a_row_that_is_left_out_has_as_well_is_free(tmp_path: Path) -> None:
    path = written(tmp_path / "a.csv", "key,prompt,ready\nhero,A boat,yes\nhero,A kite,no\n")
    assert kept(path, ("ready", "yes")) == ["A boat"]
    assert problems(path)


def test_nothing_left_says_how_many_were_looked_at_and_what_stands_there(tmp_path: Path) -> None:
    path = written(tmp_path / "a.csv", "prompt,ready\n" + "".join(f"Boat {n},{n % 7}\n" for n in range(1200)))
    (problem,) = problems(path, ("Ready", "yes"))
    assert (problem.file, problem.line, problem.path) == (str(path), None, "--where Ready=yes")
    assert problem.message == "nothing is left: of 1,200 rows none has Ready=yes"
    assert problem.hint == "what stands in Ready: 0, 1, 2, 3, 4, …"
