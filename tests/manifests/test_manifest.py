"""What holds for manifests as a whole: columns, models, counts, files that change or are not what they seem."""

from __future__ import annotations

import dataclasses
import os
import pickle
from decimal import Decimal
from pathlib import Path

import pytest

from manifests import KNOWN, ManifestError, Problem, load, rule_for

EXAMPLES = Path(__file__).parents[2] / "manifests/examples"


def problems_of(path: Path) -> list[Problem]:
    with pytest.raises(ManifestError) as refused:
        load(path, models=None)
    return refused.value.problems


def written(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


@pytest.mark.parametrize("example", sorted(EXAMPLES.iterdir()), ids=lambda path: path.name)
def test_the_examples_load(example: Path) -> None:
    """With what the sandbox serves, as README's first command does."""
    manifest = load(example, models={"sora-2": KNOWN["sora-2"], "sora": KNOWN["sora"]})
    assert manifest.item_count == len(list(manifest.items())) > 0


def test_the_first_night_is_eight_short_clips() -> None:
    manifest = load(EXAMPLES / "first-night.yaml", models=None)
    assert (manifest.name, manifest.budget_usd, manifest.item_count) == ("first-night", Decimal(5), 8)
    assert {item.seconds for item in manifest.items()} == {4}


def test_columns_are_the_header_of_a_csv_in_its_order(tmp_path: Path) -> None:
    path = written(tmp_path / "a.csv", "market,prompt,,key,size\nSE,A boat,,hero,\n")
    assert load(path, models=None).columns == ("market", "prompt", "key", "size")


def test_columns_of_yaml_are_fields_labels_and_axes_as_they_appear(tmp_path: Path) -> None:
    text = """
defaults: {model: sora-2, labels: {campaign: spring}}
items:
  - {prompt: "A {product}", matrix: {product: [mug, lamp]}, priority: 2}
  - {key: hero, prompt: A boat, labels: {market: SE}}
"""
    columns = load(written(tmp_path / "a.yaml", text), models=None).columns
    assert columns == ("prompt", "product", "key", "market", "model", "campaign")


def test_a_model_that_nobody_serves_is_refused_with_the_nearest_one(tmp_path: Path) -> None:
    path = written(tmp_path / "a.jsonl", '{"prompt": "A boat", "model": "sora2"}\n')
    with pytest.raises(ManifestError) as refused:
        load(path, models={"sora-2": KNOWN["sora-2"], "sora": KNOWN["sora"]})
    (problem,) = refused.value.problems
    assert (problem.line, problem.path, problem.value) == (1, "model", "sora2")
    assert problem.message == "no deployment serves sora2"
    assert problem.hint == "did you mean sora-2? Served are: sora-2, sora"


def test_a_missing_default_model_is_one_problem_for_two_thousand_rows(tmp_path: Path) -> None:
    path = written(tmp_path / "a.csv", "prompt\n" + "".join(f"Boat {n}\n" for n in range(2000)))
    with pytest.raises(ManifestError) as refused:
        load(path, models={"another": rule_for("another")})
    (problem,) = refused.value.problems
    assert problem.message == "no deployment serves sora-2, which is meant where no model is given"


def test_the_rules_of_the_deployments_count_not_the_shipped_ones(tmp_path: Path) -> None:
    rule = dataclasses.replace(
        KNOWN["sora-2"], sizes=("640x360",), seconds=(20,), default_size="640x360", default_seconds=20
    )
    path = written(tmp_path / "a.jsonl", '{"prompt": "A boat"}\n')
    (item,) = load(path, models={"sora-2": rule}).items()
    assert (item.size, item.seconds) == ("640x360", 20)


def test_a_model_that_we_do_not_know_passes_unchecked() -> None:
    rule = rule_for("model-of-tomorrow")
    assert (rule.sizes, rule.seconds, rule.prompt_chars) == (None, None, None)
    assert (rule.default_size, rule.default_seconds) == ("720x1280", 4)
    assert rule_for("model-of-tomorrow", "jobs").default_size == "480x480"


def test_a_prompt_over_the_limit_of_its_model_is_refused(tmp_path: Path) -> None:
    lines = [f'{{"prompt": "{"é" * length}", "model": "{model}"}}' for length, model in
             [(32_000, "sora-2"), (32_001, "sora-2"), (4_000, "sora"), (4_001, "sora")]]  # fmt: skip
    problems = problems_of(written(tmp_path / "a.jsonl", "\n".join(lines)))
    assert [(p.line, p.message) for p in problems] == [
        (2, "is 32,001 characters long, and sora-2 takes 32,000"),
        (4, "is 4,001 characters long, and sora takes 4,000"),
    ]


def test_all_problems_are_counted_and_the_first_hundred_kept(tmp_path: Path) -> None:
    rows = "".join(f"Boat {n},{'4' if n % 2 else '5'}\n" for n in range(3000))
    with pytest.raises(ManifestError) as refused:
        load(written(tmp_path / "a.csv", "prompt,seconds\n" + rows), models=None)
    error = refused.value
    assert error.problem_count == 1500
    assert [problem.line for problem in error.problems] == list(range(2, 202, 2))
    assert str(error).startswith("1500 problems in the manifest\n")


def test_what_is_found_last_is_sorted_to_its_place(tmp_path: Path) -> None:
    """Remixes can be judged only after the last row."""
    lines = ['{"prompt": "A", "remix_of": "gone"}', *['{"prompt": "B", "size": "1x1"}'] * 300]
    with pytest.raises(ManifestError) as refused:
        load(written(tmp_path / "a.jsonl", "\n".join(lines)), models=None)
    assert refused.value.problem_count == 1 + 300 + 299  # the size of each, and the same key again
    assert refused.value.problems[0].message == "no item has the key gone"


def test_a_file_that_changed_after_it_was_loaded_hands_out_nothing(tmp_path: Path) -> None:
    path = written(tmp_path / "a.csv", "prompt\nA boat\n")
    manifest = load(path, models=None)
    written(path, "prompt\nA boat\nAnother that nobody has seen the price of\n")
    with pytest.raises(ManifestError, match="the file changed"):
        next(manifest.items())


def test_a_file_of_rows_that_is_gone_is_a_problem(tmp_path: Path) -> None:
    rows = written(tmp_path / "rows.csv", "prompt\nA boat\n")
    manifest = load(written(tmp_path / "a.yaml", "items_from: rows.csv"), models=None)
    assert [item.prompt for item in manifest.items()] == ["A boat"]
    rows.unlink()
    with pytest.raises(ManifestError, match="the file changed"):
        next(manifest.items())


@pytest.mark.parametrize("name", ["gone.yaml", "folder.csv", "pipe.jsonl", "name"])
def test_what_is_no_file_of_a_known_kind_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder.csv").mkdir()
    os.mkfifo(tmp_path / "pipe.jsonl")
    written(tmp_path / "name", "items: []")
    (problem,) = problems_of(tmp_path / name)
    assert problem.file == str(tmp_path / name)
    assert problem.hint


@pytest.mark.parametrize(
    ("name", "content", "line", "column", "message"),
    [
        ("a.csv", "prompt\nÅ bååt\n".encode() + b"A k\xefte\n", 3, 4, "the byte 0xEF is not UTF-8"),
        ("a.csv", b"\xef\xbb\xbfprompt\nA k\xefte\n", 2, 4, "the byte 0xEF is not UTF-8"),
        ("a.csv", b"prompt\nA k\xefte \x81\n", 2, 8, "the byte 0x81 is not Windows-1252"),
        ("a.csv", "prompt\nA boat\n".encode("utf-16")[:-1], 2, 7, "the bytes are not UTF-16"),
        ("a.jsonl", '{"prompt": "A boat"}'.encode("utf-16"), 1, None, "the file is UTF-16"),
        ("a.csv", b"prompt\n" + b"x" * 140_000, 2, None, "a cell is longer than 131,072 characters"),
        ("a.jsonl", b'{"prompt": "A boat"}\n{"prompt": "\xff"}', 2, 13, "the byte 0xFF is not UTF-8"),
        ("a.jsonl", b'{"prompt": "A"}\n' + b" " * (5 << 20), 2, None, "the line is longer than 4,194,304 characters"),
        ("a.jsonl", b"[" * 100_000, 1, None, "values are nested too deeply"),
        ("a.yaml", b"items:\n- prompt: A \xe5 boat\n", 2, None, "this is not text: invalid trailing UTF-8 octet"),
        ("a.yaml", b"items:\n- prompt: A \x00 boat\n", 2, None, "this is not text: control characters are not allowed"),
        ("a.yaml", b"# nothing but this\n", None, None, "the file is empty"),
    ],
)  # fmt: skip
def test_bytes_that_are_no_text_are_found_where_they_stand(
    tmp_path: Path, name: str, content: bytes, line: int | None, column: int | None, message: str
) -> None:
    (problem,) = problems_of(written(tmp_path / name, content))
    assert (problem.line, problem.column, problem.message) == (line, column, message)


def test_yaml_in_utf_16_is_read(tmp_path: Path) -> None:
    path = written(tmp_path / "a.yaml", "items: [{prompt: Åre}]".encode("utf-16"))
    assert [item.prompt for item in load(path, models=None).items()] == ["Åre"]


def test_line_ends_of_a_cell_do_not_change_what_is_rendered(tmp_path: Path) -> None:
    """Spreadsheet programs write them each in its own way."""
    first = load(written(tmp_path / "a.csv", b'prompt\r\n"A boat,\r\nat night"\r\n'), models=None).items()
    second = load(written(tmp_path / "b.csv", b'prompt\n"A boat,\nat night"\n'), models=None).items()
    assert [item.fingerprint for item in first] == [item.fingerprint for item in second]


def test_what_a_file_holds_cannot_upset_a_terminal(tmp_path: Path) -> None:
    path = written(tmp_path / "a.jsonl", '{"prompt": "A boat", "\\u001b[2J\\ud800": "x", "model": "\\u001b[1m"}')
    for problem in problems_of(path):
        assert (problem.path + problem.message + problem.hint).isprintable()
        problem.value.encode()


def test_an_error_survives_the_way_between_processes(tmp_path: Path) -> None:
    with pytest.raises(ManifestError) as refused:
        load(tmp_path / "gone.yaml", models=None)
    copied = pickle.loads(pickle.dumps(refused.value))  # noqa: S301
    assert (copied.problems, copied.problem_count) == (refused.value.problems, 1)
